"""What a batch costs, what is answered and what is re-sent, through the real app.py."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from backstop import Message, PermanentError, TransientError
from tests.fakes.handler import Event
from tests.fakes.source import LambdaSqsSource
from tests.lane import FUNCTION_TIMEOUT, ProcessLane

SENDS_OWN = {
    "shop": {"DataType": "String", "StringValue": "süd"},
    "weight": {"DataType": "Number.float", "StringValue": "1.50"},
    "raw": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
}
TRACE = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5e3d83c1-e6a0db584850d61342823d4c"}}


class TestGoodMessages:
    def test_cost_no_call_but_idempotencys_and_no_log_line(self, lane: ProcessLane) -> None:
        lane.send(*[lane.order() for _ in range(10)])
        lane.faults.calls.clear()
        delivery = lane.deliver()
        assert delivery.answer == {"batchItemFailures": []}
        assert lane.faults.calls == Counter({"PutItem": 10, "UpdateItem": 10})
        assert lane.printed() == ""
        assert lane.events.messages == []

    def test_that_were_received_before_cost_one_call_more(self, lane: ProcessLane) -> None:
        lane.send(*[lane.order() for _ in range(10)])
        lane.events_source.throttle()
        lane.events_source.poll()
        lane.faults.calls.clear()
        lane.run_until_quiet()
        assert lane.faults.calls == Counter({"BatchGetItem": 1, "PutItem": 10, "UpdateItem": 10})

    def test_are_seen_by_their_handler_as_they_were_sent(self, lane: ProcessLane) -> None:
        order = lane.order("a")
        lane.send(order, MessageAttributes=SENDS_OWN, MessageGroupId="tenant-7")
        lane.deliver()
        [message] = lane.handler.messages
        assert json.loads(message.body) == order
        assert (message.event_id, message.attempt, message.key, message.queue) == ("a", 1, "tenant-7", "shop-events")
        assert message.attributes["shop"]["stringValue"] == "süd"
        assert message.sent_at == lane.clock.now()
        assert message.first_failed_at is None

    def test_that_are_done_are_not_run_again_under_whatever_message_id(self, lane: ProcessLane) -> None:
        order = lane.order("a")
        [message_id] = lane.send(order)
        lane.deliver()
        lane.events.resurrect(message_id)
        lane.send(order)
        lane.run_until_quiet()
        assert lane.handler.runs == ["a"]
        assert lane.reports() == []

    def test_have_the_same_token_in_each_run_and_another_than_other_events(self, lane: ProcessLane) -> None:
        lane.handler.will("a", TransientError("not now"), None)
        lane.send(lane.order("a"), lane.order("b"))
        lane.run_until_quiet()
        tokens = {(message.event_id, message.token) for message in lane.handler.messages}
        assert len(lane.handler.messages) == 3
        assert len(tokens) == len({token for _, token in tokens}) == 2


class TestFailedMessages:
    @pytest.mark.parametrize(
        ("transient", "permanent", "batch_size", "sends"),
        [
            pytest.param(1, 0, 10, {"shop-retry": 1}, id="one of ten"),
            pytest.param(10, 0, 10, {"shop-retry": 1}, id="ten of ten"),
            pytest.param(4, 3, 10, {"shop-retry": 1, "shop-dead": 1}, id="to both destinations"),
            pytest.param(25, 0, 25, {"shop-retry": 3}, id="25 of 25"),
            pytest.param(13, 12, 25, {"shop-retry": 2, "shop-dead": 2}, id="13 and 12 of 25"),
        ],
    )
    def test_cost_a_send_call_for_each_ten_and_destination(
        self, lane: ProcessLane, transient: int, permanent: int, batch_size: int, sends: dict[str, int]
    ) -> None:
        errors = [TransientError("later")] * transient + [PermanentError("never")] * permanent
        orders = [lane.order() for _ in range(max(10, len(errors)))]
        for order, error in zip(orders, errors, strict=False):
            lane.handler.will(order["id"], error)
        lane.send(*orders)
        lane.sqs.calls.clear()
        LambdaSqsSource(lane.events, lane.invoke, lane.clock, batch_size=batch_size).poll()
        assert {call.operation for call in lane.sqs.calls} == {"SendMessageBatch"}
        assert Counter(call.queue for call in lane.sqs.calls) == sends
        assert len(lane.retries.messages) == transient
        assert len(lane.dead_letters.messages) == permanent

    def test_of_great_size_are_sent_in_batches_that_sqs_takes(self, lane: ProcessLane) -> None:
        orders = [lane.order() for _ in range(5)]
        for order in orders:
            lane.handler.will(order["id"], TransientError("later"))
        lane.send(*[json.dumps(order) + " " * 400_000 for order in orders])
        delivery = lane.deliver()
        assert delivery.failed == set()
        assert Counter(call.operation for call in lane.sqs.calls)["SendMessageBatch"] == 3
        assert len(lane.retries.messages) == 5

    @pytest.mark.parametrize("error", [TransientError("later"), PermanentError("never")], ids=["retried", "dead"])
    def test_are_sent_on_whole(self, lane: ProcessLane, error: Exception) -> None:
        body = '{"id":"a" ,\n\t"customer":"Ünal é \\u00e9","currency":"EUR","placed_at":"2026-01-05T09:00:00Z",'
        body += '"items":[{"quantity":1e0,"sku":"tea"}]} '
        lane.handler.will("a", error)
        lane.send(body, MessageAttributes=SENDS_OWN, MessageGroupId="tenant-7", MessageSystemAttributes=TRACE)
        lane.deliver()
        [message] = lane.retries.messages + lane.dead_letters.messages
        assert message.body == body
        assert {name: value for name, value in message.attributes.items() if name != "backstop"} == SENDS_OWN
        assert message.system["MessageGroupId"] == "tenant-7"
        assert message.system["AWSTraceHeader"] == TRACE["AWSTraceHeader"]["StringValue"]

    def test_carry_what_befell_them(self, lane: ProcessLane) -> None:
        lane.handler.will("a", TransientError("no price for 'tea'"))
        lane.send(lane.order("a"), MessageGroupId="tenant-7")
        lane.deliver()
        failed_at = lane.clock.now().isoformat(timespec="milliseconds")
        [trail] = lane.trails(lane.retries)
        group = trail.pop("group")
        assert len(group) == 16
        assert trail == {
            "version": 1,
            "attempt": 1,
            "event_id": "a",
            "key": "tenant-7",
            "first_failed_at": failed_at,
            "last_failed_at": failed_at,
            "source_queue": "shop-events",
            "verdict": "retry",
            "kind": "transient",
            "error_type": "TransientError",
            "reason": "no price for <quoted>",
            "release": "r1",
        }

    def test_keep_their_first_failure_and_their_first_queue_from_attempt_to_attempt(self, lane: ProcessLane) -> None:
        lane.handler.will("a", TransientError("first"), TransientError("second"))
        lane.send(lane.order("a"))
        lane.deliver()
        [first] = lane.trails(lane.retries)
        lane.deliver_retries()
        [second] = lane.trails(lane.retries)
        assert second["first_failed_at"] == first["first_failed_at"] < second["last_failed_at"]
        assert (second["source_queue"], second["attempt"], second["reason"]) == ("shop-events", 2, "second")


class TestTimeThatRunsOut:
    def test_gives_back_at_once_what_was_not_started(self, lane: ProcessLane) -> None:
        slow = [lane.order() for _ in range(10)]
        for order in slow:
            lane.handler.will(order["id"], takes(lane, seconds=12))
        ids = lane.send(*slow)
        delivery = lane.deliver()
        assert delivery.error is None
        assert lane.handler.runs == [order["id"] for order in slow[:2]]
        assert delivery.failed == set(ids[2:])
        assert lane.events.next_due() == lane.clock.now()
        changes = [call for call in lane.sqs.calls if call.operation == "ChangeMessageVisibilityBatch"]
        assert {entry["VisibilityTimeout"] for [entry, *_] in [call.request["Entries"] for call in changes]} == {0}

    def test_costs_the_messages_no_attempt_and_no_log_line(self, lane: ProcessLane) -> None:
        slow = [lane.order() for _ in range(10)]
        for order in slow:
            lane.handler.will(order["id"], takes(lane, seconds=12))
        lane.send(*slow)
        lane.run_until_quiet()
        assert lane.handler.runs == [order["id"] for order in slow]
        assert {message.attempt for message in lane.handler.messages} == {1}
        assert lane.reports() == []

    def test_makes_no_dead_letters_of_a_backlog(self, lane: ProcessLane) -> None:
        slow = [lane.order() for _ in range(25)]
        for order in slow:
            lane.handler.will(order["id"], takes(lane, seconds=25))
        lane.send(*slow)
        lane.run_until_quiet()
        assert lane.handler.finished == {order["id"]: 1 for order in slow}
        assert lane.dead_letters.messages == []

    def test_leaves_enough_to_send_on_what_failed(self, lane: ProcessLane) -> None:
        def fail(event: Event, message: Message) -> None:
            takes(lane, seconds=9)(event, message)
            raise TransientError("slow and late")

        orders = [lane.order() for _ in range(5)]
        for order in orders:
            lane.handler.will(order["id"], fail, None)
        lane.send(*orders)
        started = lane.clock.now()
        lane.deliver()
        assert lane.clock.now() - started < FUNCTION_TIMEOUT
        assert len(lane.retries.messages) == 3
        assert len(lane.events.messages) == 2


def takes(lane: ProcessLane, seconds: float) -> Callable[[Event, Message], None]:
    """Return a run that takes its time."""
    return lambda event, message: lane.clock.advance(timedelta(seconds=seconds))
