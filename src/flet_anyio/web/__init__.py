"""HTTP around the socket: the ASGI app, the client's files, uploads and sign-in."""
