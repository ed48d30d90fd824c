"""OAuth flows that wait for the provider to send the user back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from ..errors import SessionClosed

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from ..session.session import Session

__all__ = ["FletOAuth", "OAuthFlows"]

_SIGNED_IN = """<!doctype html>
<html lang="en">
<head><title>Signed in</title></head>
<body>
<p>You are signed in. This window can be closed.</p>
<script>window.close();</script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Flow:
    session: Session
    complete_page_html: str | None
    complete_page_url: str | None


class OAuthFlows:
    """The flows of one server by their state.

    Each lives in a task of its session: it is gone when its time is up, and with the session.
    """

    def __init__(self) -> None:
        self._flows: dict[str, _Flow] = {}

    def begin(self, session: Session, attrs: dict[str, str], timeout: float) -> None:
        """Wait `timeout` seconds for the callback with `attrs["state"]`."""
        flow = _Flow(session, attrs.get("completePageHtml"), attrs.get("completePageUrl"))
        session.tasks.spawn(self._expire, attrs["state"], timeout, name="an OAuth flow")
        self._flows[attrs["state"]] = flow

    def take(self, state: str) -> _Flow | None:
        """Return the flow with this state and forget it: a state is good for one callback."""
        return self._flows.pop(state, None)

    async def _expire(self, state: str, timeout: float) -> None:
        try:
            await anyio.sleep(timeout)
        finally:
            self._flows.pop(state, None)


class FletOAuth:
    """Handles the request with which a provider sends the user back.

    `flows` are those of the server that runs the app. Default: the event loop's own.
    """

    def __init__(self, flows: Callable[[], OAuthFlows] | None = None) -> None:
        self._flows = flows

    async def handle(self, request: Request) -> Response:
        """Finish the flow in its session, then show the page the app chose.

        Answers 400 when the state is unknown, was used, or its time is up.
        """
        query = request.query_params
        flows = self._flows() if self._flows is not None else await _default_flows()
        flow = flows.take(query.get("state", ""))
        if flow is None:
            return PlainTextResponse("Invalid state", status_code=400)
        names = ("state", "code", "error", "error_description")
        answer = {name: query.get(name) for name in names}
        # A child of the session: the browser may close this request before the provider has
        # answered ours.
        try:
            flow.session.run_task(flow.session.page._authorize_callback, answer)
        except SessionClosed:
            return PlainTextResponse("The session has ended", status_code=410)
        if flow.complete_page_url:
            return RedirectResponse(flow.complete_page_url)
        return HTMLResponse(flow.complete_page_html or _SIGNED_IN)


async def _default_flows() -> OAuthFlows:
    # The server is made of the flows, among other things.
    from ..server import default_server

    return (await default_server()).oauth
