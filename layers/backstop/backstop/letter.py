"""A message as a dead-letter queue hands it over in, a dead letter out; and what goes back of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Final

from backstop.errors import MalformedEvent
from backstop.event import Parse, parser
from backstop.message import Message, Outgoing, Record, outgoing, queue_name
from backstop.trail import ATTRIBUTE, FRESH, Trail

MOVED_BY_SQS: Final = "moved by SQS"
"""The reason of what SQS itself moved, as it was received too often and never answered for: nothing else is known."""

ORDERED: Final = ".fifo"
"""What the name of an ordered queue ends with."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, where it lies.

    `record` has the shape in which Lambda hands a message over; its `receiptHandle` is what its place settles it by.
    `trail` is its history as it was written: attempts and all. `event_id` is empty where its body is no event, and
    nothing tells which it was.
    """

    record: Record
    trail: Trail
    event_id: str
    body_id: str
    """The id that its body has; empty where the body is no event."""

    @property
    def message_id(self) -> str:
        """What its place calls it: the same as long as it lies there."""
        return str(self.record["messageId"])

    @property
    def place(self) -> str:
        """The name of the queue in which it lies."""
        return queue_name(self.record)

    @property
    def is_moved_by_sqs(self) -> bool:
        """Whether SQS itself moved it here, so that it carries no reason."""
        return self.trail.verdict != "dead"

    @property
    def reason(self) -> str:
        """Why it is dead."""
        return MOVED_BY_SQS if self.is_moved_by_sqs else self.trail.dead_because

    @property
    def died_at(self) -> datetime:
        """When it died; of what SQS moved, when it was sent: SQS keeps no other time."""
        if not self.is_moved_by_sqs and self.trail.last_failed_at is not None:
            return self.trail.last_failed_at
        return self.sent_at

    @property
    def sent_at(self) -> datetime:
        """The time from which its retention counts."""
        return datetime.fromtimestamp(int(self.record["attributes"]["SentTimestamp"]) / 1000, UTC)

    @property
    def source_queue(self) -> str:
        """The name of the queue that it came from; empty where that is not known."""
        return (
            self.trail.source_queue or self.record["attributes"].get("DeadLetterQueueSourceArn", "").rpartition(":")[2]
        )

    @property
    def key(self) -> str:
        """The key of its event in the ordered lane, or its sender's group; empty if it has neither."""
        return str(self.record["attributes"].get("MessageGroupId", "")) or self.trail.key

    @property
    def name(self) -> str:
        """What it goes by once it is redriven: its event's id, or what its place calls it."""
        return self.event_id or f"#{self.message_id}"

    @property
    def is_ordered(self) -> bool:
        """Whether it has a place among the events of its key."""
        return self.source_queue.endswith(ORDERED)


def bare(found: Letter) -> Letter:
    """Return a letter without what its sender sent: ten thousand bodies may be more than there is memory for."""
    kept = ("messageId", "receiptHandle", "attributes", "eventSourceARN")
    return replace(found, record={name: found.record[name] for name in kept})


def letter(record: Record, queues: frozenset[str], now: datetime) -> Letter:
    """Read a record of a dead-letter queue. `queues` are the names that its history may say it came from."""
    attribute = (record.get("messageAttributes") or {}).get(ATTRIBUTE)
    trail = Trail.written(attribute.get("stringValue"), queues, now) if attribute else FRESH
    body_id = _id_in(record["body"])
    return Letter(record, trail, trail.event_id or body_id, body_id)


def sent_back(found: Letter, redrive_id: str, now: datetime) -> Outgoing | None:
    """Return what goes back to the queue: body and the sender's attributes as they are, and a history that says so.

    A worker reads of the history that it was dead, so that its attempts start anew. None where the history does not
    fit: ten attributes used, or over 1 MiB.
    """
    trail = replace(
        found.trail,
        verdict="dead",
        event_id=found.name,
        last_failed_at=found.trail.last_failed_at or now,  # so that a worker tells of its recovery
        not_before=None,
        redrive_id=redrive_id,
        redrives=found.trail.redrives + 1,
    )
    return outgoing(Message(found.event_id, found.record, trail), trail, 0)


def _id_in(body: str) -> str:
    try:
        return str(_parse()(body)["id"])
    except MalformedEvent:
        return ""


@cache
def _parse() -> Parse:
    return parser({})
