"""The files that a browser loads: the compiled client, the page it starts with, an app's own."""
