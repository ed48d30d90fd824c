"""The route to which a provider sends the user back."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, RedirectResponse, Response

from ..server import hosted_servers
from ..session.sign_in import Callback, Outcome, Refused, SignIn
from .browser_cookie import browsers

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request

    from ..server import Server

__all__ = ["FletOAuth"]

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body><p>{text}</p>{script}</body>
</html>
"""
_CLOSE = "window.close();"
_CLOSE_HASH = b64encode(hashlib.sha256(_CLOSE.encode()).digest()).decode()

_SECRETIVE = {
    # The address of these answers has the state and the code in it.
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_OUR_PAGES = {
    **_SECRETIVE,
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'sha256-{_CLOSE_HASH}'; frame-ancestors 'none'"
    ),
}

_INSIDE = "It could not be finished with the provider. Begin again in the app."
_INVALID = (400, "This is not a sign-in that was begun here, or it has been used.")
_OVER = (410, "This sign-in is over. Begin again in the app.")
_FOREIGN = (
    403,
    "This sign-in was begun in another browser, or this one keeps no cookies. "
    "Reload the app's page and begin again.",
)
_REFUSALS = {Refused.UNKNOWN: _INVALID, Refused.OVER: _OVER, Refused.FOREIGN: _FOREIGN}


class FletOAuth:
    """Handles the request with which a provider sends the user back.

    Args:
        server: Runs the sessions that sign in. Default: the event loop's own server.
    """

    def __init__(self, *, server: Server | None = None) -> None:
        self._server = server

    async def handle(self, request: Request) -> Response:
        """Hand the answer to the sign-in that waits for it, and show how that went.

        The sign-in belongs to its session, and goes on when this request is cancelled.

        Answers 400 when the state is unknown or was used, or the provider's answer has neither a
        code nor an error; 403 when the sign-in was begun in another browser; 405 to anything but
        GET: whoever only looks at the address does not use it up; 410 when it is over.
        """
        if request.method != "GET":
            return _refusal(405, "Method not allowed")
        callback = _callback(request.query_params)
        server = self._server or hosted_servers().get(None)
        if server is None or callback is None:
            return _refusal(*_INVALID)
        state = request.query_params.get("state", "")
        sign_in = server.sign_ins.answer(state, browsers(request.headers), callback)
        if isinstance(sign_in, Refused):
            return _refusal(*_REFUSALS[sign_in])
        if sign_in.complete_page_url:
            # The app's own page: `on_login` tells it how this goes.
            return RedirectResponse(sign_in.complete_page_url, 303, _SECRETIVE)
        await sign_in.over.wait()
        return _complete(sign_in, debug=server.debug)


def _callback(query: QueryParams) -> Callback | None:
    code, error = query.get("code", ""), query.get("error") or None
    if not code and error is None:
        return None
    return Callback(code, error, query.get("error_description"))


def _complete(sign_in: SignIn, *, debug: bool) -> Response:
    outcome = sign_in.outcome
    if outcome is None:
        return _refusal(*_OVER)
    if sign_in.complete_page_html:
        # As upstream, also when it failed: this page may be all that closes the window.
        return HTMLResponse(sign_in.complete_page_html, headers=_SECRETIVE)
    return _failure(outcome, debug=debug) if outcome.error is not None else _success()


def _success() -> Response:
    text = "You are signed in. This window can be closed."
    script = f"<script>{_CLOSE}</script>"
    return HTMLResponse(_PAGE.format(title="Signed in", text=text, script=script), 200, _OUR_PAGES)


def _failure(outcome: Outcome, *, debug: bool) -> Response:
    why = ": ".join(part for part in (outcome.error, outcome.description) if part)
    if outcome.inside and not debug:
        why = _INSIDE  # addresses and the like: the app was told, its visitors are not
    # The app was told, and may go on: to the provider's server too, this went as it should.
    return _page(200, "Not signed in", f"You are not signed in. {why}")


def _refusal(status: int, text: str) -> Response:
    return _page(status, "Not signed in", text)


def _page(status: int, title: str, text: str) -> Response:
    # Providers and whoever made the link have a say in the text.
    content = _PAGE.format(title=title, text=escape(text), script="")
    return HTMLResponse(content, status, _OUR_PAGES)
