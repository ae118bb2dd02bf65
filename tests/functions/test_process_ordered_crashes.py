"""A worker that is killed between any two of its calls, through the real app.py: nothing lost, nothing overtaken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backstop import PermanentError, TransientError
from tests.fakes.handler import ScriptedHandler
from tests.fakes.source import WorkerDied
from tests.ordered_lane import OrderedLane
from tests.ordered_support import ordered_lane

LATER = TransientError("later")
MOST_CALLS = 60

Scene = Callable[[OrderedLane], Callable[[], object]]


def take_in(lane: OrderedLane) -> Callable[[], object]:
    """Park a head and those behind it, and run another key's events."""
    lane.handler.will("a1", LATER, None)
    lane.send(*"abaab")
    return lane.deliver


def take_in_behind(lane: OrderedLane) -> Callable[[], object]:
    """Park events behind a head that waits already."""
    lane.handler.will("a1", LATER, LATER, None)
    lane.send("a")
    lane.deliver()
    lane.send(*"abaab")
    return lane.deliver


def drain(lane: OrderedLane) -> Callable[[], object]:
    """Drain a key whose second event fails once more."""
    lane.handler.will("a1", LATER, None)
    lane.handler.will("a3", LATER, None)
    lane.send(*"abaab")
    lane.deliver()
    return lane.drain


def sweep(lane: OrderedLane) -> Callable[[], object]:
    """Sweep up a key that nobody wakes."""
    lane.handler.will("a1", LATER, None)
    lane.send(*"abaab")
    lane.deliver()
    lane.drains.messages.clear()
    lane.clock.advance(lane.ordered.settings.visibility_timeout)
    return lane.sweep


SCENES: dict[str, tuple[Scene, dict[str, int]]] = {
    "take in": (take_in, dict.fromkeys(["a1", "a2", "a3", "b1", "b2"], 1)),
    "take in behind": (take_in_behind, dict.fromkeys(["a1", "a2", "a3", "a4", "b1", "b2"], 1)),
    "drain": (drain, dict.fromkeys(["a1", "a2", "a3", "b1", "b2"], 1)),
    "sweep": (sweep, dict.fromkeys(["a1", "a2", "a3", "b1", "b2"], 1)),
}


def each_effect_follows_the_one_before(lane: OrderedLane, key: str) -> bool:
    """Say whether no event of a key was ever run before, or again after, one that was sent later was."""
    numbers = [int(event_id.removeprefix(key)) for event_id in lane.runs(key)]
    return numbers == sorted(numbers)


@pytest.mark.parametrize("scene", SCENES)
def test_between_any_two_calls_all_events_are_done_once_and_in_their_order(scene: str) -> None:
    prepare, finished = SCENES[scene]
    for number in range(1, MOST_CALLS):
        with ordered_lane(ScriptedHandler()) as lane:
            act = prepare(lane)
            lane.faults.die_before(number)
            act()
            has_struck = lane.faults.has_struck
            lane.faults.spare()
            lane.run_with_sweeps(2)
            assert lane.handler.finished.keys() == finished.keys(), number
            assert each_effect_follows_the_one_before(lane, "a"), (number, lane.runs("a"))
            assert each_effect_follows_the_one_before(lane, "b"), (number, lane.runs("b"))
            assert lane.items() == [], number
            assert lane.ordered.messages == [], number
            assert lane.dead_letters.messages == [], number
            assert {one["verdict"] for one in lane.reports()} <= {"Park", "Done"}, number
        if not has_struck:
            assert number > 3
            return
    raise AssertionError("it makes more calls than are tried")


@pytest.mark.parametrize("policy", ["hold", "skip"])
def test_between_any_two_calls_about_a_dead_head_nothing_is_lost_or_overtaken(policy: str) -> None:
    for number in range(1, MOST_CALLS):
        with ordered_lane(ScriptedHandler(), ON_DEAD_HEAD=policy) as lane:
            lane.handler.will("a1", LATER, PermanentError("no"))
            lane.send(*"aba")
            lane.deliver()
            lane.faults.die_before(number)
            lane.drain()
            has_struck = lane.faults.has_struck
            lane.faults.spare()
            lane.run_with_sweeps(2)
            assert lane.handler.finished.keys() == ({"b1"} if policy == "hold" else {"a2", "b1"}), number
            assert lane.waiting("a") == (["a1", "a2"] if policy == "hold" else []), number
            letters = {trail["event_id"] for trail in lane.trails()}
            assert letters == (set() if policy == "hold" else {"a1"}), number
        if not has_struck:
            return
    raise AssertionError("it makes more calls than are tried")


def test_a_worker_that_is_late_acts_on_nothing_once_another_has_the_lease(ordered: OrderedLane) -> None:
    def be_overtaken(*_: object) -> None:
        ordered.clock.advance(ordered.ordered.settings.visibility_timeout)
        ordered.sweep()
        while ordered.drainage.poll():
            pass

    ordered.handler.will("a1", LATER, be_overtaken, None)
    ordered.send(*"aaa")
    ordered.deliver()
    ordered.drain()
    ordered.run_with_sweeps(5)
    assert [one for one in ordered.runs("a") if one != "a1"] == ["a2", "a3"]
    assert ordered.items() == []


def test_a_lock_whose_worker_died_is_taken_over_soon_after_its_invocation(ordered: OrderedLane) -> None:
    ordered.handler.will("a1", LATER, WorkerDied("out of memory"), None)
    ordered.send(*"aa")
    ordered.deliver()
    assert isinstance(ordered.drain().error, WorkerDied)
    began = ordered.clock.now()
    ordered.run_with_sweeps(2)
    assert ordered.handler.finished == {"a1": 1, "a2": 1}
    assert (ordered.clock.now() - began).total_seconds() <= 130
