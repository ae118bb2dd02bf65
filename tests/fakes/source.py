"""Lambda's SQS event source in memory: messages in, batches to a handler, and AWS's reading of its answer."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NoReturn

from tests.fakes.clock import VirtualClock
from tests.fakes.queue import FakeQueue, QueuedMessage
from tests.fakes.sqs_messages import MAX_ENTRIES, md5_of, md5_of_attributes, system_attributes

MAX_PAYLOAD_BYTES: Final = 6_000_000
"""What a synchronous invocation carries (Lambda quotas)."""

A_MOMENT: Final = timedelta(milliseconds=1)
"""What a poll takes at least: nothing is received in the very moment in which it is due."""

Record = dict[str, Any]
Handler = Callable[[Any, Any], object]


class WorkerDied(BaseException):
    """Raised where a real worker's process would be gone: `os._exit`, out of memory, a timeout."""


class NotAnAnswer(Exception):
    """Raised when an answer is none that Lambda understands: then the whole batch has failed."""


class FakeContext:
    """What Lambda tells a handler of its invocation, on the virtual clock."""

    def __init__(self, clock: VirtualClock, function_name: str, timeout: timedelta) -> None:
        self.function_name = function_name
        self.invoked_function_arn = f"arn:aws:lambda:eu-west-1:123456789012:function:{function_name}"
        self.memory_limit_in_mb = 512
        self.aws_request_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{function_name}/{clock.now().isoformat()}"))
        self._clock = clock
        self._deadline = clock.now() + timeout

    def get_remaining_time_in_millis(self) -> int:
        """Return how much of the invocation is left."""
        return max(0, int((self._deadline - self._clock.now()) / timedelta(milliseconds=1)))


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one batch. `failed` are the ids that stay in the queue, `error` is what the handler raised."""

    event: Mapping[str, Any]
    failed: frozenset[str]
    answer: object = None
    error: BaseException | None = None

    @property
    def ids(self) -> list[str]:
        """The ids of the batch, in its order."""
        return [record["messageId"] for record in self.event["Records"]]


class LambdaSqsSource:
    """An event source mapping: one queue, one function. Each `poll` is one receive and its invocations.

    Where several batches come of it (6 MB an invocation), they are invoked one after the other. A FIFO group has one
    batch in flight at most: its queue sees to that.
    """

    def __init__(
        self,
        queue: FakeQueue,
        handler: Handler,
        clock: VirtualClock,
        *,
        batch_size: int = 10,
        timeout: timedelta = timedelta(seconds=30),
        function_name: str = "process",
        reports_failures: bool = True,
    ) -> None:
        self.queue = queue
        self.deliveries: list[Delivery] = []
        self._handler = handler
        self._clock = clock
        self._batch_size = batch_size
        self._timeout = timeout
        self._function_name = function_name
        self._reports_failures = reports_failures
        self._throttled = 0

    def throttle(self, polls: int = 1) -> None:
        """Let the next batches never reach the function: its concurrency is used up, the receive is spent."""
        self._throttled += polls

    def poll(self) -> list[Delivery]:
        """Take what can be received, at most a batch, and invoke the function with it."""
        messages = self._receive()
        if messages and self._throttled:
            self._throttled -= 1
            return []
        deliveries = [self._deliver(batch) for batch in _fitting(messages, self.queue.arn)]
        self.deliveries += deliveries
        return deliveries

    def _receive(self) -> list[QueuedMessage]:
        messages: list[QueuedMessage] = []
        while len(messages) < self._batch_size:
            some = self.queue.receive(min(MAX_ENTRIES, self._batch_size - len(messages)))
            messages += some
            if not some:
                break
        return messages

    def _deliver(self, records: Sequence[Record]) -> Delivery:
        event = json.loads(json.dumps({"Records": records}))
        ids = frozenset(record["messageId"] for record in records)
        delivery = self._invoke(event, ids)
        for record in records:
            if record["messageId"] not in delivery.failed:
                self.queue.delete(record["receiptHandle"])
        return delivery

    def _invoke(self, event: dict[str, Any], ids: frozenset[str]) -> Delivery:
        context = FakeContext(self._clock, self._function_name, self._timeout)
        try:
            answer = self._handler(event, context)
        except (Exception, WorkerDied) as error:  # noqa: BLE001  # Lambda's view: the function failed, whatever it was
            return Delivery(event, ids, error=error)
        if not self._reports_failures:
            return Delivery(event, frozenset(), answer)
        try:
            return Delivery(event, failed_ids(answer, ids), answer)
        except NotAnAnswer as error:
            return Delivery(event, ids, answer, error)


def failed_ids(answer: object, ids: Iterable[str]) -> frozenset[str]:
    """Read a handler's answer as Lambda does with ReportBatchItemFailures; raises NotAnAnswer.

    Lambda Developer Guide, "Implementing partial batch responses": null, an empty object, and a list that is null or
    empty mean success; so does an object without that list.
    """
    response = _over_the_wire(answer)
    if response is None:
        return frozenset()
    if not isinstance(response, dict):
        raise NotAnAnswer("not an object")
    items = response.get("batchItemFailures")
    if items is None:
        return frozenset()
    if not isinstance(items, list):
        raise NotAnAnswer("batchItemFailures is no list")
    return frozenset(_identifier(item, frozenset(ids)) for item in items)


def record_of(message: QueuedMessage, queue_arn: str) -> Record:
    """Return a received message as Lambda hands it over."""
    record: Record = {
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": system_attributes(message),
        "messageAttributes": {name: _attribute(value) for name, value in message.attributes.items()},
        "md5OfBody": md5_of(message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": "eu-west-1",
    }
    if message.attributes:
        record["md5OfMessageAttributes"] = md5_of_attributes(message.attributes)
    return record


def run_until_quiet(sources: Sequence[LambdaSqsSource], clock: VirtualClock) -> None:
    """Poll, and let time pass when nothing is due, until the sources' queues are empty."""
    for _ in deliveries_until_quiet(sources, clock):
        pass


def deliveries_until_quiet(
    sources: Sequence[LambdaSqsSource], clock: VirtualClock, most_rounds: int = 10_000
) -> Iterator[Delivery]:
    """Do as `run_until_quiet`, and hand out each delivery when it has happened."""
    for _ in range(most_rounds):
        due = [moment for source in sources if (moment := source.queue.next_due()) is not None]
        if not due:
            return
        clock.advance_to(min(due))
        clock.advance(A_MOMENT)
        for source in sources:
            yield from source.poll()
    raise AssertionError(f"the queues are still not empty after {most_rounds} rounds of polls")


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    shape: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        return {"stringValue": value["StringValue"], **shape}
    return {"binaryValue": base64.b64encode(value["BinaryValue"]).decode(), **shape}


def _fitting(messages: Sequence[QueuedMessage], queue_arn: str) -> Iterator[list[Record]]:
    """Split what was received into batches that an invocation carries."""
    batch: list[Record] = []
    size = 0
    for message in messages:
        record = record_of(message, queue_arn)
        bytes_taken = len(json.dumps(record))
        if batch and size + bytes_taken > MAX_PAYLOAD_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += bytes_taken
    if batch:
        yield batch


def _over_the_wire(answer: object) -> Any:
    try:
        return json.loads(json.dumps(answer), parse_constant=_reject)
    except (TypeError, ValueError) as error:
        raise NotAnAnswer("not JSON") from error


def _reject(name: str) -> NoReturn:
    raise ValueError(name)


def _identifier(item: object, ids: frozenset[str]) -> str:
    identifier = item.get("itemIdentifier") if isinstance(item, dict) else None
    if not isinstance(identifier, str) or identifier not in ids:
        raise NotAnAnswer("an item names none of the batch")
    return identifier
