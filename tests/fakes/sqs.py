"""SQS in memory, behind the method names of a boto3 client: what AWS takes and refuses, and what a test lets fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Final, NamedTuple

from botocore.exceptions import ClientError

from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults, error_of
from tests.fakes.queue import FakeQueue, HandleInvalid, NotInFlight, QueueSettings
from tests.fakes.sqs_messages import (
    MAX_BYTES,
    MAX_ENTRIES,
    PREFIX,
    Answer,
    Entry,
    check_batch,
    check_entry,
    failed_entry,
    put,
    received,
    refusal,
    sent,
    size_of,
)

MOVED_ALONG: Final = ("MessageGroupId", "AWSTraceHeader")


class Call(NamedTuple):
    """A call that somebody made."""

    operation: str
    request: Mapping[str, Any]

    @property
    def queue(self) -> str:
        """The name of the queue that it went to."""
        return str(self.request["QueueUrl"]).rpartition("/")[2]


class FakeSqs:
    """The part of a boto3 SQS client that the product uses, and what it takes to set up queues.

    `refuses` says which entries of a batch SQS does not take; `faults` says which calls fail as a whole.
    """

    def __init__(
        self, clock: VirtualClock, faults: Faults | None = None, seed: int = 0, *, is_shuffled: bool = False
    ) -> None:
        self.clock = clock
        self.faults = faults or Faults()
        self.refuses: Callable[[str, Entry], bool] = lambda operation, entry: False
        self.calls: list[Call] = []
        self.queues: dict[str, FakeQueue] = {}
        self._random = Random(seed)
        self._is_shuffled = is_shuffled

    def queue(self, name_or_url: str) -> FakeQueue:
        """Return a queue by its name or address, as tests look into it."""
        return self.queues[name_or_url.rpartition("/")[2]]

    def create_queue(self, *, QueueName: str, Attributes: Mapping[str, str] | None = None) -> Answer:  # noqa: N803  # boto3's
        """Make a queue; a redrive policy names a queue that exists."""
        given = dict(Attributes or {})
        redrive = json.loads(given.get("RedrivePolicy", "{}"))
        settings = QueueSettings(
            visibility_timeout=timedelta(seconds=int(given.get("VisibilityTimeout", "30"))),
            retention=timedelta(seconds=int(given.get("MessageRetentionPeriod", "345600"))),
            delay=timedelta(seconds=int(given.get("DelaySeconds", "0"))),
            max_receive_count=int(redrive["maxReceiveCount"]) if redrive else None,
            is_fifo=given.get("FifoQueue") == "true",
            is_shuffled=self._is_shuffled and given.get("FifoQueue") != "true",
            deduplicates_content=given.get("ContentBasedDeduplication") == "true",
        )
        dead_letter_queue = self.queues[redrive["deadLetterTargetArn"].rpartition(":")[2]] if redrive else None
        queue = FakeQueue(QueueName, self.clock, self._random, settings, dead_letter_queue)
        self.queues[QueueName] = queue
        return {"QueueUrl": queue.url}

    def send_message(self, **request: Any) -> Answer:
        """Send one message."""
        return self._call("SendMessage", request, self._send)

    def send_message_batch(self, **request: Any) -> Answer:
        """Send up to 10 messages of 1 MiB in all."""
        return self._call("SendMessageBatch", request, self._send_batch)

    def receive_message(self, **request: Any) -> Answer:
        """Receive up to 10 messages; it never waits."""
        return self._call("ReceiveMessage", request, self._receive)

    def delete_message(self, **request: Any) -> Answer:
        """Delete one message."""
        return self._call("DeleteMessage", request, self._delete)

    def delete_message_batch(self, **request: Any) -> Answer:
        """Delete up to 10 messages."""
        return self._call("DeleteMessageBatch", request, self._delete_batch)

    def change_message_visibility(self, **request: Any) -> Answer:
        """Change the visibility timeout of one message."""
        return self._call("ChangeMessageVisibility", request, self._change)

    def change_message_visibility_batch(self, **request: Any) -> Answer:
        """Change the visibility timeout of up to 10 messages."""
        return self._call("ChangeMessageVisibilityBatch", request, self._change_batch)

    def get_queue_attributes(self, **request: Any) -> Answer:
        """Count what is in a queue."""
        return self._call("GetQueueAttributes", request, self._count)

    def start_message_move_task(self, *, SourceArn: str, DestinationArn: str) -> Answer:  # noqa: N803  # boto3's names
        """Move all dead letters at once: each is a new message with the old one's body and attributes."""
        source = self.queues[SourceArn.rpartition(":")[2]]
        destination = self.queues[DestinationArn.rpartition(":")[2]]
        if not any(queue.dead_letter_queue is source for queue in self.queues.values()):
            raise refusal("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
        while letters := source.receive(MAX_ENTRIES):
            for letter in letters:
                source.delete(letter.receipt_handle)
                kept = {
                    name: text for name, text in letter.system.items() if name in ("MessageGroupId", "AWSTraceHeader")
                }
                destination.put(letter.body, letter.attributes, kept)
        return {"TaskHandle": "done already"}

    def _call(self, operation: str, request: dict[str, Any], perform: Callable[[FakeQueue, Entry], Answer]) -> Answer:
        self.calls.append(Call(operation, request))
        fault = self.faults.next(operation, request)
        if fault is not None and not fault.takes_effect:
            raise error_of(fault, "sqs", operation)
        name = str(request["QueueUrl"]).rpartition("/")[2]
        if name not in self.queues:
            raise refusal(f"{PREFIX}NonExistentQueue", "The specified queue does not exist.", operation)
        answer = perform(self.queues[name], request)
        if fault is not None:
            raise error_of(fault, "sqs", operation)
        return answer

    def _send(self, queue: FakeQueue, request: Entry) -> Answer:
        if size_of(request) > MAX_BYTES:
            reason = f"One or more parameters are invalid. Reason: Message must be shorter than {MAX_BYTES} bytes."
            raise refusal("InvalidParameterValue", reason)
        check_entry(queue, request)
        return sent(put(queue, request))

    def _send_batch(self, queue: FakeQueue, request: Entry) -> Answer:
        total = sum(size_of(entry) for entry in request["Entries"])
        if total > MAX_BYTES:
            raise refusal(f"{PREFIX}BatchRequestTooLong", f"You have sent {total} bytes.")

        def send(entry: Entry) -> Answer:
            check_entry(queue, entry)
            return sent(put(queue, entry))

        return self._each("SendMessageBatch", request["Entries"], send)

    def _receive(self, queue: FakeQueue, request: Entry) -> Answer:
        timeout = request.get("VisibilityTimeout")
        visibility = None if timeout is None else timedelta(seconds=timeout)
        messages = queue.receive(int(request.get("MaxNumberOfMessages", 1)), visibility)
        return {"Messages": [received(message, request) for message in messages]} if messages else {}

    def _delete(self, queue: FakeQueue, request: Entry) -> Answer:
        try:
            queue.delete(request["ReceiptHandle"])
        except HandleInvalid as error:
            raise refusal("ReceiptHandleIsInvalid", str(error)) from None
        return {}

    def _delete_batch(self, queue: FakeQueue, request: Entry) -> Answer:
        return self._each("DeleteMessageBatch", request["Entries"], lambda entry: self._delete(queue, entry))

    def _change(self, queue: FakeQueue, request: Entry) -> Answer:
        try:
            queue.change_visibility(request["ReceiptHandle"], timedelta(seconds=request["VisibilityTimeout"]))
        except HandleInvalid as error:
            raise refusal("ReceiptHandleIsInvalid", str(error)) from None
        except NotInFlight:
            raise refusal(f"{PREFIX}MessageNotInflight", "The message is not in flight.") from None
        return {}

    def _change_batch(self, queue: FakeQueue, request: Entry) -> Answer:
        entries = request["Entries"]
        return self._each("ChangeMessageVisibilityBatch", entries, lambda entry: self._change(queue, entry))

    def _count(self, queue: FakeQueue, request: Entry) -> Answer:
        now = self.clock.now()
        queue.sweep()
        in_flight = sum(message.is_in_flight(now) for message in queue.messages)
        visible = sum(message.visible_at <= now for message in queue.messages)
        counts = {
            "ApproximateNumberOfMessages": visible,
            "ApproximateNumberOfMessagesNotVisible": in_flight,
            "ApproximateNumberOfMessagesDelayed": len(queue.messages) - in_flight - visible,
        }
        kept_seconds = round(queue.settings.retention.total_seconds())
        said = {"QueueArn": queue.arn, "MessageRetentionPeriod": str(kept_seconds)}
        attributes = {name: str(count) for name, count in counts.items()} | said
        asked = request.get("AttributeNames", [])
        return {"Attributes": {name: value for name, value in attributes.items() if "All" in asked or name in asked}}

    def _each(self, operation: str, entries: Sequence[Entry], perform: Callable[[Entry], Answer]) -> Answer:
        check_batch(entries)
        answer: Answer = {"Successful": [], "Failed": []}
        for entry in entries:
            try:
                if self.refuses(operation, entry):
                    raise refusal("InternalError", "a test says: this entry is not taken")
                answer["Successful"].append({"Id": entry["Id"], **perform(entry)})
            except ClientError as error:
                answer["Failed"].append(failed_entry(entry, error))
        return {name: outcome for name, outcome in answer.items() if outcome}
