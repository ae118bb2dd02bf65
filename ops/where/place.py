"""An event's id in, its place among the parked events of its key out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from backstop.parking import Parked, State
from ops.failure import CallFailed
from ops.keys.found import Found, find, parked_table
from ops.stack import Stack
from ops.times import iso

_MOST_PAGES: Final = 100
"""Pages of 1 MB that are looked through for an event whose key nobody knows."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a parked event stands: its key's lock and head, and the event."""

    found: Found
    event: Parked

    @property
    def is_head(self) -> bool:
        """Whether the others wait for this one."""
        return self.found.head is not None and self.found.head.sequence == self.event.sequence

    @property
    def is_held(self) -> bool:
        """Whether its key waits for a person."""
        return self.found.lock.state is State.HELD

    def fields(self) -> dict[str, Any]:
        """Return what a program is told of it."""
        lock = self.found.lock
        return {
            "key": lock.key,
            "state": lock.state,
            "head": self.found.head_name or lock.head,
            "is_head": self.is_head,
            "blocked_by": self.event.blocked_by,
            "next_try": None if self.is_held else iso(lock.due),
        }


def place(stack: Stack, event_id: str, key: str, now: datetime) -> Place | None:
    """Return the place of an event among those of a key; None where it has none. Raises StoreUnavailable."""
    table = parked_table(stack)
    found = find(stack, table, key, now)
    if found is None:
        return None
    return next((Place(found, event) for event in table.events(key) if event.event_id == event_id), None)


def key_of(stack: Stack, event_id: str) -> str:
    """Return the key of a parked event that has not failed itself, so that no log names it; empty where none is parked.

    It looks at all that is parked. Raises CallFailed where that is too much, and what botocore raises.
    """
    pages: Any = stack.dynamodb.get_paginator("scan").paginate(
        TableName=stack.output("ParkedTableName"),
        FilterExpression="event_id = :id",
        ProjectionExpression="#key",
        ExpressionAttributeNames={"#key": "key"},
        ExpressionAttributeValues={":id": {"S": event_id}},
    )
    for number, page in enumerate(pages):
        if page["Items"]:
            return str(page["Items"][0]["key"]["S"])
        if number == _MOST_PAGES:
            raise CallFailed("more is parked than was looked through; --key names the event's key")
    return ""
