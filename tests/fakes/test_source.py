"""The fake event source reads answers, redelivers and gives up as Lambda's does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.clock import VirtualClock
from tests.fakes.queue import FakeQueue
from tests.fakes.source import FakeContext, LambdaSqsSource, NotAnAnswer, WorkerDied, failed_ids, run_until_quiet
from tests.fakes.sqs import FakeSqs
from tests.fakes.sqs_messages import md5_of_attributes

MIB = 1024 * 1024
SECOND = timedelta(seconds=1)

IDS = frozenset({"a", "b"})
ALL_FAILED = None


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        pytest.param({"batchItemFailures": []}, set(), id="an empty list"),
        pytest.param({"batchItemFailures": None}, set(), id="a null list"),
        pytest.param(None, set(), id="null"),
        pytest.param({}, set(), id="an empty object"),
        pytest.param({"statusCode": 200}, set(), id="an object without the list"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}, id="one id"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": "a"}] * 2}, {"a"}, id="an id twice"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": "a", "more": 1}]}, {"a"}, id="a key more than needed"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": ""}]}, ALL_FAILED, id="an empty id"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": None}]}, ALL_FAILED, id="a null id"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": 7}]}, ALL_FAILED, id="an id that is a number"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": ["a"]}]}, ALL_FAILED, id="an id that is a list"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": "z"}]}, ALL_FAILED, id="an unknown id"),
        pytest.param({"batchItemFailures": [{"itemId": "a"}]}, ALL_FAILED, id="a wrong key"),
        pytest.param({"batchItemFailures": [{}]}, ALL_FAILED, id="an empty item"),
        pytest.param({"batchItemFailures": ["a"]}, ALL_FAILED, id="an id without its key"),
        pytest.param({"batchItemFailures": "a"}, ALL_FAILED, id="a string for the list"),
        pytest.param({"batchItemFailures": {}}, ALL_FAILED, id="an object for the list"),
        pytest.param("ok", ALL_FAILED, id="a string"),
        pytest.param([], ALL_FAILED, id="a list"),
        pytest.param({"batchItemFailures": {"a"}}, ALL_FAILED, id="a set, which is not JSON"),
        pytest.param(object(), ALL_FAILED, id="an object that is not JSON"),
        pytest.param({"batchItemFailures": [], "cost": float("nan")}, ALL_FAILED, id="NaN, which is not JSON"),
    ],
)
def test_lambda_reads_an_answer(answer: object, failed: set[str] | None) -> None:
    if failed is ALL_FAILED:
        with pytest.raises(NotAnAnswer):
            failed_ids(answer, IDS)
    else:
        assert failed_ids(answer, IDS) == failed


@pytest.fixture
def sqs() -> FakeSqs:
    return FakeSqs(VirtualClock())


@pytest.fixture
def events(sqs: FakeSqs) -> FakeQueue:
    sqs.create_queue(QueueName="dead")
    policy = json.dumps({"deadLetterTargetArn": sqs.queue("dead").arn, "maxReceiveCount": 3})
    sqs.create_queue(QueueName="events", Attributes={"VisibilityTimeout": "180", "RedrivePolicy": policy})
    return sqs.queue("events")


def source_of(events: FakeQueue, handler: Callable[[Any, Any], object], **options: Any) -> LambdaSqsSource:
    return LambdaSqsSource(events, handler, events.clock, **options)


def put(events: FakeQueue, *bodies: str) -> list[str]:
    return [events.put(body, {}, {}).message_id for body in bodies]


class TestTheEventSource:
    def test_hands_a_record_over_as_lambda_does(self, events: FakeQueue) -> None:
        attributes: dict[str, dict[str, Any]] = {
            "shop": {"DataType": "String", "StringValue": "north"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        }
        message = events.put("an order", attributes, {"AWSTraceHeader": "Root=1", "MessageGroupId": "tenant"})
        [delivery] = source_of(events, lambda event, context: None).poll()
        millis = str(events.clock.epoch_millis())
        assert delivery.event["Records"] == [
            {
                "messageId": message.message_id,
                "receiptHandle": message.receipt_handle,
                "body": "an order",
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": millis,
                    "SenderId": "AIDAEXAMPLEPRODUCER",
                    "ApproximateFirstReceiveTimestamp": millis,
                    "AWSTraceHeader": "Root=1",
                    "MessageGroupId": "tenant",
                },
                "messageAttributes": {
                    "shop": {
                        "stringValue": "north",
                        "stringListValues": [],
                        "binaryListValues": [],
                        "dataType": "String",
                    },
                    "raw": {
                        "binaryValue": "AP8=",
                        "stringListValues": [],
                        "binaryListValues": [],
                        "dataType": "Binary",
                    },
                },
                "md5OfBody": hashlib.md5(b"an order", usedforsecurity=False).hexdigest(),
                "md5OfMessageAttributes": md5_of_attributes(attributes),
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:events",
                "awsRegion": "eu-west-1",
            }
        ]

    def test_deletes_what_succeeded_and_leaves_what_failed_until_its_visibility_timeout_ends(
        self, events: FakeQueue
    ) -> None:
        bad, _ = put(events, "bad", "good")
        source = source_of(events, lambda event, context: {"batchItemFailures": [{"itemIdentifier": bad}]})
        source.poll()
        assert [message.body for message in events.messages] == ["bad"]
        events.clock.advance(timedelta(seconds=179))
        assert source.poll() == []
        events.clock.advance(SECOND)
        assert [delivery.ids for delivery in source.poll()] == [[bad]]

    @pytest.mark.parametrize("error", [ValueError("a bug"), WorkerDied("out of memory")], ids=["raises", "dies"])
    def test_an_invocation_that_fails_fails_its_whole_batch(self, events: FakeQueue, error: BaseException) -> None:
        def fail(event: Any, context: Any) -> None:
            raise error

        put(events, "a", "b")
        [delivery] = source_of(events, fail).poll()
        assert delivery.failed == set(delivery.ids)
        assert delivery.error is error
        assert len(events.messages) == 2

    def test_an_answer_that_is_none_fails_its_whole_batch(self, events: FakeQueue) -> None:
        put(events, "a", "b")
        source_of(events, lambda event, context: {"batchItemFailures": [{"itemIdentifier": ""}]}).poll()
        assert len(events.messages) == 2

    def test_without_reported_failures_any_answer_means_success(self, events: FakeQueue) -> None:
        [bad] = put(events, "a")
        answer = {"batchItemFailures": [{"itemIdentifier": bad}]}
        source_of(events, lambda event, context: answer, reports_failures=False).poll()
        assert events.messages == []

    def test_a_throttled_batch_spends_a_receive_and_never_reaches_the_handler(self, events: FakeQueue) -> None:
        put(events, "a")
        source = source_of(events, lambda event, context: None)
        source.throttle()
        assert source.poll() == []
        events.clock.advance(timedelta(seconds=180))
        [delivery] = source.poll()
        assert delivery.event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "2"

    def test_a_message_that_keeps_failing_ends_as_a_dead_letter(self, events: FakeQueue) -> None:
        def fail(event: Any, context: Any) -> None:
            raise ValueError

        put(events, "a")
        source = source_of(events, fail)
        run_until_quiet([source], events.clock)
        assert len(source.deliveries) == 3
        assert events.dead_letter_queue is not None
        assert [letter.body for letter in events.dead_letter_queue.messages] == ["a"]

    def test_a_deleted_message_may_be_delivered_again_under_its_old_id(self, events: FakeQueue) -> None:
        [message_id] = put(events, "a")
        source = source_of(events, lambda event, context: None)
        source.poll()
        events.resurrect(message_id)
        assert [delivery.ids for delivery in source.poll()] == [[message_id]]

    def test_what_exceeds_6_mb_goes_into_the_next_invocation(self, events: FakeQueue) -> None:
        put(events, *["x" * MIB] * 7)
        source = source_of(events, lambda event, context: None)
        assert [len(delivery.ids) for delivery in source.poll()] == [5, 2]

    def test_a_large_batch_takes_several_receives(self, events: FakeQueue) -> None:
        put(events, *["x"] * 30)
        [delivery] = source_of(events, lambda event, context: None, batch_size=25).poll()
        assert len(delivery.ids) == 25

    def test_the_time_that_remains_runs_on_the_virtual_clock(self, events: FakeQueue) -> None:
        seen = []

        def watch(event: Any, context: FakeContext) -> None:
            seen.append(context.get_remaining_time_in_millis())
            events.clock.advance(timedelta(seconds=29))
            seen.append(context.get_remaining_time_in_millis())
            events.clock.advance(timedelta(seconds=2))
            seen.append(context.get_remaining_time_in_millis())

        put(events, "a")
        source_of(events, watch).poll()
        assert seen == [30_000, 1_000, 0]

    def test_a_fifo_group_has_one_batch_in_flight_at_most(self, sqs: FakeSqs) -> None:
        sqs.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})
        queue = sqs.queue("orders.fifo")
        for body in ("a1", "a2", "b1"):
            queue.put(body, {}, {"MessageGroupId": body[0], "MessageDeduplicationId": body})
        meanwhile: list[str] = []

        def work(event: Any, context: Any) -> None:
            meanwhile.extend(message.body for message in queue.receive(10))

        LambdaSqsSource(queue, work, sqs.clock, batch_size=1).poll()
        assert meanwhile == ["b1"]
