"""Close codes of RFC 6455, section 7.4.1, and of the IANA registry, as this server uses them."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["CloseCode"]


class CloseCode(IntEnum):
    """Why the server closed a WebSocket."""

    NORMAL = 1000
    """The session is over."""
    PROTOCOL_ERROR = 1002
    """A message that is not allowed at this point."""
    UNSUPPORTED_DATA = 1003
    """A text frame, or a packet of an unknown type."""
    INVALID_PAYLOAD = 1007
    """A packet that cannot be decoded, or a message of the wrong shape."""
    POLICY_VIOLATION = 1008
    """The client did not do what it must, such as register in time."""
    MESSAGE_TOO_BIG = 1009
    """A frame beyond `Limits.message_bytes`."""
    SERVICE_RESTART = 1012
    """The server shuts down; the client should come back."""
    TRY_AGAIN_LATER = 1013
    """The client took nothing, or said nothing, for too long; it may come back."""
