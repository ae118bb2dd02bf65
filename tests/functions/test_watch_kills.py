"""A watcher that dies at any of its AWS calls is made up for: counted once, told at least once, rarely twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from backstop import PermanentError
from tests.fakes.source import WorkerDied
from tests.watch_lane import WatchLane, lines_of, watch_lane

CALLS = ["UpdateItem", "GetItem", "UpdateItem", "UpdateItem", "UpdateItem", "Publish", "UpdateItem", "BatchWriteItem"]
"""What a batch asks AWS for whose group was not known: no window, the item, a window, the storm, slot, alert, slot."""
SWEEP = ["Query", "BatchGetItem", "GetItem", "UpdateItem", "Publish", "UpdateItem"]
"""What a sweep asks AWS for that tells an end: the open windows, what stands in them, the group, slot, alert, slot."""


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Three events of one group that are dead at once, each told of in a real line."""
    return lines_of(*[PermanentError("no price for 'tea'") for _ in range(3)])


@pytest.fixture
def lane() -> Iterator[WatchLane]:
    with watch_lane() as lane:
        yield lane


def killed(call: Callable[[], object]) -> None:
    """Run what is killed."""
    with pytest.raises(WorkerDied):
        call()


def over(lane: WatchLane, lines: list[str]) -> None:
    """Let something fail, and be over: the next sweep says so."""
    lane.watch(*lines)
    lane.clock.advance(timedelta(minutes=10))
    lane.killer.disarm()


def is_told(calls: list[str], call: int, moment: str) -> bool:
    """Return whether people have been told, and nobody knows: the kill came after the alert, before it was settled."""
    publish = calls.index("Publish")
    return (call, moment) in {(publish, "after"), (publish + 1, "before")}


class TestAWatcherThatIsKilled:
    def test_has_made_these_calls(self, lane: WatchLane, lines: list[str]) -> None:
        lane.watch(*lines)
        assert lane.killer.calls == CALLS

    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("call", range(len(CALLS)), ids=[f"{n}-{call}" for n, call in enumerate(CALLS, 1)])
    def test_at_any_call_is_made_up_for(self, lane: WatchLane, lines: list[str], call: int, moment: str) -> None:
        [invoked] = lane.payloads(*lines)
        lane.killer.arm(call, moment)
        killed(lambda: lane.invoke(invoked))
        lane.killer.disarm()
        lane.invoke(invoked)
        for minutes in (2, 1):
            lane.clock.advance(timedelta(minutes=minutes))
            lane.sweep()
        assert lane.counted() == {json.loads(lines[0])["group"]: 3}
        assert len(lane.items("events")) == 3
        assert lane.reasons() == [("first", 3)] * (2 if is_told(CALLS, call, moment) else 1)
        lane.pass_minutes(15)
        assert [one for one in lane.reasons() if one[0] != "first"] == [("end", 3)]


class TestAFollowUpThatIsKilled:
    def test_has_made_these_calls(self, lane: WatchLane, lines: list[str]) -> None:
        over(lane, lines)
        lane.sweep()
        assert lane.killer.calls == SWEEP

    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("call", range(len(SWEEP)), ids=[f"{n}-{call}" for n, call in enumerate(SWEEP, 1)])
    def test_at_any_call_is_made_up_for(self, lane: WatchLane, lines: list[str], call: int, moment: str) -> None:
        over(lane, lines)
        lane.killer.arm(call, moment)
        killed(lane.sweep)
        lane.pass_minutes(4)
        ends = lane.reasons()[1:]
        assert ends == [("end", 3)] * (2 if is_told(SWEEP, call, moment) else 1)
        lane.pass_minutes(60)
        assert lane.reasons()[1:] == ends
