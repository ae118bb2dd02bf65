"""Ended before or after any call: no event is lost, none but the head is taken out, and the same call does the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from backstop.parking import State
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command
from tests.ops.keys.ground import Ground
from tests.ops.replay.interruptions import Interrupted, Killed, Killer

CALLS = ("get_item", "query", "put_item", "update_item", "transact_write_items")
STATES = [State.WAITING, State.HELD]
LAST = {"retry": 14, "skip": 18, "discard": 16}
"""How many points a command passes: before and after each of its calls."""

End = Callable[..., bool]


@pytest.fixture
def end(keys: Command, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> End:
    """Run a command that ends at a point; returns whether that was reached."""

    def run(last: int, *words: str) -> bool:
        killer = Killer(last)
        with monkeypatch.context() as patch:
            patch.setitem(vars(stack), "dynamodb", Interrupted(stack.dynamodb, killer, *CALLS))
            patch.setitem(vars(stack), "sqs", Interrupted(stack.sqs, killer, "send_message_batch"))
            try:
                keys(*words)
            except Killed:
                return True
        return False

    return run


def drained(ground: Ground, key: str) -> list[str]:
    """Run a key's events as a drain does, once nobody has it any more; returns them in the order in which they ran."""
    ground.clock.advance(timedelta(minutes=2))
    assert ground.table.due(ground.clock.now(), 10) == [key], "no sweep would find it"
    lock, ran = ground.lease(key), list[str]()
    while True:
        lock, events = ground.table.first(lock)
        if not events and ground.table.unlock(lock):
            return ran
        for event in events:
            ran.append(event.event_id)
            ground.table.remove(lock, event)


def require_nothing_lost(ground: Ground, decision: str) -> None:
    """Require the head to be parked, or where it was to go, and those behind it to wait in their order."""
    parked, dead = ground.parked("k"), [event for event in ground.left("k").dead if event != "a"]
    assert dead == []
    assert parked[-2:] == ["b", "c"]
    assert parked[:-2] in ([["a"]] if decision == "retry" else [["a"], []])
    if decision == "skip":
        assert parked[:-2] == ["a"] or ground.letters()


@pytest.mark.parametrize("guard", [(), ("--event", "a")], ids=["", "guarded"])
@pytest.mark.parametrize("state", STATES, ids=str)
@pytest.mark.parametrize(("decision", "last"), LAST.items(), ids=LAST)
def test_ended_at_any_point_and_called_again(
    decision: str, last: int, state: State, guard: tuple[str, ...], end: End, ground: Ground, keys: Command
) -> None:
    """A key that was not held may be drained in between: then what is called again finds nothing to do to the head."""
    for point in range(1, last + 1):
        ground.park("k", "a", "b", "c", state=state, due=42)
        assert end(point, decision, "k", *guard, "--yes"), f"it passes fewer points than {point}"
        require_nothing_lost(ground, decision)
        ground.clock.advance(timedelta(minutes=2))
        keys(decision, "k", *guard, "--yes")
        require_nothing_lost(ground, decision)
        assert drained(ground, "k") == (["a", "b", "c"] if decision == "retry" else ["b", "c"])
        assert 0 < len(ground.letters()) < 3 if decision == "skip" else not ground.letters()
        ground.letters().clear()
    ground.park("k", "a", "b", "c", state=state)
    assert not end(last + 1, decision, "k", *guard, "--yes"), "it passes more points"


@pytest.mark.parametrize("state", STATES, ids=str)
@pytest.mark.parametrize(("decision", "last"), LAST.items(), ids=LAST)
def test_ended_at_any_point_and_never_called_again(
    decision: str, last: int, state: State, end: End, ground: Ground
) -> None:
    """A key that was held still is, unless it was given back; any other is found by the sweep."""
    for point in range(1, last + 1):
        ground.park("k", "a", "b", "c", state=state, due=42)
        assert end(point, decision, "k", "--yes")
        require_nothing_lost(ground, decision)
        if ground.left("k").state is State.HELD:
            assert state is State.HELD
            held = ground.table.lock("k")
            assert held is not None
            ground.table.give_back(held, State.WAITING, ground.clock.now())
        assert drained(ground, "k")[-2:] == ["b", "c"]
        ground.letters().clear()


@pytest.mark.parametrize("decision", ["skip", "discard"])
@pytest.mark.parametrize("second", ["retry", "skip", "discard"])
def test_what_was_ended_is_brought_to_its_end_by_any_command(
    decision: str, second: str, end: End, ground: Ground, keys: Command
) -> None:
    """The head is gone and the key still held: that is seen, told, and no second event is taken out."""
    ground.park("k", "a", "b", "c", state=State.HELD)
    removed = LAST[decision] - 6  # before the key is given back, woken, and the result written
    assert end(removed, decision, "k", "--yes")
    assert ground.left("k").state is State.HELD
    assert ground.parked("k") == ["b", "c"]
    assert "its head is gone" in keys("show", "k").out
    assert "its head is gone already: the others go on\n" in keys(second, "k").out
    assert keys(second, "k", "--yes").exit_code == 0
    assert (ground.left("k").state, ground.parked("k"), ground.woken()) == (State.WAITING, ["b", "c"], ["k"])


def test_the_last_event_of_a_held_key_gone_the_key_is_let_go(end: End, ground: Ground, keys: Command) -> None:
    ground.park("k", "a", state=State.HELD)
    assert end(LAST["discard"] - 6, "discard", "k", "--yes")
    assert keys("discard", "k", "--yes").exit_code == 0
    assert drained(ground, "k") == []


def test_an_entry_tells_of_what_did_not_come_to_its_end(end: End, ground: Ground, keys: Command) -> None:
    ground.park("k", "a", "b", state=State.HELD)
    end(LAST["discard"] - 6, "discard", "k", "--yes")
    ground.clock.advance(timedelta(seconds=1))
    keys("discard", "k", "--yes")
    assert [result for _, result in ground.audit()] == ["begun", "done"]


OPERATIONS = {
    "the lease": ("UpdateItem", 0),
    "the head": ("TransactWriteItems", 0),
    "the key given back": ("UpdateItem", 1),
}


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.ANSWER_LOST], ids=str)
@pytest.mark.parametrize(("operation", "before"), OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("state", STATES, ids=str)
@pytest.mark.parametrize("decision", ["skip", "discard"])
def test_a_call_that_fails_stops_it_and_the_same_call_goes_on(
    decision: str, state: State, operation: str, before: int, fault: Fault, ground: Ground, faults: Faults,
    keys: Command, clock: VirtualClock,
) -> None:  # fmt: skip
    ground.park("k", "a", "b", "c", state=state)
    faults.fail(operation, *[None] * before, fault)
    ran = keys(decision, "k", "--yes")
    assert (ran.exit_code, "Done" in ran.out) == (1, False)
    assert "backstop: stopped: the table of parked events did not answer" in ran.err
    assert "The same call goes on from there" in ran.err
    [(_, result)] = ground.audit()
    assert result.startswith("failed: the table of parked events")
    require_nothing_lost(ground, decision)
    clock.advance(timedelta(minutes=1))
    keys(decision, "k", "--yes")
    assert drained(ground, "k") == ["b", "c"]
    assert bool(ground.letters()) == (decision == "skip")


@pytest.mark.parametrize("decision", ["skip", "discard"])
def test_a_lease_that_ran_out_in_between_takes_out_nothing(
    decision: str, ground: Ground, keys: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that hangs for longer than its lease finds that a worker has the key."""
    from backstop.aws.parked import ParkedTable

    put_aside = ParkedTable.put_aside

    def late(table: ParkedTable, *arguments: Any) -> None:
        if table is not ground.table:
            ground.clock.advance(timedelta(minutes=2))
            ground.lease("k")
        put_aside(table, *arguments)

    ground.park("k", "a", "b", due=42)
    monkeypatch.setattr(ParkedTable, "put_aside", late)
    ran = keys(decision, "k", "--yes")
    assert (ran.exit_code, "was taken over by another worker or operator" in ran.err) == (1, True)
    assert ground.parked("k") == ["a", "b"]
