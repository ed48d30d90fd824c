"""Every bound of the server, in one place."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["Limits"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one client, session or shutdown may take. `None` switches a limit off, where it may.

    Sizes are in bytes, times in seconds.

    Attributes:
        connections: WebSockets of one server at the same time. One more is refused with 503.
        address_connections: Those from one client address. One more is refused with 429. Where a
            proxy may stand, in private networks and on the machine itself, nothing is counted:
            have a server that is behind a proxy trust what that says of its clients.
        sessions: Sessions of one server at the same time, with a client or waiting for it. The
            connection that asks for one more is closed with 1013.
        address_sessions: Those that clients of one address have begun, with the same exception.
        handshakes: Connections of one server that have not registered yet. One more is refused
            with 503.
        message_bytes: The largest frame a client may send; a larger one closes its connection
            with 1009.
        message_items: How many values the lists and maps of one message may hold in all; more
            close the connection with 1009, before they take memory.
        message_depth: How deep lists and maps of a message may lie in each other; a deeper one
            closes the connection with 1009.
        register_timeout: How long a new connection may take to register; then it is closed
            with 1008.
        session_idle: How long a client may be connected and its user do nothing; then the session
            ends, and a tab that is open begins a new one.
        session_age: How long a session may live; then it ends, whatever goes on in it.
        event_rate: Events of one connection in a second, on average. More close it with 1008.
        update_rate: Changes of properties, such as typed text, of one connection in a second, on
            average. More close it with 1008.
        rate_burst: How many seconds' worth of these two may come at once. A client that was held
            up by its network sends then what its user did meanwhile.
        events_queued: Events of one session that wait for their handler. When they are this
            many, the server stops reading from that client until one is taken.
        event_bytes: What such events may hold in all, with the same consequence.
        events_in_flight: Async handlers of one session that run at the same time; the next
            event waits for one of them to end or to wait for the client.
        calls_in_flight: Calls of one session that wait for its client to answer. One more fails
            with `TooManyCalls`, and the client is closed with 1008, which ends the others.
        data_channels: Data channels of one connection. A client that opens one more is closed
            with 1008.
        handler_threads: Sync handlers of all sessions that run in threads at the same time,
            where apps ask for that. The next one waits for one of them to end. Abandoned ones,
            whose session is over, do not count; those that run because a session ends count
            on their own, up to the same number.
        deliveries_queued: Pub/sub messages of one session that wait for its subscribers. One
            more is dropped, with a warning.
        journal_bytes: Updates of one session that its client has not confirmed, as it is slow
            or away. Later ones are then kept back, and become one when the client has taken
            these.
        outbox_bytes: What may wait to be sent to one client. A call or a data frame beyond it
            fails with `OutboxFull`; an update beyond it drops the connection, and the client
            gets what it missed when it is back.
        write_timeout: How long a client may take nothing of what is sent to it; then the
            connection is dropped and the session waits for its client to come back. Where the
            system cannot tell (all but TCP on Linux), how long one frame may take.
        silence_timeout: How long a client may say nothing. After half of it the client is asked
            whether it is there; when it still says nothing, the connection is dropped. So is one
            whose message waits so long for room in its session.
        ping_timeout: How long an old connection may take to prove that it is alive when
            another one asks for its session.
        close_timeout: How long `on_disconnect`, and then `on_close`, may run when a session ends.
        sign_ins_waiting: Sign-ins of one session that wait for the provider to send the user
            back. One more ends the oldest.
        token_timeout: How long a provider may take to hand out a token when the user is back;
            then `on_login` gets the error "timeout".
        stall_warning: How long an app's code may hold the event loop, between one await and
            the next, before it is named in the log.
        upload_timeout: How long an upload may bring no byte; then it is refused with 408.
        session_uploads: Uploads of one session at the same time. One more is refused with 429.
        session_upload_bytes: What one session may upload in all. A file beyond it is refused
            with 413.
        uploads: Uploads to one server at the same time. One more is refused with 503.
        upload_bytes: What one server takes of uploads in all. A file beyond it is refused with
            507.
        shutdown_grace: How long a server that shuts down waits for `on_disconnect` and
            `on_close` handlers before it cancels them.
    """

    connections: int | None = 20_000
    address_connections: int | None = 500
    sessions: int | None = 20_000
    address_sessions: int | None = 500
    handshakes: int | None = 2_000
    message_bytes: int | None = 16 * 1024 * 1024
    message_items: int | None = 16_384
    message_depth: int | None = 32
    register_timeout: float | None = 10
    session_idle: float | None = None
    session_age: float | None = None
    event_rate: float | None = 500
    update_rate: float | None = 500
    rate_burst: float = 10
    events_queued: int = 1024
    event_bytes: int | None = 32 * 1024 * 1024
    events_in_flight: int | None = 64
    calls_in_flight: int | None = 1024
    data_channels: int | None = 256
    handler_threads: int | None = 256
    deliveries_queued: int | None = 10_000
    journal_bytes: int | None = 1024 * 1024
    outbox_bytes: int | None = 64 * 1024 * 1024
    write_timeout: float | None = 30
    silence_timeout: float | None = 60
    ping_timeout: float = 5
    close_timeout: float = 5
    sign_ins_waiting: int | None = 16
    token_timeout: float | None = 30
    stall_warning: float | None = 0.5
    upload_timeout: float | None = 30
    session_uploads: int | None = 16
    session_upload_bytes: int | None = 64 * 1024 * 1024 * 1024
    uploads: int | None = 256
    upload_bytes: int | None = None
    shutdown_grace: float = 10

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and "None" not in str(field.type):
                raise ValueError(f"Limits.{field.name} cannot be switched off")
            if value is not None and (isinstance(value, bool) or not value > 0):
                raise ValueError(f"Limits.{field.name} must be greater than 0, not {value!r}")
