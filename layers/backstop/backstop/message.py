"""An SQS record in, a message out; a message and its history in, what is sent to another queue out."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from backstop.kinds import Kind
from backstop.trail import ATTRIBUTE, FRESH, Trail

Record = Mapping[str, Any]

_new: Final = tuple.__new__  # what a NamedTuple's own constructor calls: the way that each good message takes

MAX_ATTRIBUTES: Final = 10
MAX_BYTES: Final = 1024 * 1024
"""A message's size, its attributes included, and a batch's (SQS quotas, 2025)."""

_TOKEN_NAMESPACE: Final = uuid.UUID("5d1f3c0e-6f0b-4f7e-9a53-2f8f3e6f6a51")


class Message(NamedTuple):
    """An event on its way, as its handler sees it."""

    event_id: str
    """The event's `id`; empty where the body is no event."""
    record: Record
    """The record as Lambda handed it over."""
    trail: Trail
    """What befell the message before: nothing, for a fresh one."""

    @property
    def body(self) -> str:
        """The body as its sender sent it."""
        return str(self.record["body"])

    @property
    def attempt(self) -> int:
        """Which attempt this is: 1 for the first."""
        return self.trail.attempt + 1

    @property
    def token(self) -> str:
        """The value to make an effect conditional on: a UUID, the same whenever this event is run."""
        return str(uuid.uuid5(_TOKEN_NAMESPACE, self.event_id))

    @property
    def lineage(self) -> str:
        """What changes each time that this message is re-sent after a failure, and at no other time."""
        return "" if self.trail.last_failed_at is None else self.trail.last_failed_at.isoformat()

    @property
    def first_failed_at(self) -> datetime | None:
        """When this message first failed; None as long as it has not."""
        return self.trail.first_failed_at

    def waited_until(self, now: datetime) -> timedelta:
        """Return how long it has waited for what was not its own fault, `now` included."""
        waited = timedelta(seconds=self.trail.waited_seconds)
        was_excused = self.trail.is_excused or self.trail.kind == Kind.SYSTEM  # written before excuses were
        if was_excused and self.trail.last_failed_at is not None:
            waited += now - self.trail.last_failed_at
        return waited

    @property
    def sent_at(self) -> datetime:
        """When this message was sent to the queue that it was read from."""
        return datetime.fromtimestamp(int(self._system["SentTimestamp"]) / 1000, UTC)

    @property
    def key(self) -> str:
        """The group that its sender gave it (`MessageGroupId`), or an empty string."""
        return str(self._system.get("MessageGroupId", ""))

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The sender's own message attributes, as Lambda hands them over."""
        return {name: value for name, value in self._attributes.items() if name != ATTRIBUTE}

    @property
    def message_id(self) -> str:
        """What SQS calls this message. A re-sent one is called otherwise: key nothing on it."""
        return str(self.record["messageId"])

    @property
    def queue(self) -> str:
        """The name of the queue that the message was read from."""
        return queue_name(self.record)

    @property
    def was_received_before(self) -> bool:
        """Whether SQS has handed this very message to a worker before."""
        return bool(received_before([self.record]))

    @property
    def _system(self) -> Mapping[str, Any]:
        return self.record["attributes"]  # type: ignore[no-any-return]

    @property
    def _attributes(self) -> Mapping[str, Any]:
        return self.record.get("messageAttributes") or {}


class Outgoing(NamedTuple):
    """A message to send: body as it came, the sender's attributes and the history's."""

    message: Message
    trail: Trail
    attribute: str
    delay_seconds: int
    size: int

    def entry(self, entry_id: str) -> dict[str, Any]:
        """Return the entry of a SendMessageBatch call."""
        system = self.message.record["attributes"]
        entry: dict[str, Any] = {
            "Id": entry_id,
            "MessageBody": self.message.body,
            "DelaySeconds": self.delay_seconds,
            "MessageAttributes": {name: _to_send(value) for name, value in self.message.attributes.items()}
            | {ATTRIBUTE: {"DataType": "String", "StringValue": self.attribute}},
        }
        if "MessageGroupId" in system:
            entry["MessageGroupId"] = system["MessageGroupId"]
        if "AWSTraceHeader" in system:
            header = {"DataType": "String", "StringValue": system["AWSTraceHeader"]}
            entry["MessageSystemAttributes"] = {"AWSTraceHeader": header}
        return entry


class Refused(NamedTuple):
    """A message that the other queue did not take, or may not have taken, and why."""

    outgoing: Outgoing
    why: str
    is_sure: bool = False
    """Whether it surely was not taken."""


def read(record: Record, event_id: str, queues: frozenset[str], now: datetime) -> Message:
    """Read a record. `queues` are the names that its history may say it came from."""
    attributes = record.get("messageAttributes")
    if attributes and ATTRIBUTE in attributes:
        return Message(event_id, record, Trail.parse(attributes[ATTRIBUTE].get("stringValue"), queues, now))
    return _new(Message, (event_id, record, FRESH))


def outgoing(message: Message, trail: Trail, delay_seconds: int) -> Outgoing | None:
    """Prepare `message` for another queue, its history shortened until it fits; None where it does not fit at all."""
    if len(message.attributes) >= MAX_ATTRIBUTES:
        return None
    try:
        fixed = _size(message)
    except UnicodeEncodeError:  # not text that SQS could take
        return None
    for candidate in (trail, trail.shortened()):
        attribute = candidate.serialise()
        size = fixed + len(ATTRIBUTE) + len("String") + len(attribute)
        if size <= MAX_BYTES:
            return Outgoing(message, candidate, attribute, delay_seconds, size)
    return None


def queue_name(record: Record) -> str:
    """Return the name of the queue that a record was read from."""
    return str(record.get("eventSourceARN", "")).rpartition(":")[2]


def received_before(records: Sequence[Record]) -> list[Record]:
    """Return those records that SQS has handed to a worker before."""
    return [record for record in records if record["attributes"].get("ApproximateReceiveCount", "1") != "1"]


def receive_count(record: Record) -> int:
    """Return how often SQS has handed this very message to a worker, this time included."""
    return int(record["attributes"].get("ApproximateReceiveCount", "1"))


def _size(message: Message) -> int:
    return len(message.body.encode()) + sum(
        len(name.encode()) + len(value["dataType"]) + _value_size(value) for name, value in message.attributes.items()
    )


def _value_size(value: Mapping[str, Any]) -> int:
    if value.get("stringValue") is not None:
        return len(value["stringValue"].encode())
    return len(base64.b64decode(value.get("binaryValue") or ""))


def _to_send(value: Mapping[str, Any]) -> dict[str, Any]:
    """Turn an attribute as Lambda hands it over into one as SendMessageBatch takes it."""
    if value.get("stringValue") is not None:
        return {"DataType": value["dataType"], "StringValue": value["stringValue"]}
    return {"DataType": value["dataType"], "BinaryValue": base64.b64decode(value.get("binaryValue") or "")}
