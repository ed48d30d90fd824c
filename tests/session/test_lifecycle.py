from __future__ import annotations

import itertools

import pytest

from flet_anyio.session.lifecycle import TRANSITIONS, Lifecycle, Reason, Signal, State

WAY_TO = {
    State.NEW: [],
    State.ATTACHED: [Signal.ATTACH],
    State.DETACHED: [Signal.ATTACH, Signal.DETACH],
    State.CLOSING: [Signal.CLOSE],
    State.CLOSED: [Signal.CLOSE, Signal.FINISH],
}


def at(state: State) -> Lifecycle:
    lifecycle = Lifecycle()
    for signal in WAY_TO[state]:
        assert lifecycle.fire(signal)
    assert lifecycle.state is state
    return lifecycle


@pytest.mark.parametrize(("state", "signal"), list(itertools.product(State, Signal)))
def test_it_moves_along_the_table_and_no_other_way(state: State, signal: Signal) -> None:
    lifecycle = at(state)
    moved = lifecycle.fire(signal)
    assert moved == ((state, signal) in TRANSITIONS)
    assert lifecycle.state is TRANSITIONS.get((state, signal), state)


def test_the_first_reason_counts() -> None:
    lifecycle = at(State.ATTACHED)
    assert lifecycle.reason is None
    assert lifecycle.fire(Signal.CLOSE, Reason.EXPIRED)
    assert not lifecycle.fire(Signal.CLOSE, Reason.CLOSED_BY_APP)
    assert lifecycle.reason is Reason.EXPIRED


@pytest.mark.parametrize("state", State)
def test_it_is_open_until_it_closes(state: State) -> None:
    assert at(state).open == (state not in (State.CLOSING, State.CLOSED))
