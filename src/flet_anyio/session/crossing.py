"""Changes by the user and by the app that were under way at the same time.

Where both changed the same property, each end is left with what the other one set. While a
connection holds nobody can tell; when a client comes back, what it has applied is known, and the
user's change is sent to it once more: it counts, as it was the later one to be seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Set

__all__ = ["Changes", "Crossing", "Replaced", "Said"]

Changes: TypeAlias = dict[int, dict[str, Any]]
"""Properties by the id of their control."""

Replaced: TypeAlias = dict[int | None, set[str]]
"""Names of properties by the id of their control; under None those of any control."""


class Said:
    """What the client changed since it last confirmed all updates. One value a property."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        self._said: dict[int, dict[str, tuple[int, Any]]] = {}

    def note(self, control_id: int, props: dict[str, Any], number: int) -> None:
        """The client changed this, and `number` was the last update that it may have had."""
        noted = {name: (number, value) for name, value in props.items()}
        self._said.setdefault(control_id, {}).update(noted)

    def without(self, applied: float) -> Changes:
        """What it changed when it had applied no later update than this one."""
        return {
            control_id: {name: value for name, (number, value) in noted.items() if number > applied}
            for control_id, noted in self._said.items()
        }

    def forget(self) -> None:
        """The client has all updates."""
        self._said.clear()


class Crossing:
    """The user's changes of what the app changed as well, for one return of the client.

    `replaced` has the properties that the app may have changed; None says all, of all controls.
    """

    def __init__(self, replaced: Replaced | None) -> None:
        self._replaced = replaced
        self.users: Changes = {}

    def note(self, control_id: int, props: dict[str, Any]) -> None:
        """The user changed this."""
        names = props.keys() & self._names(control_id, props)
        crossed = {name: props[name] for name in names}
        if crossed:
            self.users.setdefault(control_id, {}).update(crossed)

    def _names(self, control_id: int, props: dict[str, Any]) -> Set[str]:
        if self._replaced is None:
            return props.keys()
        return self._replaced.get(control_id, set()) | self._replaced.get(None, set())
