"""A recovery that dies at any of its AWS calls, or runs twice at once: nothing stays paused, nothing is told never."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from typing import Final

import pytest

from backstop.recovery.state import Strategy
from tests.fakes.source import FakeContext, WorkerDied
from tests.recover_lane import FUNCTION, ORDERED, PROCESS, RECOVER, TIMEOUT, RecoverLane, recover_lane
from tests.worker import Worker


@pytest.fixture
def lane() -> Iterator[RecoverLane]:
    with recover_lane() as lane:
        lane.reconcile()  # from the second minute on, each run makes the same calls
        lane.clock.advance(timedelta(minutes=1))
        yield lane


def begins(lane: RecoverLane) -> None:
    """Let the next run pause an intake."""
    lane.open()


def tells(lane: RecoverLane) -> None:
    """Let the next run pause an intake, and tell people."""
    lane.hold()


def ends(lane: RecoverLane) -> None:
    """Let the next run resume an intake."""
    lane.open()
    lane.reconcile()
    lane.clock.advance(timedelta(minutes=2))
    lane.close()


def switches(lane: RecoverLane) -> None:
    """Let the next run switch to the backup."""
    lane.open()
    lane.reconcile()
    lane.clock.advance(timedelta(minutes=3))


def restarts(lane: RecoverLane) -> None:
    """Let the next run restart a function."""
    for _ in range(3):
        lane.open()
        lane.clock.advance(timedelta(seconds=70))
        lane.close()


ACTS: Final[dict[Callable[[RecoverLane], None], list[str]]] = {
    begins: ["TransactWriteItems", "UpdateEventSourceMapping"],
    tells: ["TransactWriteItems", "UpdateEventSourceMapping", "Publish", "TransactWriteItems"],
    ends: ["TransactWriteItems", "UpdateEventSourceMapping"],
    switches: ["TransactWriteItems", "PutParameter"],
    restarts: ["TransactWriteItems", "GetFunctionConfiguration", "UpdateFunctionConfiguration"],
}
"""What a run asks AWS for after it has looked."""


def calls_of(lane: RecoverLane) -> list[str]:
    lane.killer.disarm()
    lane.reconcile()
    return lane.killer.calls


@pytest.mark.parametrize("before", ACTS, ids=lambda before: before.__name__)
def test_a_run_looks_then_remembers_then_acts(lane: RecoverLane, before: Callable[[RecoverLane], None]) -> None:
    before(lane)
    calls = calls_of(lane)
    acts = ACTS[before]
    assert calls[-len(acts) :] == acts
    looks = calls[: -len(acts)]
    assert looks[0] == "GetItem", "what is remembered is read before all else"
    assert not {"UpdateEventSourceMapping", "PutParameter", "UpdateFunctionConfiguration", "Publish"} & set(looks)


POINTS: Final = [
    pytest.param(before, back, moment, id=f"{before.__name__}: {moment} {acts[-back]}, {back} from the end")
    for before, acts in ACTS.items()
    for back in range(1, len(acts) + 1)
    for moment in ("before", "after")
]


@pytest.mark.parametrize(("before", "back", "moment"), POINTS)
def test_a_run_that_is_killed_is_made_up_for(before: Callable[[RecoverLane], None], back: int, moment: str) -> None:
    number = _calls(before) - back
    with recover_lane() as lane:
        before(lane)
        lane.killer.arm(number, moment)
        with pytest.raises(WorkerDied):
            lane.reconcile()
        lane.killer.disarm()
        lane.pass_minutes(2)
        _is_as_it_should_be(lane, before)
        _ends(lane, before)


@cache
def _calls(before: Callable[[RecoverLane], None]) -> int:
    """Return how many calls a run makes."""
    with recover_lane() as lane:
        before(lane)
        return len(calls_of(lane))


def _is_as_it_should_be(lane: RecoverLane, before: Callable[[RecoverLane], None]) -> None:
    match before.__name__:
        case "begins" | "tells":
            assert lane.intake()[0] == "Disabled"
        case "ends":
            assert lane.intake()[0] == "Enabled"
        case "switches":
            assert lane.switch() == "backup"
        case _:
            assert "RESTARTED_AT" in lane.variables()
    done = [one.entry.strategy for one in lane.written()]
    assert len(set(done)) == len(done), "what was done is written down once"
    assert lane.memory().untold == ()


def _ends(lane: RecoverLane, before: Callable[[RecoverLane], None]) -> None:
    """Let it all be over: nothing is paused any more, and who heard of a beginning hears of its end."""
    if before is tells:
        lane.releases.let_go(PROCESS, "r1")
    else:
        lane.close()
    lane.pass_minutes(8)
    assert lane.intake() == ("Enabled", 10)
    assert lane.intake(ORDERED) == ("Enabled", 10)
    told = dict.fromkeys((one["group"], one["is_over"]) for one in lane.told())
    group = f"shop release {PROCESS}"
    assert list(told) == ([(group, False), (group, True)] if before is tells else [])


class TestTwoAtOnce:
    def test_of_which_one_remembers_first_do_it_once(self, lane: RecoverLane) -> None:
        lane.hold()
        other, waiting = Worker(RECOVER, None), [True]

        def comes_in_between(_: object) -> bool:
            if waiting.pop() if waiting else False:
                lane.faults.clear()
                other.invoke({"reconcile": True}, FakeContext(lane.clock, FUNCTION, TIMEOUT))
            return False

        lane.faults.fail("TransactWriteItems", None, when=comes_in_between)
        lane.killer.disarm()
        answer = lane.reconcile()
        assert answer["done"] is False
        assert lane.killer.calls.count("UpdateEventSourceMapping") == 1
        assert len(lane.told()) == 1
        assert [one.entry.strategy for one in lane.written()] == [Strategy.PAUSE, Strategy.ESCALATE]


class TestAMode:
    def test_off_does_nothing_and_is_alive(self) -> None:
        with recover_lane(RECOVERY_MODE="off") as lane:
            lane.open()
            lane.ring("shop-ordered-old")
            lane.pass_minutes(20)
            assert (lane.intake(), lane.intake(ORDERED)) == (("Enabled", 10), ("Enabled", 10))
            assert (lane.written(), lane.told(), lane.switch()) == ([], [], "primary")
            assert lane.measured("CircuitsOpen")[-1] == 1

    def test_suggest_tells_what_it_would_do_and_does_not(self) -> None:
        with recover_lane(RECOVERY_MODE="suggest") as lane:
            lane.open()
            lane.pass_minutes(20)
            assert lane.intake() == ("Enabled", 10)
            assert lane.switch() == "primary"
            suggested = [one.entry for one in lane.written() if one.entry.strategy is not Strategy.ESCALATE]
            assert suggested
            assert all(entry.is_suggested for entry in suggested)
            assert lane.lines("suggested")
            assert lane.told()

    @pytest.mark.parametrize("mode", ["off", "suggest"])
    def test_that_takes_over_undoes_what_was_done(self, lane: RecoverLane, mode: str) -> None:
        switches(lane)
        lane.reconcile()
        assert (lane.intake()[0], lane.switch()) == ("Disabled", "backup")
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("RECOVERY_MODE", mode)
            lane.worker.restart()
            lane.pass_minutes(1)
            assert (lane.intake()[0], lane.switch()) == ("Enabled", "primary")
