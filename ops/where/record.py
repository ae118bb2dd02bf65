"""An event's id in, what IdempotencyTable knows of it out: done, running, or cut off with its worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from ops.stack import Stack
from ops.where import settings

LANES: Final = {"process": settings.PROCESS, "process_ordered": settings.PROCESS_ORDERED}
"""The names that functions' records go by, and the outputs that name these functions."""


class Run(StrEnum):
    """What is known of an event's last run."""

    DONE = "done"
    RUNNING = "running"
    CUT_OFF = "cut off"
    """Its time is over, and nobody said what came of it: its worker died."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a function's record of an event says.

    `at` is when it was done (in whole seconds; None where that is not known), or when its worker's time is over.
    """

    lane: str
    run: Run
    at: datetime | None

    def fields(self) -> dict[str, Any]:
        """Return what a program is told of it."""
        at = None if self.at is None else self.at.isoformat(timespec="seconds")
        return {"function": self.lane, "run": self.run, "at": at}


def key_of(lane: str, event_id: str) -> str:
    """Return the id of an event's record, as Powertools makes it: the function's prefix, and a hash of the event's."""
    return f"{lane}#{hashlib.sha256(json.dumps(event_id).encode()).hexdigest()}"


def records(stack: Stack, event_id: str, now: datetime) -> list[Record]:
    """Return the records of an event, one a function that ran it. Raises what botocore raises."""
    return list(_records(stack, event_id, now))


def _records(stack: Stack, event_id: str, now: datetime) -> Iterator[Record]:
    table = stack.output("IdempotencyTableName")
    for lane, function in LANES.items():
        key = {"id": {"S": key_of(lane, event_id)}}
        item: Any = stack.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            continue
        status = item.get("status", {}).get("S")
        if status == "COMPLETED":
            yield Record(lane, Run.DONE, _done_at(item, settings.number(stack, function, "IDEMPOTENCY_DAYS"), now))
        elif status == "INPROGRESS" and (until := _moment(item, "in_progress_expiration", 1000)) is not None:
            yield Record(lane, Run.RUNNING if until > now else Run.CUT_OFF, until)


def _done_at(item: Mapping[str, Any], days: int | None, now: datetime) -> datetime | None:
    """Return when an event was done: its record expires so many days after; a time to come is none: they changed."""
    expires = _moment(item, "expiration", 1)
    if expires is None or days is None:
        return None
    done_at = expires - timedelta(days=days)
    return done_at if done_at <= now else None


def _moment(item: Mapping[str, Any], name: str, parts_a_second: int) -> datetime | None:
    with suppress(KeyError, ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(int(item[name]["N"]) / parts_a_second, UTC)
    return None
