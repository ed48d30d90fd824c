"""The page as a client holds it: nested maps and lists, changed by patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..render import controls_in

__all__ = ["Node", "PageModel"]

_REPLACE, _ADD, _REMOVE, _MOVE = range(4)
_TEXT_PROPERTIES = ("value", "content", "text", "label", "title", "tooltip")


class Node(Mapping[str, Any]):
    """One control in the client: its properties as they were sent."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields

    @property
    def id(self) -> int:
        """The control's id."""
        control_id: int = self.fields["_i"]
        return control_id

    @property
    def type(self) -> str:
        """The control's type in the client, such as `Text`."""
        name: str = self.fields.get("_c", "")
        return name

    @property
    def texts(self) -> list[str]:
        """The texts that it shows itself; of a field, not what was typed into it."""
        if self.type == "Page":
            return []
        names = _TEXT_PROPERTIES[1:] if self.type.endswith("TextField") else _TEXT_PROPERTIES
        shown = (self.fields.get(name) for name in names)
        return [text for text in shown if isinstance(text, str)]

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __repr__(self) -> str:
        return f"<{self.type} {self.id} {' '.join(self.texts)!r}>"


class PageModel:
    """A client's page. Applies what the server sends by the rules of the compiled client."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {"_i": 1, "_c": "Page"}

    @property
    def window(self) -> dict[str, Any]:
        """What the client reports of its window when it registers."""
        window = self.root.get("window") or {}
        return {name: value for name, value in window.items() if not name.startswith("_")}

    def merge(self, patch: dict[str, Any]) -> None:
        """Apply what the server answered a registration with."""
        _merge(self.root, patch)

    def apply(self, control_id: int, patch: list[Any]) -> bool:
        """Apply a patch. Return False when there is no such control: it is dropped then.

        Raises:
            LookupError, TypeError: The patch does not fit the page; a client would fail too.
        """
        target = self._by_id(control_id)
        if target is None:
            return False
        places = _Places(target, patch[0])
        for operation in patch[1:]:
            _OPERATIONS[operation[0]](places, *operation[1:])
        return True

    def nodes(self) -> Iterator[Node]:
        """All controls, parents before children."""
        yield from (Node(fields) for fields in controls_in(self.root))

    def by_id(self, control_id: int) -> Node | None:
        """The control with this id, or None."""
        fields = self._by_id(control_id)
        return None if fields is None else Node(fields)

    def _by_id(self, control_id: int) -> dict[str, Any] | None:
        return next((f for f in controls_in(self.root) if f.get("_i") == control_id), None)


def _merge(into: dict[str, Any], patch: dict[str, Any]) -> None:
    for name, value in patch.items():
        held = into.get(name)
        both_maps = isinstance(held, dict) and isinstance(value, dict)
        if both_maps and held.get("_i") == value.get("_i"):  # type: ignore[union-attr]
            _merge(held, value)  # type: ignore[arg-type]
        else:
            into[name] = value


class _Places:
    """The places a patch names by number. Each is looked up when it is used, and not before:
    what the operations before it inserted or removed counts."""

    def __init__(self, target: Any, tree: list[Any]) -> None:
        self._target = target
        self._paths: dict[int, list[Any]] = {}
        self._note(tree, [])

    def _note(self, tree: list[Any], path: list[Any]) -> None:
        self._paths[tree[0]] = path
        for key, child in (tree[1] if len(tree) > 1 else {}).items():
            self._note(child, [*path, key])

    def __getitem__(self, number: int) -> Any:
        value = self._target
        for key in self._paths[number]:
            value = value[key]
        return value


def _replace(places: _Places, place: int, key: Any, value: Any) -> None:
    places[place][key] = value


def _add(places: _Places, place: int, key: Any, value: Any) -> None:
    target = places[place]
    if isinstance(target, list):
        target.insert(key, value)
    else:
        target[key] = value


def _remove(places: _Places, place: int, key: Any) -> None:
    del places[place][key]


def _move(places: _Places, place: int, key: Any, to_place: int, to_key: Any) -> None:
    value = places[place].pop(key)
    _add(places, to_place, to_key, value)


_OPERATIONS: dict[int, Callable[..., None]] = {
    _REPLACE: _replace,
    _ADD: _add,
    _REMOVE: _remove,
    _MOVE: _move,
}
