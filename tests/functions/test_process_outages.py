"""Each AWS call that the function makes may fail in each way: no message is lost, and all end well afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backstop import Message, PermanentError, TransientError
from tests.fakes.faults import Fault
from tests.fakes.handler import Event
from tests.fakes.source import WorkerDied
from tests.lane import ProcessLane

GOOD = ("good-1", "good-2", "late", "crashes-once", "slow", "not-started")
BAD = "bad"


def send_one_of_each(lane: ProcessLane) -> None:
    """Send a batch that takes every path, and let its first delivery pass: a worker dies in it."""

    def be_slow(event: Event, message: Message) -> None:
        lane.clock.advance(timedelta(seconds=20))

    lane.handler.will("late", TransientError("not yet"), TransientError("not yet"), None)
    lane.handler.will("bad", PermanentError("never"))
    lane.handler.will("crashes-once", WorkerDied("out of memory"), None)
    lane.handler.will("slow", be_slow, None)
    lane.send(lane.order("good-1"), lane.order("crashes-once"), lane.order("late"), lane.order("bad"))
    lane.send("not JSON", lane.order("slow"), lane.order("good-2"), lane.order("not-started"))
    lane.deliver()


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize(
    "operation",
    [
        "SendMessageBatch",
        "DeleteMessageBatch",
        "ChangeMessageVisibilityBatch",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "BatchGetItem",
    ],
)
class TestAnOutage:
    def test_of_a_moment_loses_nothing_and_kills_nothing(self, lane: ProcessLane, operation: str, fault: Fault) -> None:
        send_one_of_each(lane)
        lane.faults.fail(operation, fault, fault)
        lane.run_until_quiet()
        assert_all_ended_well(lane)

    def test_of_20_minutes_loses_nothing_and_kills_nothing(
        self, lane: ProcessLane, operation: str, fault: Fault
    ) -> None:
        over = lane.clock.now() + timedelta(minutes=20)
        lane.faults.fail_always(operation, fault, when=lambda request: lane.clock.now() < over)
        send_one_of_each(lane)
        lane.run_until_quiet()
        assert_all_ended_well(lane)


def assert_all_ended_well(lane: ProcessLane) -> None:
    """Say that good events are done, and dead letters are those that must be: each at least once, none besides."""
    assert set(lane.handler.finished) == set(GOOD)
    dead = {trail.get("event_id", "") for trail in lane.trails(lane.dead_letters)}
    assert dead == {BAD, ""}
    deliveries = lane.events_source.deliveries + lane.retries_source.deliveries
    assert {type(delivery.error) for delivery in deliveries} <= {type(None), WorkerDied}
