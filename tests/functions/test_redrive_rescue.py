"""`redrive` asked to rescue: what would expire is kept in the bucket, all else stays; a redrive takes it from there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

import pytest

from backstop.errors import StoreUnavailable
from tests.fakes.faults import Fault
from tests.fakes.queue import QueuedMessage
from tests.fakes.source import WorkerDied
from tests.redrive_lane import BUCKET, DEAD, EVENTS, ORDERED_DEAD, A, B, RedriveLane, event_of, redrive_lane

RESCUE: Final = {"rescue": True}
OLD: Final = [f"old-{number}" for number in range(12)]
NEW: Final = [f"new-{number}" for number in range(8)]
LIMIT: Final = timedelta(days=12)


@pytest.fixture
def lane() -> Iterator[RedriveLane]:
    with redrive_lane() as lane:
        yield lane


def fill(lane: RedriveLane) -> list[QueuedMessage]:
    """Let some letters have lain there for as long as they may, and others for a little less; return the others."""
    for event_id in OLD:
        lane.bury(event_id)
    lane.clock.advance(timedelta(seconds=1))
    others = [lane.bury(event_id) for event_id in NEW]
    lane.clock.advance(LIMIT - timedelta(seconds=1))
    return others


def kept(lane: RedriveLane) -> Counter[str]:
    """Return the events in the bucket, and how often."""
    found = [json.loads(lane.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in lane.objects()]
    return Counter(json.loads(one["record"]["body"])["id"] for one in found)


def state_of(messages: list[QueuedMessage]) -> list[tuple[str, str, str, datetime]]:
    return [(one.message_id, one.body, json.dumps(one.attributes), one.enqueued_at) for one in messages]


class TestARescue:
    def test_keeps_what_is_older_than_the_limit_and_nothing_else(self, lane: RedriveLane) -> None:
        others = fill(lane)
        before = state_of(others)
        assert lane.invoke(RESCUE) == {"rescued": 12}
        assert kept(lane) == dict.fromkeys(OLD, 1)
        assert lane.dead() == {*NEW}
        assert state_of(others) == before
        assert not lane.is_hidden()

    def test_of_nothing_keeps_nothing(self, lane: RedriveLane) -> None:
        assert lane.invoke(RESCUE) == {"rescued": 0}
        lane.bury("new")
        assert lane.invoke(RESCUE) == {"rescued": 0}
        assert lane.objects() == []

    def test_counts_what_it_has_kept_be_it_nothing(self, lane: RedriveLane) -> None:
        fill(lane)
        lane.invoke(RESCUE)
        lane.invoke(RESCUE)
        assert [metric["LettersRescued"] for metric in lane.worker.metrics()] == [[12], [0]]

    def test_looks_through_both_queues(self, lane: RedriveLane) -> None:
        lane.bury("old")
        for number in range(25):
            queue = lane.sqs.queue(ORDERED_DEAD)
            key = {"MessageGroupId": f"key-{number % 2}", "MessageDeduplicationId": f"{number}"}
            queue.put(json.dumps({"id": f"ordered-{number}"}), {}, key)
        lane.clock.advance(LIMIT)
        assert lane.invoke(RESCUE) == {"rescued": 26}
        assert (lane.dead(), lane.dead(ORDERED_DEAD)) == (set(), set())
        assert {key.split("/")[1] for key in lane.objects()} == {DEAD, ORDERED_DEAD}

    def test_goes_on_in_the_next_hour_with_what_there_was_no_time_for(self, lane: RedriveLane) -> None:
        for event_id in OLD:
            lane.bury(event_id)
        lane.clock.advance(LIMIT)
        with slow_puts(lane):
            assert lane.invoke(RESCUE) == {"rescued": 10}
        assert {*kept(lane)} | lane.dead() == {*OLD}
        assert lane.invoke(RESCUE) == {"rescued": 2}
        assert kept(lane) == dict.fromkeys(OLD, 1)

    def test_quotes_no_payload(self, lane: RedriveLane) -> None:
        fill(lane)
        lane.invoke(RESCUE)
        assert "4111-secret" not in lane.worker.printed()


@contextmanager
def slow_puts(lane: RedriveLane) -> Iterator[None]:
    """Let each call to the bucket take so long that ten of them use an invocation up."""

    def wait(**_: object) -> None:
        lane.clock.advance(timedelta(seconds=29.5))

    events = lane.function_bucket.meta.events
    events.register("before-call.s3.PutObject", wait)
    yield
    events.unregister("before-call.s3.PutObject", wait)


class TestWhatAwsRefuses:
    @pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.ANSWER_LOST])
    @pytest.mark.parametrize("operation", ["PutObject", "ReceiveMessage"])
    def test_is_raised_and_made_up_for_by_the_next_hour(self, lane: RedriveLane, operation: str, fault: Fault) -> None:
        fill(lane)
        lane.faults.fail(operation, None, fault)
        with pytest.raises(StoreUnavailable):
            lane.invoke(RESCUE)
        assert {*kept(lane)} | lane.dead() == {*OLD, *NEW}
        lane.clock.advance(timedelta(hours=1))
        lane.invoke(RESCUE)
        assert {*kept(lane)} >= {*OLD}
        assert max(kept(lane).values()) == 1
        assert not lane.dead() & {*OLD}

    @pytest.mark.parametrize("fault", Fault)
    def test_of_a_delete_is_made_up_for_by_the_next_hour(self, lane: RedriveLane, fault: Fault) -> None:
        fill(lane)
        lane.faults.fail("DeleteMessageBatch", fault)
        lane.invoke(RESCUE)
        assert {*kept(lane)} | lane.dead() == {*OLD, *NEW}
        assert not lane.is_hidden()
        lane.clock.advance(timedelta(hours=1))
        lane.invoke(RESCUE)
        assert {*kept(lane)} == {*OLD, *NEW}
        assert max(kept(lane).values()) == 1

    def test_by_a_bucket_that_is_gone_leaves_all_where_it_lies_and_seen_at_once(self, lane: RedriveLane) -> None:
        fill(lane)
        lane.s3.delete_bucket(Bucket=BUCKET)
        with pytest.raises(StoreUnavailable, match="did not take a dead letter"):
            lane.invoke(RESCUE)
        assert lane.dead() == {*OLD, *NEW}
        assert not lane.is_hidden()

    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_nobody_who_kills_it_between_keep_and_delete_loses_a_letter(self, lane: RedriveLane, moment: str) -> None:
        fill(lane)
        lane.killer.arm(2, moment)
        with pytest.raises(WorkerDied):
            lane.invoke(RESCUE)
        assert lane.dead() == {*OLD, *NEW}
        assert len(lane.objects()) == (2 if moment == "before" else 3)
        lane.clock.advance(timedelta(hours=1))
        lane.invoke(RESCUE)
        assert {*kept(lane)} == {*OLD, *NEW}
        assert max(kept(lane).values()) == 1


class TestWhatWasRescued:
    def test_goes_back_to_where_it_came_from(self, lane: RedriveLane) -> None:
        fill(lane)
        bodies = {message.body for message in lane.dead_letters.messages if event_of(message) in OLD}
        lane.invoke(RESCUE)
        lane.begin(places=("rescued",), group=A)
        assert lane.run()["state"] == "done"
        assert {message.body for message in lane.events.messages} == bodies
        assert lane.arrived() == dict.fromkeys(OLD, 1)
        assert lane.objects() == []
        told = {(line["event_id"], line["queue"], line["redrive_id"]) for line in lane.redriven()}
        assert told == {(event_id, EVENTS, "r1") for event_id in OLD}

    def test_goes_back_after_what_still_lies_in_the_queue(self, lane: RedriveLane) -> None:
        fill(lane)
        lane.invoke(RESCUE)
        lane.begin(places=(DEAD, ORDERED_DEAD, "rescued"), is_canary=True)
        assert lane.run()["state"] == "done"
        assert lane.arrived() == dict.fromkeys([*OLD, *NEW], 1)

    def test_and_is_not_meant_stays_where_it_is(self, lane: RedriveLane) -> None:
        lane.bury("other", B)
        fill(lane)
        lane.invoke(RESCUE)
        lane.begin(places=("rescued",), group=A)
        lane.run()
        assert kept(lane) == {"other": 1}

    @pytest.mark.parametrize("operation", ["DeleteObjects", "ListObjectsV2", "GetObject"])
    @pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.ANSWER_LOST])
    def test_goes_back_once_whatever_the_bucket_refuses(self, lane: RedriveLane, operation: str, fault: Fault) -> None:
        fill(lane)
        lane.invoke(RESCUE)
        lane.begin(places=("rescued",), group=A)
        lane.faults.fail(operation, fault)
        for _ in range(100):
            try:
                if lane.turn()["is_over"]:
                    break
            except StoreUnavailable:
                continue
        assert lane.arrived() == dict.fromkeys(OLD, 1)
        assert lane.objects() == []
