"""One key waits and all others flow, through the real app.py: parked, drained in order, and forgotten."""

from __future__ import annotations

from collections import Counter

import pytest

from backstop import Message, TransientError
from tests.fakes.handler import Event
from tests.ordered_lane import OrderedLane

LATER = TransientError("later")


class TestNoFailingKey:
    def test_costs_one_read_a_batch_and_writes_nothing(self, ordered: OrderedLane) -> None:
        ordered.send(*"abcab")
        assert ordered.deliver().answer == {"batchItemFailures": []}
        assert ordered.calls("parked") == Counter(BatchGetItem=1)
        assert ordered.items() == []

    def test_makes_no_call_besides_that_read_idempotencys_own_and_one_that_keeps_the_batch(
        self, ordered: OrderedLane
    ) -> None:
        ordered.send(*"abc")
        ordered.deliver()
        assert ordered.calls("idempotency") == Counter(PutItem=3, UpdateItem=3)
        made = Counter(call.operation for call in ordered.faults.made)
        assert made == Counter(BatchGetItem=1, PutItem=3, UpdateItem=3, ChangeMessageVisibilityBatch=1, answer=1)

    def test_runs_each_keys_events_in_the_order_in_which_they_were_sent(self, ordered: OrderedLane) -> None:
        ordered.send(*"abaabbc")
        ordered.run_until_quiet()
        assert ordered.runs("a") == ["a1", "a2", "a3"]
        assert ordered.runs("b") == ["b1", "b2", "b3"]
        assert ordered.handler.finished == dict.fromkeys(["a1", "a2", "a3", "b1", "b2", "b3", "c1"], 1)

    def test_says_nothing(self, ordered: OrderedLane) -> None:
        ordered.send(*"abc")
        ordered.run_until_quiet()
        assert ordered.worker.printed() == ""


class TestATransientHead:
    def test_is_parked_and_let_go_with_those_behind_it_which_are_not_run(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", LATER)
        ordered.send(*"aaa")
        assert ordered.deliver().answer == {"batchItemFailures": []}
        assert ordered.handler.runs == ["a1"]
        assert ordered.ordered.messages == []
        assert ordered.waiting("a") == ["a1", "a2", "a3"]
        lock = ordered.lock("a")
        assert lock is not None
        assert (lock["state"], lock["head"], lock["waiting"]) == ("waiting", "a1", "3")

    def test_is_what_those_behind_it_are_blocked_by(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", LATER)
        ordered.send(*"aa")
        ordered.deliver()
        ordered.send("a")
        ordered.deliver()
        assert [event.get("blocked_by") for event in ordered.parked("a")] == [None, "a1", "a1"]
        assert [event.get("trail") is None for event in ordered.parked("a")] == [False, True, True]

    def test_is_run_again_after_its_delay_and_the_others_after_it_in_order(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", LATER, None)
        ordered.send(*"aaa")
        ordered.deliver()
        ordered.send("a")
        ordered.run_until_quiet()
        assert ordered.runs("a") == ["a1", "a1", "a2", "a3", "a4"]
        assert ordered.handler.finished == dict.fromkeys(["a1", "a2", "a3", "a4"], 1)
        assert ordered.items() == []

    def test_is_reported_when_it_fails_and_when_it_has_recovered_and_nobody_else_is(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", LATER, LATER, None)
        ordered.send(*"aaa")
        ordered.run_until_quiet()
        told = [(one["pipeline_event"], one["verdict"], one["event_id"], one["attempt"]) for one in ordered.reports()]
        assert told == [("failed", "Park", "a1", 1), ("failed", "Park", "a1", 2), ("recovered", "Done", "a1", 3)]
        assert {one["key"] for one in ordered.reports()} == {"a"}
        assert {one["queue"] for one in ordered.reports()} == {"shop-ordered.fifo"}

    def test_waits_for_exactly_one_wake_up_at_its_next_try(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", LATER, None)
        ordered.send(*"aaa")
        ordered.deliver()
        [message] = ordered.drains.messages
        [report] = ordered.reports()
        assert message.visible_at.isoformat(timespec="milliseconds") >= report["next_at"]
        assert (message.visible_at - ordered.clock.now()).total_seconds() <= 5

    def test_lets_unrelated_keys_flow_meanwhile(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", LATER)
        ordered.send(*"abacab")
        assert ordered.deliver().answer == {"batchItemFailures": []}
        ordered.send(*"bc")
        assert ordered.deliver().answer == {"batchItemFailures": []}
        assert ordered.handler.finished == dict.fromkeys(["b1", "b2", "b3", "c1", "c2"], 1)
        assert ordered.waiting("a") == ["a1", "a2", "a3"]

    def test_that_fails_among_followers_makes_room_for_one_that_fails_next(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", LATER, None)
        ordered.handler.will("a2", LATER, None)
        ordered.send(*"aaa")
        ordered.run_until_quiet()
        assert ordered.runs("a") == ["a1", "a1", "a2", "a2", "a3"]
        assert ordered.items() == []
        assert [one["event_id"] for one in ordered.reports() if one["verdict"] == "Done"] == ["a1", "a2"]

    def test_may_fail_after_others_of_its_batch_were_done(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a2", LATER, None)
        ordered.send(*"aaa")
        ordered.deliver()
        assert ordered.waiting("a") == ["a2", "a3"]
        ordered.run_until_quiet()
        assert ordered.runs("a") == ["a1", "a2", "a2", "a3"]

    def test_is_woken_in_vain_before_its_time(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", LATER, None)
        ordered.send("a")
        ordered.deliver()
        assert ordered.wake("a").answer == {"batchItemFailures": []}
        assert ordered.runs("a") == ["a1"]

    def test_counts_attempts_with_the_event(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", LATER, LATER, None)
        ordered.send("a")
        ordered.run_until_quiet()
        assert [message.attempt for message in ordered.handler.messages] == [1, 2, 3]
        assert len({message.token for message in ordered.handler.messages}) == 1


class TestAKeyThatWasDrained:
    def test_is_run_at_once_again(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", LATER, None)
        ordered.send("a")
        ordered.run_until_quiet()
        ordered.send("a")
        ordered.deliver()
        assert ordered.handler.finished == {"a1": 1, "a2": 1}
        assert ordered.items() == []

    def test_is_no_more_than_run_where_it_was_drained_after_its_lock_was_read(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", LATER, None)
        ordered.send("a")
        ordered.deliver()

        def drain_meanwhile(event: Event, message: Message) -> None:
            ordered.drain()

        ordered.handler.will("b1", drain_meanwhile)
        ordered.send(*"ba")
        assert ordered.deliver().answer == {"batchItemFailures": []}
        ordered.run_until_quiet()
        assert ordered.runs("a") == ["a1", "a1", "a2"]
        assert ordered.items() == []

    def test_takes_what_is_parked_while_it_is_drained(self, ordered: OrderedLane) -> None:
        def send_more(event: Event, message: Message) -> None:
            ordered.send("a")
            ordered.deliver()

        ordered.handler.will("a1", LATER, send_more)
        ordered.send("a")
        ordered.run_until_quiet()
        assert ordered.runs("a") == ["a1", "a1", "a2"]
        assert ordered.items() == []


class TestABatchThatIsDeliveredAgain:
    def test_is_parked_once(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", LATER, None)
        ordered.send(*"aaa")
        ordered.faults.die_before_answering()
        ordered.deliver()
        ordered.deliver_again()
        assert ordered.waiting("a") == ["a1", "a2", "a3"]
        lock = ordered.lock("a")
        assert lock is not None
        assert lock["waiting"] == "3"
        ordered.run_until_quiet()
        assert ordered.runs("a") == ["a1", "a1", "a2", "a3"]
        assert [one["pipeline_event"] for one in ordered.reports()] == ["failed", "recovered"]

    def test_after_it_was_drained_runs_nothing_again(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", LATER, None)
        ordered.send(*"aaa")
        ordered.faults.die_before_answering()
        ordered.deliver()
        ordered.drain()
        assert ordered.handler.finished == {"a1": 1, "a2": 1, "a3": 1}
        assert ordered.deliver_again().answer == {"batchItemFailures": []}
        ordered.run_until_quiet()
        assert ordered.handler.finished == {"a1": 1, "a2": 1, "a3": 1}
        assert ordered.items() == []


@pytest.mark.parametrize("keys", [["a"] * 25, [f"k{number}-" for number in range(10)]], ids=["one key", "ten keys"])
def test_a_backlog_of_failing_keys_is_drained(ordered: OrderedLane, keys: list[str]) -> None:
    heads = {f"{key}1" for key in keys}
    for head in heads:
        ordered.handler.will(head, LATER, None)
    ids = ordered.send(*keys)
    ordered.run_until_quiet()
    assert ordered.handler.finished == dict.fromkeys(ids, 1)
    assert [one for one in ordered.handler.runs if one not in heads] == [one for one in ids if one not in heads]
    assert ordered.items() == []
