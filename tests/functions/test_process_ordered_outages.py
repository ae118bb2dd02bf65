"""Calls that fail and caps that are reached, through the real app.py: what cannot be parked stays, in its place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from backstop import Message, TransientError
from tests.fakes.faults import Fault
from tests.fakes.handler import Event, ScriptedHandler
from tests.fakes.source import Delivery
from tests.ordered_lane import OrderedLane, about
from tests.ordered_support import ordered_lane

LATER = TransientError("later")
OUTAGES = [Fault.THROTTLED, Fault.DENIED, Fault.UNREACHABLE, Fault.ANSWER_LOST]
PARKED = about("parked")


def stayed(delivery: Delivery) -> list[str]:
    """Return the ids of the messages that stay, as often as the answer names them."""
    answer: Any = delivery.answer
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def positions(delivery: Delivery) -> list[int]:
    """Return which messages of its batch stay."""
    return sorted(delivery.ids.index(message_id) for message_id in stayed(delivery))


class TestTheTableDoesNotAnswer:
    @pytest.mark.parametrize("fault", OUTAGES)
    def test_a_head_that_cannot_be_parked_stays_with_all_later_ones_of_its_key_and_no_other(
        self, ordered: OrderedLane, fault: Fault
    ) -> None:
        ordered.handler.will("a1", LATER, None)
        ordered.faults.fail("TransactWriteItems", fault, when=PARKED)
        ordered.send(*"abaab")
        delivery = ordered.deliver()
        assert positions(delivery) == [0, 2, 3]
        assert ordered.handler.finished == {"b1": 1, "b2": 1}
        ordered.run_with_sweeps()
        assert ordered.handler.finished == dict.fromkeys(["a1", "a2", "a3", "b1", "b2"], 1)
        assert [one for one in ordered.runs("a") if one != "a1"] == ["a2", "a3"]
        assert ordered.items() == []

    @pytest.mark.parametrize("fault", OUTAGES)
    def test_a_follower_that_cannot_be_parked_stays_with_all_later_ones(
        self, ordered: OrderedLane, fault: Fault
    ) -> None:
        ordered.handler.will("a1", LATER, None)
        ordered.send("a")
        ordered.deliver()
        ordered.faults.fail("TransactWriteItems", fault, when=PARKED)
        ordered.send(*"abaa")
        assert positions(ordered.deliver()) == [0, 2, 3]
        ordered.run_with_sweeps()
        assert ordered.runs("a") == ["a1", "a1", "a2", "a3", "a4"]
        assert ordered.handler.finished == dict.fromkeys(["a1", "a2", "a3", "a4", "b1"], 1)
        assert ordered.items() == []

    @pytest.mark.parametrize("fault", OUTAGES)
    def test_nothing_is_run_while_it_cannot_be_told_which_keys_wait(self, ordered: OrderedLane, fault: Fault) -> None:
        ordered.faults.fail("BatchGetItem", fault, when=PARKED)
        ordered.send(*"aba")
        assert positions(ordered.deliver()) == [0, 1, 2]
        assert ordered.handler.runs == []
        ordered.run_until_quiet()
        assert ordered.runs("a") == ["a1", "a2"]

    @pytest.mark.parametrize("operation", ["UpdateItem", "GetItem", "Query", "TransactWriteItems", "DeleteItem"])
    @pytest.mark.parametrize("fault", OUTAGES)
    def test_a_drain_that_fails_is_made_up_for(self, ordered: OrderedLane, operation: str, fault: Fault) -> None:
        ordered.handler.will("a1", LATER, LATER, None)
        ordered.send(*"aaa")
        ordered.deliver()
        ordered.faults.fail(operation, fault, when=PARKED)
        ordered.run_with_sweeps()
        assert ordered.handler.finished == {"a1": 1, "a2": 1, "a3": 1}
        assert [one for one in ordered.runs("a") if one != "a1"] == ["a2", "a3"]
        assert ordered.items() == []

    def test_a_batch_of_which_it_tells_some_keys_runs_those(self, ordered: OrderedLane) -> None:
        """DynamoDB answers in part where it is busy: what it did not tell is in `UnprocessedKeys`."""

        def leave_out(parsed: dict[str, Any], **_: Any) -> None:
            if "parked" in parsed.get("Responses", {}):
                parsed["UnprocessedKeys"] = {"parked": {"Keys": [{"key": {"S": "a"}, "sort": {"S": "lock"}}]}}

        with ordered.hearing("after-call.dynamodb.BatchGetItem", leave_out):
            ordered.send(*"aba")
            assert positions(ordered.deliver()) == [0, 2]
        assert ordered.handler.runs == ["b1"]


class TestCaps:
    def test_a_key_takes_so_many_events_and_further_ones_stay_in_their_order(self) -> None:
        with ordered_lane(ScriptedHandler(), MAX_PARKED_EVENTS="3") as lane:
            lane.handler.will("a1", LATER, LATER, LATER, None)
            lane.send(*"aabaaab")
            delivery = lane.deliver()
            assert positions(delivery) == [4, 5]
            assert lane.waiting("a") == ["a1", "a2", "a3"]
            assert lane.handler.finished == {"b1": 1, "b2": 1}
            lane.run_until_quiet()
            assert [one for one in lane.runs("a") if one != "a1"] == ["a2", "a3", "a4", "a5"]
            assert lane.items() == []

    def test_how_full_the_fullest_key_is_is_measured(self) -> None:
        with ordered_lane(ScriptedHandler(), MAX_PARKED_EVENTS="10") as lane:
            lane.handler.will("a1", LATER)
            lane.send(*"aaaaaaaa")
            lane.deliver()
            lane.send("a")
            lane.deliver()
            assert lane.measured("FullestKeyPercent") == [80.0]

    def test_so_many_keys_wait_as_the_sweep_counts_and_heads_of_further_ones_stay(self) -> None:
        with ordered_lane(ScriptedHandler(), MAX_PARKED_KEYS="2") as lane:
            for head in ("a1", "b1", "c1"):
                lane.handler.will(head, LATER, LATER, None)
            lane.send(*"ab")
            lane.deliver()
            lane.sweep()
            lane.send(*"cdca")
            assert positions(lane.deliver()) == [0, 2]
            assert lane.handler.finished == {"d1": 1}
            assert lane.waiting("a") == ["a1", "a2"]
            lane.run_with_sweeps()
            assert lane.handler.finished == dict.fromkeys(["a1", "a2", "b1", "c1", "c2", "d1"], 1)


class TestWakeUps:
    @pytest.mark.parametrize("is_lost", [False, True], ids=["refused", "lost"])
    def test_a_key_that_nobody_wakes_is_found_by_the_sweep(self, ordered: OrderedLane, is_lost: bool) -> None:
        ordered.handler.will("a1", LATER, None)
        if not is_lost:
            ordered.faults.fail("SendMessageBatch", Fault.DENIED)
        ordered.send(*"aa")
        ordered.deliver()
        ordered.drains.messages.clear()
        assert bool(ordered.told("not woken")) is not is_lost
        ordered.run_until_quiet()
        assert ordered.waiting("a") == ["a1", "a2"]
        ordered.clock.advance(timedelta(minutes=1))
        ordered.sweep()
        ordered.run_until_quiet()
        assert ordered.handler.finished == {"a1": 1, "a2": 1}
        assert ordered.items() == []

    def test_a_sweep_leaves_alone_what_is_not_due(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", TransientError("later", retry_after=timedelta(minutes=5)))
        ordered.send("a")
        ordered.deliver()
        ordered.drains.messages.clear()
        ordered.sweep()
        assert ordered.drains.messages == []

    def test_what_sqs_cannot_delay_as_long_is_left_to_the_sweep(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", TransientError("later", retry_after=timedelta(minutes=20)), None)
        ordered.send("a")
        ordered.deliver()
        assert ordered.drains.messages == []
        ordered.run_with_sweeps(19)
        assert ordered.runs("a") == ["a1"]
        ordered.run_with_sweeps(2)
        assert ordered.handler.finished == {"a1": 1}

    def test_a_sweep_tells_how_many_keys_wait_are_held_and_since_when_one_is_due(self) -> None:
        with ordered_lane(ScriptedHandler(), MAX_PARKED_KEYS="10") as lane:
            lane.handler.will("a1", LATER)
            lane.handler.will("b1", ValueError("no"))
            lane.send(*"ab")
            lane.deliver()
            lane.clock.advance(timedelta(minutes=10))
            lane.sweep()
            assert lane.measured("ParkedKeys") == [2]
            assert lane.measured("HeldKeys") == [1]
            assert lane.measured("ParkedKeysPercent") == [20]
            [overdue] = lane.measured("OverdueSeconds")
            assert 595 <= overdue <= 600

    def test_a_sweep_that_finds_nothing_still_says_so(self, ordered: OrderedLane) -> None:
        """Its silence is what the alarm rings for."""
        ordered.sweep()
        assert ordered.measured("OverdueSeconds") == [0]
        assert ordered.measured("HeldKeys") == [0]


class TestTime:
    @staticmethod
    def takes(lane: OrderedLane, seconds: float) -> Any:
        def work(event: Event, message: Message) -> None:
            lane.clock.advance(timedelta(seconds=seconds))

        return work

    def test_a_drain_yields_when_its_time_is_short_and_another_goes_on(self, ordered: OrderedLane) -> None:
        ids = ordered.send(*"aaaaaaa")
        ordered.handler.will("a1", LATER, self.takes(ordered, 8))
        for event_id in ids[1:]:
            ordered.handler.will(event_id, self.takes(ordered, 8))
        ordered.deliver()
        ordered.drain()
        assert ordered.runs("a") == ["a1", "a1", "a2", "a3"]
        lock = ordered.lock("a")
        assert lock is not None
        assert lock["state"] == "waiting"
        ordered.run_until_quiet()
        assert ordered.runs("a") == ["a1", *ids]
        assert ordered.items() == []

    def test_what_intake_does_not_start_comes_again_at_once_with_all_of_its_key(self, ordered: OrderedLane) -> None:
        """None of it has failed: a key of which one event stays hidden is blocked as long."""
        ids = ordered.send(*"aaaaa")
        for event_id in ids:
            ordered.handler.will(event_id, self.takes(ordered, 8))
        delivery = ordered.deliver()
        assert positions(delivery) == [3, 4]
        assert ordered.ordered.next_due() == ordered.clock.now()
        ordered.run_until_quiet()
        assert ordered.runs("a") == ids


def test_an_event_waits_without_an_attempt_while_the_idempotency_table_does_not_answer(ordered: OrderedLane) -> None:
    ordered.faults.fail("PutItem", *[Fault.THROTTLED] * 8, when=about("idempotency"))
    ordered.send(*"aa")
    assert ordered.deliver().answer == {"batchItemFailures": []}
    assert ordered.waiting("a") == ["a1", "a2"]
    ordered.run_until_quiet()
    assert ordered.runs("a") == ["a1", "a2"]
    assert [message.attempt for message in ordered.handler.messages] == [1, 1]
    assert ordered.items() == []
