"""One user's state: a page, its work and its connection, if there is one.

A session outlives its connections. While it has none its cancel scope has a deadline; when that
fires, or the app or the server closes the session, everything it began ends with it.
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from flet.controls.context import context
from flet.messaging.session_store import SessionStore
from flet.pubsub.pubsub_client import PubSubClient

from ..compat.loops import session_loop
from ..errors import SessionClosed
from ..limits.overruns import overrun
from ..wire.codes import CloseCode
from ..wire.messages import CallReply
from ..wire.tokens import ResumeToken
from .age import Age
from .app_run import AppRun
from .contact import Contact
from .dispatch import Dispatcher, give_up_slot
from .effects import Scheduler
from .failures import describe, log_failure, text_of
from .handlers import HandlerName
from .lifecycle import Lifecycle, Reason, Signal, State
from .page import Page
from .tasks import Tasks
from .turns import delivery_turn, event_turn

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future, ThreadPoolExecutor

    from anyio.abc import TaskStatus
    from flet.app import AppCallable
    from flet.auth.authorization import Authorization
    from flet.components.hooks.use_effect import EffectHook
    from flet.controls.base_control import BaseControl

    from ..wire.messages import ControlEvent as ControlEventMessage
    from ..wire.messages import PropertyUpdate, Register
    from .dispatch import Turn
    from .interfaces import Client, SessionOwner

__all__ = ["Session"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Session:
    """One user's page and everything that runs for it.

    The public names are those of `flet.messaging.session.Session`. Methods are for the event
    loop's thread, but for `patch_control`, `schedule_update`, `schedule_effect`, `error`,
    `run_task`, `run_thread`, `post_event` and `close`, which may be called from any.
    """

    components_mode: bool = False
    """Whether the app is declarative: then Flet does not update after handlers."""

    def __init__(self, owner: SessionOwner, client: Client) -> None:
        self._owner = owner
        self._limits = owner.limits
        self._door = owner.door
        self._id = secrets.token_urlsafe(24)
        # The id is secret, as apps may use it so; logs show another name.
        self.label = secrets.token_hex(4)
        self.token = ResumeToken(owner.signer)
        self._lifecycle = Lifecycle()
        self._expires_at: datetime | None = None
        self._scope: anyio.CancelScope | None = None
        self._last_words: anyio.CancelScope | None = None
        self._hurried = False
        self._page = Page(self)  # type: ignore[arg-type]
        threads = owner.threads if client.sync_handlers == "thread" else None
        self._tasks = Tasks(
            self.label,
            self._page,
            self._door,
            self._report,
            self._quit,
            threads=threads,
            stall_warning=self._limits.stall_warning,
        )
        self._dispatcher = Dispatcher(
            self._limits,
            self._door,
            self._take_turn,
            self._tasks.until_idle,
            at_once=self._tasks.inline,
        )
        self._scheduler = Scheduler(self._tasks, self._door)
        self._age = Age(self._limits, self.label)
        self._contact = Contact(
            client,
            self._page,
            self._lifecycle,
            token=self.token,
            tasks=self._tasks,
            limits=self._limits,
            label=self.label,
            in_turn=self._dispatcher.put,
        )
        self._store = SessionStore()
        self._pubsub_client = PubSubClient(owner.hub, self._id)
        self._loop: AbstractEventLoop | None = None
        self._hidden: anyio.Event | None = None
        self.authorization: Authorization | None = None
        self._closing: threading.Event | None = None
        self._closing_lock = owner.lock
        self._disconnect_due = False
        self._close_client = False
        self._app = AppRun(
            self._page, self._contact, self._tasks, label=self.label, debug=owner.debug
        )
        self._over = ""

    def __repr__(self) -> str:
        return f"<Session {self.label} {self._lifecycle.state.value}>"

    # --- what it is ---------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The session's name, for the app: unique, unguessable, the same for all its life.

        The client is never told. What lets it back in is another secret, `token`.
        """
        return self._id

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._lifecycle.state

    @property
    def attached(self) -> bool:
        """Whether it has a connection."""
        return self.state is State.ATTACHED

    @property
    def open(self) -> bool:
        """Whether it takes a connection."""
        expired = self._scope is not None and self._scope.cancel_called
        return self._lifecycle.open and not expired

    @property
    def crashed(self) -> bool:
        """Whether `main` or `before_main` failed. The session lives on, to be looked at."""
        return bool(self._app.failure)

    @property
    def closing(self) -> threading.Event:
        """Set when the session ends; for threads. Made when it is first asked for."""
        with self._closing_lock:
            if self._closing is None:
                self._closing = threading.Event()
                if not self._lifecycle.open:
                    self._closing.set()
            return self._closing

    @property
    def reason(self) -> Reason | None:
        """Why the session ended, once it does."""
        return self._lifecycle.reason

    @property
    def connection(self) -> Any:
        """The connection to the client, or None while it is away."""
        return self._contact.client if self.attached else None

    @property
    def expires_at(self) -> datetime | None:
        """When a session whose client is away will end (UTC), else None.

        For people to read. What ends the session is the deadline of its cancel scope, which
        no change of the wall clock moves.
        """
        return self._expires_at

    @property
    def index(self) -> Any:
        """Mounted controls by id; holds them weakly."""
        return self._contact.screen.index

    @property
    def page(self) -> Page:
        """The root control."""
        return self._page

    @property
    def pubsub_client(self) -> PubSubClient:
        """Publishes and subscribes in this session's name."""
        return self._pubsub_client

    @property
    def store(self) -> SessionStore:
        """The app's own values for this user."""
        return self._store

    @property
    def loop(self) -> AbstractEventLoop:
        """See `Page.loop`."""
        given = self._contact.client.given_loop
        if given is not None:
            return given
        if self._loop is None:
            self._loop = session_loop(self._door, self.run_coroutine)
        return self._loop

    @property
    def executor(self) -> ThreadPoolExecutor:
        """Where `run_thread` runs."""
        return self._contact.client.executor

    @property
    def page_url(self) -> str | None:
        """The address the client last connected to."""
        return self._contact.client.page_url

    @property
    def page_name(self) -> str:
        """Where the app is mounted."""
        return self._contact.client.page_name

    @property
    def page_path(self) -> str:
        """The page's path as browsers see it, without a slash at the end."""
        return self._contact.client.page_path

    def get_upload_url(self, file_name: str, expires: int, *, max_size: int | None = None) -> str:
        """See `Page.get_upload_url`."""
        # Of the connection there is, or that there was last: where it led to is the same.
        return self._contact.client.get_upload_url(file_name, expires, max_size=max_size)

    # --- its life -----------------------------------------------------------------------------

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Live until closed or expired. Cancelling it closes the session."""
        self._tasks.enter_context()
        try:
            async with anyio.create_task_group() as group:
                self._scope = group.cancel_scope
                if not self._lifecycle.open:
                    group.cancel_scope.cancel()  # closed before it began
                self._tasks.open(group)
                if self._age.limited:
                    group.start_soon(self._age.run, self._close, name=f"{self.label}: its age")
                task_status.started()
                try:
                    await self._tasks.supervise(self._dispatcher.run, name="the dispatcher")
                finally:
                    # Before the children end, which may take a while: nothing is to find the
                    # session half closed.
                    self._close(self._why_over(group.cancel_scope))
        finally:
            await self._finish()

    @staticmethod
    def _why_over(scope: anyio.CancelScope) -> Reason:
        if scope.deadline <= anyio.current_time():
            return Reason.EXPIRED
        return Reason.CRASHED if scope.cancel_called else Reason.SERVER_SHUTDOWN

    def close(self, reason: Reason = Reason.CLOSED_BY_APP, detail: str = "") -> None:
        """End the session and all it runs. May be called from any thread; the first call counts.

        Returns at once; `on_close` runs when everything else was cancelled. `detail` is for the
        log, and is told to the client with the close code.
        """
        if self._door.here():
            self._close(reason, detail)
        else:
            self._door.post(self._close, reason, detail)

    def hurry(self) -> None:
        """Cut `on_close` short: nobody waits for this session any more."""
        self._hurried = True
        if self._last_words is not None:
            self._last_words.cancel()

    def receive_page(self, request: Register) -> None:
        """Note what a client that registers says of its page, before it is attached.

        Raises:
            PeerError: A value does not fit; nothing was noted.
        """
        self._contact.note(request)

    def attach(self, client: Client, *, announce: bool = True) -> None:
        """Serve this client from now on. An earlier connection is closed.

        Fires `on_connect` when it is not the first one, unless `announce` is false.

        Raises:
            SessionClosed: The session ends or has ended.
        """
        before = self.state
        if not self.open or not self._lifecycle.fire(Signal.ATTACH):
            raise SessionClosed("attach a connection")
        self._contact.take(client, instead=before is State.ATTACHED)
        self._expires_at = None
        if self._scope is not None:
            self._scope.deadline = math.inf
        self._page.client_ip = client.client_ip
        self._page.client_user_agent = client.user_agent
        if not self._app.begun:
            return  # before_main() comes first
        self._contact.greet()
        self._app.show_failure()
        if announce:
            if before is State.ATTACHED:
                # One client went as the other came: what counts them must see both.
                self._dispatcher.offer(self._disconnect_turn, must=True)
            connect = partial(event_turn, self, self._page, "connect", None)
            self._dispatcher.offer(connect, must=True)
        if self._contact.route_changed:
            self.post_event(self._page, "route_change", {"route": self._page.route})

    def start(self, main: AppCallable, before_main: AppCallable | None) -> None:
        """Run the app for a session that is new and has its first client."""
        name = HandlerName("main", main)
        update = partial(self.update_after_event, self._page)
        self._tasks.spawn(self._app.run, main, before_main, update, name=name)

    def detach(self, client: Client) -> None:
        """The client's connection is over. Says nothing when another took its place."""
        if self._contact.client is not client or not self._lifecycle.fire(Signal.DETACH):
            return
        self._contact.lose()
        self._disconnect_due = True
        if client.session_timeout > 0:  # else the session ends, and runs it
            self._dispatcher.offer(self._disconnect_turn, must=True)
        self._expire_in(client.session_timeout)

    def _expire_in(self, timeout: float) -> None:
        try:
            self._expires_at = datetime.now(UTC) + timedelta(seconds=timeout)
        except OverflowError:
            self._expires_at = datetime.max.replace(tzinfo=UTC)
        if self._scope is not None:
            self._scope.deadline = anyio.current_time() + timeout

    async def client_answers(self) -> bool:
        """Whether the client is still there: asks it, and waits `Limits.ping_timeout`."""
        return await self._contact.answers()

    def ask(self, client: Client) -> bool:
        """Have a client that is silent say something. Return False when it cannot be asked."""
        return self._contact.ask(client)

    def shown_in(self, request: Register) -> bool:
        """Whether the page that registers is the one that this session last drew."""
        return self._contact.shows(request)

    # --- what the client says -----------------------------------------------------------------

    async def receive_event(self, message: ControlEventMessage, size: int) -> None:
        """Queue an event of `size` bytes, waiting while the queue is full."""
        self._age.user_acts()
        if self._contact.foreign:
            return
        await self._dispatcher.put(partial(self._control_turn, message), size)

    async def receive_update(self, message: PropertyUpdate, size: int) -> None:
        """Queue a change the user made: it counts for the events after it, not before."""
        self._age.user_acts()
        if self._contact.foreign:
            return
        await self._dispatcher.put(partial(self._contact.receive_update, message), size)

    async def receive_in_turn(self, act: Callable[[], None], size: int) -> None:
        """Queue something the client said that is to be acted on after the events before it."""
        await self._dispatcher.put(act, size)

    def receive_reply(self, reply: CallReply) -> None:
        """Hand a call's outcome to its caller."""
        self._contact.receive_reply(reply)

    def apply_patch(self, control_id: int, patch: dict[str, Any]) -> None:
        """Set properties of a control to what the client says they are."""
        self._contact.apply(control_id, patch)

    def apply_page_patch(self, patch: dict[str, Any]) -> None:
        """Set properties of the page to what the client says they are."""
        self.apply_patch(self._page._i, patch)

    # --- what the client is told --------------------------------------------------------------

    def patch_control(
        self,
        control: Any,
        prev_control: Any = None,
        parent: Any = None,
        path: list[Any] | None = None,
        frozen: bool = False,
    ) -> None:
        """Send what changed in a control's subtree; while the client is away, only note it."""
        previous = control if prev_control is None else prev_control
        self._contact.screen.patch(control, previous, parent=parent, path=path, frozen=frozen)

    def error(self, message: str) -> None:
        """Cover the page with an error message."""
        self._contact.screen.cover(message)

    async def invoke_method(
        self, control_id: int, method_name: str, args: Any, timeout: float | None = None
    ) -> Any:
        """Call a method of a control in the client, and return its result.

        Raises:
            TimeoutError: No reply within `timeout` seconds.
            RuntimeError: The client reported an error.
            FletPageDisconnectedException: The client is away, or went away meanwhile, and this
                is not inside `Page.waiting_for_client`; or the session ends.
            OutboxFull: Too much waits to be sent to it.
            TooManyCalls: So many calls wait for an answer that the client is let go.
        """
        give_up_slot()
        return await self._contact.call(control_id, method_name, args, timeout)

    def oauth_authorize(self, attrs: dict[str, Any]) -> None:
        """Remember the state of an OAuth flow until the provider sends the user back."""
        self._contact.client.oauth_authorize(attrs)

    # --- work ---------------------------------------------------------------------------------

    def run_task(self, func: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> Future[T]:
        """See `Page.run_task`."""
        return self._tasks.submit(func, *args, **kwargs)

    def run_coroutine(self, coroutine: Awaitable[T]) -> Future[T]:
        """Run a coroutine that was made already, as `run_task` does."""

        async def run() -> T:
            return await coroutine

        run.__qualname__ = getattr(coroutine, "__qualname__", "coroutine")
        return self._tasks.submit(run)

    def run_thread(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """See `Page.run_thread`."""
        self._tasks.run_thread(self.executor, func, *args, **kwargs)

    def deliver(self, handler: Callable[..., Any], *args: Any) -> None:
        """Run a subscriber as an event of this session. May be called from any thread."""
        if not self._door.here():
            self._door.post(self.deliver, handler, *args)
        elif not self._dispatcher.offer(partial(delivery_turn, self, handler, args)):
            overrun(
                logger,
                "deliveries_queued",
                "session %s: a pub/sub message was dropped, %d wait already",
                *(self.label, self._limits.deliveries_queued),
            )

    def post_event(
        self, control: BaseControl, name: str, data: Any = None, *, event: Any = None
    ) -> None:
        """Queue an event that the server itself has for a control. From any thread."""
        turn = partial(event_turn, self, control, name, data, event)
        if not self._door.here():
            self._door.post(partial(self.post_event, control, name, data, event=event))
        elif not self._dispatcher.offer(turn):
            text = "session %s: event %s was dropped, too many wait"
            overrun(logger, "deliveries_queued", text, self.label, name)

    def schedule_update(self, control: BaseControl) -> None:
        """Draw a component in the next batch."""
        self._home_of(control)._scheduler.add_update(control)

    def schedule_effect(self, hook: EffectHook, is_cleanup: bool) -> None:
        """Run an effect, or its cleanup, after the next batch."""
        home = self._home_of(hook.component)
        home._scheduler.add_effect(hook, is_cleanup=is_cleanup)

    def start_updates_scheduler(self) -> None:
        """Begin to draw components in batches."""
        self._scheduler.start()

    async def wait_until_visible(self) -> None:
        """See `Page.wait_until_visible`."""
        while self._hidden is not None:
            await self._hidden.wait()

    def set_visible(self, visible: bool) -> None:
        """Note whether the user can see the page."""
        if visible:
            if self._hidden is not None:
                self._hidden.set()
                self._hidden = None
        elif self._hidden is None:
            self._hidden = anyio.Event()

    # --- the rest of upstream's names ---------------------------------------------------------

    async def dispatch_event(self, control_id: int, event_name: str, event_data: Any) -> None:
        """Run an event now, in the calling task, and return when its handler has ended."""
        control = self._contact.screen.index.find(control_id, self._page)
        if control is not None:
            turn = event_turn(self, control, event_name, event_data)
            if turn is not None:
                await turn.run()

    def attach_connection(self, conn: Any) -> None:
        """Serve the client of another connection, without firing `on_connect`."""
        self.attach(conn, announce=False)

    async def connect(self, conn: Any) -> None:
        """Serve the client of another connection, and run `on_connect` to its end."""
        self.attach_connection(conn)
        await self.dispatch_connect_event()

    async def disconnect(self, session_timeout_seconds: float) -> None:
        """Let go of the connection; end the session unless one comes within the time given."""
        client = self._contact.client
        self.detach(client)
        self._expire_in(session_timeout_seconds)
        client.close(CloseCode.NORMAL, "disconnected by the app")

    def get_page_patch(self) -> dict[str, Any]:
        """The whole page as a client that registers is sent it."""
        return self._contact.screen.fields()

    def handle_invoke_method_results(
        self, control_id: int, call_id: str, result: Any, error: str | None
    ) -> None:
        """Hand a call's outcome to its caller."""
        self.receive_reply(CallReply(control_id, call_id, result, error))

    async def dispatch_connect_event(self) -> None:
        """Fire `on_connect`."""
        await self.dispatch_event(self._page._i, "connect", None)

    async def after_event(self, control: BaseControl | None) -> None:
        """Update what a handler changed, if the app leaves that to Flet."""
        self.update_after_event(control)

    def update_after_event(self, control: BaseControl | None) -> None:
        """Update the nearest part of the page that updates on its own; drop unused services."""
        if context.auto_update_enabled() and not context.was_update_called():
            _auto_update(control)
        context.reset_update_called()
        self._page._services.unregister_services()

    # --- inside -------------------------------------------------------------------------------

    @property
    def pending_calls(self) -> int:
        """How many calls wait for the client."""
        return len(self._contact.calls)

    @property
    def tasks(self) -> Tasks:
        """The session's children."""
        return self._tasks

    def _take_turn(self, event: Callable[[], Turn | None]) -> Turn | None:
        # What the last handler changed is drawn first. A field that shows a component's state
        # would else be drawn with the state before the key that has just been typed.
        self._scheduler.run_batch()
        turn: Turn | None = self._tasks.guard("an event", event)
        return turn

    def _home_of(self, control: BaseControl | None) -> Session:
        # Flet asks the page of whoever changed the state. What is observed by components of
        # several sessions may be changed in one, and is to be drawn in each.
        try:
            return self if control is None else control.page.session  # type: ignore[return-value]
        except RuntimeError:
            return self  # it has left its page

    def _control_turn(self, message: ControlEventMessage) -> Turn | None:
        control = self._contact.screen.index.find(message.target, self._page)
        if control is None:
            # It may just have been removed.
            logger.debug("session %s: no control %d", self.label, message.target)
            return None
        if not self._contact.may_come(control, message.name):
            logger.debug("session %s: %s of what is out of use", self.label, message.name)
            return None
        return event_turn(self, control, message.name, message.data)

    def _disconnect_turn(self) -> Turn | None:
        self._disconnect_due = False
        return event_turn(self, self._page, "disconnect", None)

    def refuse(self, what: str, error: Exception) -> None:
        """The client sent values that fit no type: log it and close its connection."""
        self._contact.refuse(what, error)

    def _report(self, name: str, error: BaseException) -> None:
        log_failure(self.label, name, error)
        if self._page.on_error is not None and name != "on_error":
            self.post_event(self._page, "error", text_of(error))
        else:
            self.error(describe(error, debug=self._owner.debug))

    def _quit(self) -> None:
        logger.info("session %s: SystemExit in the app ends the session", self.label)
        self._close(Reason.CLOSED_BY_APP)

    def _close(self, reason: Reason, detail: str = "") -> None:
        attached = self.attached
        if not self._lifecycle.fire(Signal.CLOSE, reason):
            return
        self._over = f"{reason.value}: {detail}" if detail else reason.value
        self._disconnect_due |= attached
        self._close_client = attached
        self._tasks.close()
        with self._closing_lock:
            if self._closing is not None:
                self._closing.set()
        if self._scope is not None:
            self._scope.cancel()

    async def _finish(self) -> None:
        """Run `on_disconnect`, if it is due, and `on_close`; then free everything.

        Shielded, and each bounded in time.
        """
        self._close(Reason.CRASHED)  # if it is open still: it could not begin
        self._contact.calls.end_all()
        try:
            with anyio.CancelScope(shield=True) as self._last_words:
                if self._hurried:
                    self._last_words.cancel()
                if self._disconnect_due:
                    await self._last_word("disconnect")
                await self._last_word("close")
        finally:
            self._free()

    async def _last_word(self, event: str) -> None:
        allowed, handler = self._limits.close_timeout, f"on_{event}"
        with anyio.move_on_after(allowed) as scope:
            run = self.dispatch_event
            await self._tasks.supervise(run, self._page._i, event, None, name=handler)
        if scope.cancelled_caught:
            text = "session %s: %s took longer than %s s"
            overrun(logger, "close_timeout", text, self.label, handler, allowed)

    def _free(self) -> None:
        # First, so that nothing can subscribe again.
        self._owner.forget(self)
        self._pubsub_client.unsubscribe_all()
        if self._close_client:
            restart = self.reason is Reason.SERVER_SHUTDOWN
            code = CloseCode.SERVICE_RESTART if restart else CloseCode.NORMAL
            self._contact.client.close(code, f"session over: {self._over}")
        self._lifecycle.fire(Signal.FINISH)
        logger.info("session %s: %s", self.label, self._over)


def _auto_update(control: BaseControl | None) -> None:
    while control is not None:
        if control.is_isolated() and not hasattr(control, "_frozen"):
            control.update()
            return
        control = control.parent
