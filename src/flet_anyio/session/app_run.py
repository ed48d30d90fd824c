"""The run of an app for one user: `before_main`, the first page, `main`; and what became of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flet.controls.context import context
from flet.controls.exceptions import FletPageDisconnectedException

from .failures import describe, log_failure
from .turns import run_main

if TYPE_CHECKING:
    from collections.abc import Callable

    from flet.app import AppCallable

    from .contact import Contact
    from .page import Page
    from .tasks import Tasks

__all__ = ["AppRun"]

logger = logging.getLogger(__name__)


class AppRun:
    """Runs once. `begun` says whether the client may have the page, `failure` what went wrong.

    A failure ends neither the session nor its page: a developer can look at what there is. It
    covers the page, for whoever comes later too.
    """

    __slots__ = ("_contact", "_debug", "_label", "_page", "_tasks", "begun", "failure")

    def __init__(
        self, page: Page, contact: Contact, tasks: Tasks, *, label: str, debug: bool
    ) -> None:
        self._page = page
        self._contact = contact
        self._tasks = tasks
        self._label = label
        self._debug = debug
        self.begun = False
        self.failure = ""

    async def run(
        self, main: AppCallable, before_main: AppCallable | None, update: Callable[[], None]
    ) -> None:
        """Run the app; `update` is called where Flet updates by itself."""
        if before_main is not None:
            await self._step("before_main", before_main, lambda: None)
        self.begun = True
        if self._contact.attached:
            self._contact.greet(self.failure)
        if not self.failure:
            context.reset_auto_update()
            await self._step("main", main, update)
        self.show_failure()

    def show_failure(self) -> None:
        """Cover the page, if there was a failure."""
        if self.failure:
            self._contact.screen.cover(self.failure)

    async def _step(self, name: str, func: AppCallable, update: Callable[[], None]) -> None:
        try:
            await run_main(self._tasks, func, (self._page,), update, name=name)
        except FletPageDisconnectedException:
            logger.debug("session %s: %s reached for a client that is away", self._label, name)
        except SystemExit:
            raise
        except BaseException as error:
            failure = self._tasks.failure_in(name, error)
            if failure is None:
                raise
            # Supervised: it is the app's, is told, and ends nothing else.
            log_failure(self._label, name, failure)
            self.failure = describe(failure, debug=self._debug)
