"""What a session needs of its surroundings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from concurrent.futures import ThreadPoolExecutor
    from threading import Lock

    from ..compat.door import Door
    from ..errors import PeerError
    from ..limits import Limits
    from ..pubsub.hub import Hub
    from ..render import RendererName
    from ..wire.codes import CloseCode
    from ..wire.tokens import TokenSigner
    from .session import Session
    from .threads import HandlerThreads, SyncHandlers

__all__ = ["Client", "SessionOwner"]


class Client(Protocol):
    """The connection to a session's client."""

    page_url: str | None
    page_name: str
    session_timeout: float
    client_ip: str
    user_agent: str
    sync_handlers: SyncHandlers
    renderer: RendererName
    strict: bool
    """Whether it may set and say only what Flet's own client does."""

    @property
    def page_path(self) -> str:
        """The page's path as browsers see it, without a slash at the end."""

    def get_upload_url(self, file_name: str, expires: int, *, max_size: int | None = None) -> str:
        """A signed URL, relative to the root of the host, that takes one file once."""

    @property
    def given_loop(self) -> AbstractEventLoop | None: ...

    @property
    def executor(self) -> ThreadPoolExecutor: ...

    def send(self, frame: bytes, *, urgent: bool = False) -> None:
        """Put a frame on its way. Urgent ones are not held back.

        Raises:
            OutboxFull: Too much waits already.
        """

    def welcome(self, frames: list[bytes]) -> None:
        """Put on its way what answers a registration, however much it is."""

    def update(self, frames: list[bytes]) -> None:
        """Put an update on its way, all of its frames or none.

        When too much waits, drop the connection. The client comes back then, and gets what it
        missed.
        """

    def continue_channels(self, before: Client) -> None:
        """The page stays as it was: go on with the data channels of an earlier connection."""

    def hold(self) -> None:
        """Keep back what is sent from now on."""

    def release(self) -> None:
        """Send what was held back, and hold back no more."""

    def close(self, code: CloseCode, reason: str) -> None:
        """Send what waits, then close."""

    def fail(self, error: PeerError) -> None:
        """End the connection for what the client did: nothing more is received, nor sent."""

    def oauth_authorize(self, attrs: dict[str, Any]) -> None:
        """Wait for the provider to send the user of a sign-in back."""


class SessionOwner(Protocol):
    """What keeps the sessions of one app."""

    limits: Limits
    door: Door
    debug: bool
    hub: Hub
    signer: TokenSigner
    threads: HandlerThreads
    lock: Lock
    """Held for moments, by whatever is made when it is first asked for."""

    def forget(self, session: Session) -> None:
        """The session is over."""
