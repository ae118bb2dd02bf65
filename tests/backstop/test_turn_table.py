"""What a redrive's next turn does, by how far it has come and what was heard of it: a row a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from backstop.circuits.state import UNPROBED, CircuitState, Standing
from backstop.circuits.waiting import open_circuit
from backstop.redrive import (
    DOUBT,
    POLL,
    REST,
    STEPS,
    Act,
    Batch,
    End,
    HoldUp,
    Job,
    Move,
    Proceed,
    Progress,
    Sending,
    Sent,
    State,
    Wait,
    Watch,
    job_id,
    next_act,
    watched,
)
from backstop.selection import Selection
from tests.backstop import NOW

WATCH: Final = timedelta(seconds=60)
A_SECOND: Final = timedelta(seconds=1)
FIRST: Final = (1,)
SECOND: Final = (2,)
THIRD: Final = tuple(range(3, 13))


def job(**known: Any) -> Job:
    return replace(Job("r1", Selection(), ("shop-dead", "rescued"), 10, True, NOW), **known)


def events(number: int, count: int) -> tuple[Sending, ...]:
    return tuple(Sending(f"m-{number}-{one}", f"e-{number}-{one}") for one in range(count))


def batch(number: int, count: int = 10, doubtful: int = 0) -> Batch:
    return Batch(number, Sent.SENT, NOW, events(number, count), count, events(-number, doubtful))


def batches(*numbers: int) -> list[Batch]:
    return [batch(number, 1 if number == 1 else 10) for number in numbers]


def heard(some: Sequence[Batch], failed: int = 0, silent: int = 0) -> dict[str, bool]:
    """Return what was heard of batches' events: so many failed, of so many nothing is heard, all others are done."""
    names = [one.event_id for found in some for one in found.letters]
    return {name: number < failed for number, name in enumerate(names[: len(names) - silent])}


def act(found: Job, some: Sequence[Batch] = (), failed: Mapping[str, bool] | None = None) -> Act:
    return next_act(found, Progress(some, failed or {}), WATCH, NOW)


ONE, TWO, ALL = batches(1), batches(1, 2), batches(*range(1, 13))
WATCHING: Final = {"watching_since": NOW - A_SECOND}
OVERDUE: Final = {"watching_since": NOW - WATCH}
MOVED: Final = {"places_done": 2}

ROWS: Final = {
    "nothing is moved: one letter goes": (job(), [], {}, Move(FIRST)),
    "the one is moved: it is watched": (job(), ONE, {}, Watch()),
    "nothing is left: no letter goes": (job(**MOVED), [], {}, Watch()),
    "nothing is heard of it: it is waited for": (job(**WATCHING), ONE, {}, Wait(POLL)),
    "it is done: at once the next step": (job(**WATCHING), ONE, heard(ONE), Proceed()),
    "it failed again: no further": (job(**WATCHING), ONE, heard(ONE, failed=1), "1 of the last 1"),
    "it failed again before it was watched: no further": (job(), ONE, heard(ONE, failed=1), "1 of the last 1"),
    "nothing is heard in time: the next step": (job(**OVERDUE), ONE, {}, Proceed()),
    "the time is nearly over: the rest of it is waited": (
        job(watching_since=NOW - WATCH + A_SECOND),
        ONE,
        {},
        Wait(A_SECOND),
    ),
    "nothing is left after the one: done": (job(**WATCHING, **MOVED), ONE, heard(ONE), End(State.DONE)),
    "nothing was there at all: done": (job(**WATCHING, **MOVED), [], {}, End(State.DONE)),
    "nothing is left, and it is still watched: waits": (job(**WATCHING, **MOVED), ONE, {}, Wait(POLL)),
    "the second step: ten go": (job(step=1), ONE, heard(ONE), Move(SECOND)),
    "one of eleven failed: the next step": (job(step=1, **WATCHING), TWO, heard(TWO, failed=1), Proceed()),
    "two of eleven failed: no further": (job(step=1, **WATCHING), TWO, heard(TWO, failed=2), "2 of the last 11"),
    "two failed, of the others nothing is heard: no further": (
        job(step=1, **WATCHING),
        TWO,
        heard(TWO, failed=2, silent=9),
        "2 of the last 11",
    ),
    "one is silent: it is waited for": (job(step=1, **WATCHING), TWO, heard(TWO, silent=1), Wait(POLL)),
    "the third step: a hundred go": (job(step=2), TWO, heard(TWO), Move(THIRD)),
    "the third step's mover was killed: what is free goes": (
        job(step=2),
        batches(1, 2, 3, 5),
        {},
        Move(tuple(number for number in THIRD if number not in (3, 5))),
    ),
    "a number that is in doubt is used": (job(), [batch(1, 0, doubtful=1)], {}, Watch()),
    "eleven of 111 failed: the rest": (job(step=2, **WATCHING), ALL, heard(ALL, failed=11), Proceed()),
    "twelve of 111 failed: no further": (job(step=2, **WATCHING), ALL, heard(ALL, failed=12), "12 of the last 111"),
    "the rest": (job(step=REST), ALL, heard(ALL), Move()),
    "the rest without a canary": (job(step=REST, is_canary=False), [], {}, Move()),
    "of a few of the rest one failed: it goes on": (
        job(step=REST),
        [batch(1, 9)],
        heard([batch(1, 9)], failed=1),
        Move(),
    ),
    "of the last hundred eleven failed: no further": (
        job(step=REST),
        batches(*range(13, 30)),
        heard(batches(*range(20, 30)), failed=11),
        "11 of the last 100",
    ),
    "without a canary nothing stops it": (
        job(step=REST, is_canary=False),
        batches(*range(13, 30)),
        heard(batches(*range(20, 30)), failed=100),
        Move(),
    ),
    "all is moved: done": (job(step=REST, **MOVED), ALL, heard(ALL), End(State.DONE)),
    "all is moved but what is in doubt: evidence is waited for": (
        job(step=REST, **MOVED),
        [batch(13, 3, doubtful=7)],
        {},
        Wait(POLL),
    ),
    "what is in doubt stays so: done": (
        job(step=REST, **MOVED),
        [replace(batch(13, 3, doubtful=7), at=NOW - DOUBT)],
        {},
        End(State.DONE),
    ),
    "stopped by somebody: it stays so": (job(state=State.CANCELLED), ONE, {}, End(State.CANCELLED)),
    "stopped by itself: it stays so, and says why": (
        job(state=State.STOPPED, note="too many"),
        ONE,
        {},
        End(State.STOPPED, "too many"),
    ),
}


@pytest.mark.parametrize(("found", "some", "failed", "expected"), ROWS.values(), ids=ROWS.keys())
def test_what_comes_next(found: Job, some: list[Batch], failed: Mapping[str, bool], expected: Act | str) -> None:
    decided = act(found, some, failed)
    if isinstance(expected, str):
        expected = End(State.STOPPED, f"{expected} that were moved failed again: more than 10%")
    assert decided == expected


HELD_UP: Final = {
    "before anything is moved": (job(), []),
    "before the step's letters are moved": (job(step=1), ONE),
    "while a step is watched, whatever was heard": (job(step=1, **OVERDUE), TWO),
    "before the rest": (job(step=REST), ALL),
    "before the rest without a canary": (job(step=REST, is_canary=False), []),
}


@pytest.mark.parametrize(("found", "some"), HELD_UP.values(), ids=HELD_UP.keys())
def test_an_open_circuit_holds_it_up(found: Job, some: list[Batch]) -> None:
    assert next_act(found, Progress(some, heard(some), "payments"), WATCH, NOW) == HoldUp("payments")


def test_an_open_circuit_holds_up_no_end() -> None:
    over = job(step=REST, **MOVED)
    assert next_act(over, Progress(ALL, heard(ALL), "payments"), WATCH, NOW) == End(State.DONE)
    failing = next_act(job(**WATCHING), Progress(ONE, heard(ONE, failed=1), "payments"), WATCH, NOW)
    assert isinstance(failing, End)


def circuit(**known: Any) -> Standing:
    opened: dict[str, Any] = {"state": CircuitState.OPEN, "opened_at": NOW, "dependents": frozenset({"process"})}
    return replace(Standing("payments"), **opened | known)


UNHEARD: Final = timedelta(seconds=30) + UNPROBED
CIRCUITS: Final = {
    "open: it is waited for": (circuit(), "payments"),
    "half open: it is waited for": (circuit(state=CircuitState.HALF_OPEN), "payments"),
    "closed: it is not": (circuit(state=CircuitState.CLOSED, opened_at=None), ""),
    "open, but no worker waits for it: it is not": (circuit(dependents=frozenset()), ""),
    "open, and somebody may still probe it: it is": (circuit(opened_at=NOW - UNHEARD + A_SECOND), "payments"),
    "open, and nobody probes it: what is redriven finds out": (circuit(opened_at=NOW - UNHEARD), ""),
    "held open by an operator: it is": (
        circuit(opened_at=NOW - 9 * UNHEARD, forced_until=NOW + A_SECOND),
        "payments",
    ),
}


@pytest.mark.parametrize(("found", "expected"), CIRCUITS.values(), ids=CIRCUITS.keys())
def test_which_circuits_are_waited_for(found: Standing, expected: str) -> None:
    assert open_circuit([Standing("mail"), found], NOW) == expected


def test_the_steps_move_one_ten_and_a_hundred() -> None:
    assert [len(step) for step in STEPS] == [1, 1, 10]
    assert [number for step in STEPS for number in step] == list(range(1, 13))


class TestWhatIsWatched:
    def test_is_all_of_the_canary_and_none_of_the_rest(self) -> None:
        names = watched(job(step=2), [*ALL, *batches(13)])
        assert len(names) == 111
        assert not any(name.startswith("e-13-") for name in names)

    def test_is_the_last_hundred_of_the_rest_in_whatever_order_they_come(self) -> None:
        names = watched(job(step=REST), [*reversed(batches(*range(13, 40)))])
        assert {name.split("-")[1] for name in names} == {str(number) for number in range(30, 40)}

    def test_is_nothing_of_a_batch_that_nobody_knows_of(self) -> None:
        assert watched(job(), [Batch(1, Sent.SENDING, NOW, events(1, 1))]) == []


class TestProgress:
    def test_counts_what_was_sent_what_failed_and_what_is_in_doubt(self) -> None:
        progress = Progress([batch(1, 1), batch(2, 8, doubtful=2)], {"a": True, "b": False, "c": True})
        assert (progress.moved, progress.failed_again, progress.in_doubt) == (9, 2, 2)

    @pytest.mark.parametrize(("numbers", "following"), [((), 13), ((1, 2, 12), 13), ((1, 13, 15), 16)])
    def test_numbers_the_rest_after_the_canary_and_never_twice(self, numbers: Sequence[int], following: int) -> None:
        assert Progress(batches(*numbers)).next_number == following


def test_a_job_is_named_after_when_it_was_begun() -> None:
    assert job_id(NOW, "00ff") == "r20260101-120000-00ff"
