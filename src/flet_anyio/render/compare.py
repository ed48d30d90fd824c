"""The patch that leads from one encoded page to another, whatever happened in between.

Unlike flet's differ it needs nothing but the two pages, as the client holds them: maps, lists
and values. Controls are the same where their ids are. One that stays in its list is changed in
place, or moved, so that the client keeps what it has for it: text, focus, scroll position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from flet.controls.object_patch import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["compare", "controls_in"]

_REPLACE = Operation.Replace.value
_ADD = Operation.Add.value
_REMOVE = Operation.Remove.value
_MOVE = Operation.Move.value

Fields: TypeAlias = dict[str, Any]


def compare(before: Fields, after: Fields) -> list[Any]:
    """Return `[tree, op…]`, rooted at the page. Only the tree, when nothing differs.

    Operations are ordered from the innermost list outwards: a place that an operation names is
    where it was in `before`, as nothing around it has moved yet.
    """
    patch = _Patch()
    _compare_fields(patch, [], before, after)
    return patch.message()


def controls_in(value: Any) -> Iterator[Fields]:
    """The controls in an encoded value, parents before children."""
    if isinstance(value, dict):
        if "_i" in value:
            yield value
        for child in value.values():
            yield from controls_in(child)
    elif isinstance(value, list):
        for child in value:
            yield from controls_in(child)


class _Patch:
    """Operations, with the places they name."""

    def __init__(self) -> None:
        self._tree: list[Any] = [0]
        self._places = 1
        self._operations: list[list[Any]] = []

    def add(self, kind: int, path: list[Any], *what: Any) -> None:
        self._operations.append([kind, self._place(path), *what])

    def move(self, path: list[Any], at: int, to: int) -> None:
        place = self._place(path)
        self._operations.append([_MOVE, place, at, place, to])

    def message(self) -> list[Any]:
        return [self._tree, *self._operations]

    def _place(self, path: list[Any]) -> int:
        node = self._tree
        for key in path:
            if len(node) == 1:
                node.append({})
            if key not in node[1]:
                node[1][key] = [self._places]
                self._places += 1
            node = node[1][key]
        number: int = node[0]
        return number


def _compare_fields(patch: _Patch, path: list[Any], before: Fields, after: Fields) -> None:
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if _same_control(old, new):
            _compare_fields(patch, [*path, name], old, new)  # type: ignore[arg-type]
        elif old and _are_controls(old) and _are_controls(new):
            _compare_lists(patch, [*path, name], old, new)  # type: ignore[arg-type]
        elif old != new:
            # What a control does not say has its default value; None says the same.
            patch.add(_REPLACE, path, name, new)


def _compare_lists(
    patch: _Patch, path: list[Any], before: list[Fields], after: list[Fields]
) -> None:
    wanted = {control["_i"]: control for control in after}
    for place, control in enumerate(before):
        now = wanted.get(control["_i"])
        if now is not None:
            _compare_fields(patch, [*path, place], control, now)
    for place in range(len(before) - 1, -1, -1):
        if before[place]["_i"] not in wanted:
            patch.add(_REMOVE, path, place)
    shown = [control["_i"] for control in before if control["_i"] in wanted]
    held = set(shown)
    for place, control in enumerate(after):
        control_id = control["_i"]
        if place < len(shown) and shown[place] == control_id:
            continue
        if control_id in held:
            at = shown.index(control_id, place)
            shown.insert(place, shown.pop(at))
            patch.move(path, at, place)
        else:
            shown.insert(place, control_id)
            patch.add(_ADD, path, place, control)


def _same_control(old: Any, new: Any) -> bool:
    both = isinstance(old, dict) and isinstance(new, dict)
    return both and "_i" in old and old["_i"] == new.get("_i") and old.get("_c") == new.get("_c")


def _are_controls(value: Any) -> bool:
    """Whether it is a list of controls that can be told apart. An empty one may be.

    One that was empty is replaced all the same: the client may not have such a list at all, as
    flet sends nothing for a list that is set to what it is by default.
    """
    if not isinstance(value, list):
        return False
    ids = {item["_i"] for item in value if isinstance(item, dict) and "_i" in item}
    return len(ids) == len(value)
