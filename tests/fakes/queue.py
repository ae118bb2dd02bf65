"""One SQS queue in memory: messages in, the same messages out, with everything that SQS does to them in between."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from tests.fakes.clock import VirtualClock

Attributes = Mapping[str, Mapping[str, Any]]

DEDUPLICATION_WINDOW: Final = timedelta(minutes=5)
LONGEST_VISIBILITY: Final = timedelta(hours=12)


class HandleInvalid(Exception):
    """Raised when a receipt handle was never given out by this queue, or does not count any more."""


class NotInFlight(Exception):
    """Raised when the visibility of a message is changed that nobody holds."""


@dataclass(eq=False, slots=True)
class QueuedMessage:
    """A message as SQS keeps it."""

    message_id: str
    body: str
    attributes: Attributes
    system: dict[str, str]
    """What its sender said to SQS rather than to its reader: `MessageGroupId`, `AWSTraceHeader` and the like."""
    enqueued_at: datetime
    visible_at: datetime
    receive_count: int = 0
    first_received_at: datetime | None = None
    receipt_handle: str = ""

    @property
    def group(self) -> str:
        """The group that orders it in a FIFO queue."""
        return self.system.get("MessageGroupId", "")

    def is_in_flight(self, now: datetime) -> bool:
        """Whether a receiver holds it."""
        return bool(self.receipt_handle) and self.visible_at > now


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What a queue is created with."""

    visibility_timeout: timedelta = timedelta(seconds=30)
    retention: timedelta = timedelta(days=4)
    delay: timedelta = timedelta(0)
    max_receive_count: int | None = None
    is_fifo: bool = False
    is_shuffled: bool = False
    """Whether a standard queue hands out in any order, as it may; else in the order of arrival, for tests to tell."""
    deduplicates_content: bool = False


@dataclass(eq=False, slots=True)
class FakeQueue:
    """A queue, standard or FIFO. `dead_letter_queue` takes what was received too often."""

    name: str
    clock: VirtualClock
    random: Random
    settings: QueueSettings
    dead_letter_queue: FakeQueue | None = None
    messages: list[QueuedMessage] = field(default_factory=list)
    deleted: dict[str, QueuedMessage] = field(default_factory=dict)
    expired: list[QueuedMessage] = field(default_factory=list)
    _sent: dict[str, tuple[datetime, QueuedMessage]] = field(default_factory=dict)
    _sequence_number: int = 0

    @property
    def url(self) -> str:
        """The address by which calls name it."""
        return f"https://sqs.eu-west-1.amazonaws.com/123456789012/{self.name}"

    @property
    def arn(self) -> str:
        """The name by which AWS's services know it."""
        return f"arn:aws:sqs:eu-west-1:123456789012:{self.name}"

    def put(
        self, body: str, attributes: Attributes, system: Mapping[str, str], delay: timedelta | None = None
    ) -> QueuedMessage:
        """Take a message; in a FIFO queue, a duplicate within 5 minutes is taken and silently dropped."""
        deduplication_id = system.get("MessageDeduplicationId", "")
        now = self.clock.now()
        sent = self._sent.get(deduplication_id) if deduplication_id else None
        if sent is not None and now - sent[0] < DEDUPLICATION_WINDOW:
            return sent[1]
        due = now + (self.settings.delay if delay is None else delay)
        message = QueuedMessage(self._new_id(), body, dict(attributes), dict(system), now, due)
        if self.settings.is_fifo:
            self._sequence_number += 1
            message.system["SequenceNumber"] = f"{self._sequence_number:020}"
        if deduplication_id:
            self._sent[deduplication_id] = (now, message)
        self.messages.append(message)
        return message

    def receive(self, limit: int, visibility: timedelta | None = None) -> list[QueuedMessage]:
        """Hand out up to `limit` messages, each hidden until its visibility timeout ends."""
        self.sweep()
        now = self.clock.now()
        taken = [message for message, _ in zip(self._deliverable(now), range(limit), strict=False)]
        for message in taken:
            message.receive_count += 1
            message.first_received_at = message.first_received_at or now
            message.receipt_handle = f"{message.message_id}#{message.receive_count}"
            message.visible_at = now + (self.settings.visibility_timeout if visibility is None else visibility)
        return taken

    def delete(self, receipt_handle: str) -> None:
        """Forget a message. One that is gone already is no error, and an older handle of it has no effect.

        Raises HandleInvalid for a handle that is none, and in a FIFO queue for one whose visibility timeout has ended.
        """
        message = self._held_by(receipt_handle)
        if message is None or message.receipt_handle != receipt_handle:
            return
        if self.settings.is_fifo and not message.is_in_flight(self.clock.now()):
            raise HandleInvalid("The receipt handle has expired")
        self.messages.remove(message)
        self.deleted[message.message_id] = message

    def change_visibility(self, receipt_handle: str, timeout: timedelta) -> None:
        """Hide a message for `timeout` from now on. Raises HandleInvalid and NotInFlight."""
        message = self._held_by(receipt_handle)
        if message is None or timeout > LONGEST_VISIBILITY:
            raise HandleInvalid("Message does not exist or is not available for visibility timeout change.")
        if not message.is_in_flight(self.clock.now()):
            raise NotInFlight
        message.visible_at = self.clock.now() + timeout

    def sweep(self) -> None:
        """Do what time has brought: drop what is too old, move what was received too often."""
        now = self.clock.now()
        for message in list(self.messages):
            if now - message.enqueued_at >= self.settings.retention:
                self.messages.remove(message)
                self.expired.append(message)
            elif self._was_received_too_often(message) and message.visible_at <= now:
                self.messages.remove(message)
                self._move_to_dead_letters(message)

    def resurrect(self, message_id: str) -> None:
        """Deliver a deleted message once more, as a standard queue may do."""
        message = self.deleted.pop(message_id)
        message.visible_at = self.clock.now()
        self.messages.append(message)

    def next_due(self) -> datetime | None:
        """Return when the next message can be received, or None where there is none."""
        self.sweep()
        if not self.settings.is_fifo:
            return min((message.visible_at for message in self.messages), default=None)
        now = self.clock.now()
        due: dict[str, datetime] = {}
        for message in self.messages:
            earliest = due.setdefault(message.group, message.visible_at)
            if message.is_in_flight(now):  # it blocks its group
                due[message.group] = max(earliest, message.visible_at)
        return min(due.values(), default=None)

    def _deliverable(self, now: datetime) -> Iterator[QueuedMessage]:
        blocked: set[str] = set()
        if self.settings.is_fifo:
            blocked = {message.group for message in self.messages if message.is_in_flight(now)}
        messages = list(self.messages)
        if self.settings.is_shuffled:
            self.random.shuffle(messages)
        for message in messages:
            if message.visible_at <= now and message.group not in blocked:
                yield message
            elif self.settings.is_fifo:
                blocked.add(message.group)  # nobody overtakes within a group

    def _held_by(self, receipt_handle: str) -> QueuedMessage | None:
        message_id, mark, _ = receipt_handle.partition("#")
        if not mark:
            raise HandleInvalid(f'The input receipt handle "{receipt_handle}" is not a valid receipt handle.')
        return next((message for message in self.messages if message.message_id == message_id), None)

    def _was_received_too_often(self, message: QueuedMessage) -> bool:
        limit = self.settings.max_receive_count
        return limit is not None and message.receive_count >= limit

    def _move_to_dead_letters(self, message: QueuedMessage) -> None:
        """Move a message with its id and its count of receives; a standard queue keeps its age, a FIFO one does not."""
        assert self.dead_letter_queue is not None
        now = self.clock.now()
        message.receipt_handle = ""
        message.visible_at = now
        message.system["DeadLetterQueueSourceArn"] = self.arn
        if self.settings.is_fifo:
            message.enqueued_at = now
            message.system["MessageDeduplicationId"] = message.message_id
        self.dead_letter_queue.messages.append(message)

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))
