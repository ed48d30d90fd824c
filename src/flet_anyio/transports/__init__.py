"""What carries packets: any ASGI server, or trio-websocket."""

from .base import PeerInfo, Transport
from .outbox import Close, Outbox
from .select import open_transport

__all__ = ["Close", "Outbox", "PeerInfo", "Transport", "open_transport"]
