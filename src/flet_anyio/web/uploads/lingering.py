"""Answers that come before the end of a body, and still reach whoever sends it.

A server that closes a connection on which unread bytes have arrived resets it, and a reset
destroys an answer that the other end has not read yet. Browsers read it only when they have sent
all: to the user a refusal would look like a network that failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Lingering"]

# As long as a large file may still come, and a sender may pause: nothing is kept of it meanwhile.
_LONGEST = 30
_SILENCE = 2


class Lingering:
    """Middleware that reads what is left of a request's body once the answer was sent.

    For no longer than half a minute, and only while bytes come; then the server closes the
    connection as it likes. Cancelled, it ends at once.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        unread = True

        async def note_end() -> Message:
            nonlocal unread
            message = await receive()
            unread = message["type"] == "http.request" and message.get("more_body", False)
            return message

        async def linger(message: Message) -> None:
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if not (last and unread):
                await send(message)
                return
            # The end of the answer may be the end of the connection.
            await send({**message, "more_body": True})
            with anyio.move_on_after(_LONGEST):
                while unread and await _comes(note_end):
                    pass
            await send({"type": "http.response.body", "body": b""})

        await self._app(scope, note_end, linger)


async def _comes(receive: Receive) -> bool:
    with anyio.move_on_after(_SILENCE) as scope:
        await receive()
    return not scope.cancelled_caught
