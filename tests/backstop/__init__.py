"""What the package's tests build on: a moment that is now, records as Lambda hands them over, messages, and a flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from backstop.backoff import Backoff, Shape
from backstop.event import Event, parser
from backstop.message import Message, Record
from backstop.process import Flow
from backstop.trail import FRESH, Trail
from backstop.verdict import Policy

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUEUES = frozenset({"events", "retry"})
MARKER = "Zanzibar"
"""Stands for what must not be told: it is in the payload, so it must not be in the report."""

PARSE = parser({"type": "object"})
EVERY_5_S = Policy(backoff=Backoff(base=timedelta(seconds=5), shape=Shape.FIXED))


def record(
    event_id: str = "a",
    *,
    body: str | None = None,
    message_id: str = "",
    queue: str = "events",
    receives: int = 1,
    attributes: Mapping[str, Any] | None = None,
    **system: str,
) -> dict[str, Any]:
    """Return the record of a message as Lambda hands it over; its id is the event's, with a letter before it."""
    return {
        "messageId": message_id or f"m-{event_id}",
        "receiptHandle": f"r-{event_id}",
        "body": f'{{"id": "{event_id}"}}' if body is None else body,
        "attributes": {
            "ApproximateReceiveCount": str(receives),
            "SentTimestamp": str(int(NOW.timestamp() * 1000)),
            **system,
        },
        "messageAttributes": dict(attributes or {}),
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{queue}",
    }


def string(value: str, data_type: str = "String") -> dict[str, Any]:
    """Return a message attribute as Lambda hands it over."""
    return {"stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": data_type}


def message(event_id: str = "a", *, trail: Trail = FRESH, **details: Any) -> Message:
    """Return a message; `details` are its record's."""
    return Message(event_id, record(event_id, **details), trail)


@dataclass
class Team:
    """A handler and its surroundings: it raises what is said here for an event, and remembers what it ran.

    Each run takes `run_millis` of the invocation's `remaining_millis`.
    """

    fails: Mapping[str, BaseException] = field(default_factory=dict)
    died_on: frozenset[str] = frozenset()
    run_millis: Mapping[str, int] = field(default_factory=dict)
    left_millis: int = 30_000
    policy: Policy = EVERY_5_S
    ran: list[str] = field(default_factory=list)
    asked: list[Sequence[str]] = field(default_factory=list)

    def run(self, event: Event, message: Message) -> None:
        """Run an event as it was said."""
        self.ran.append(message.event_id)
        self.left_millis -= self.run_millis.get(message.event_id, 0)
        if message.event_id in self.fails:
            raise self.fails[message.event_id]

    def were_running(self, event_ids: Sequence[str]) -> frozenset[str]:
        """Say which of these events a worker died on."""
        self.asked.append(event_ids)
        return self.died_on & frozenset(event_ids)

    def flow(self) -> Flow:
        """Return what `settle` needs."""
        return Flow(
            parse=PARSE,
            run=self.run,
            were_running=self.were_running,
            remaining_millis=lambda: self.left_millis,
            now=lambda: NOW,
            dice=lambda: 0.5,
            policy=self.policy,
            kinds={},
            queues=QUEUES,
        )


def bodies(*event_ids: str) -> list[Record]:
    """Return fresh records of these events."""
    return [record(event_id) for event_id in event_ids]
