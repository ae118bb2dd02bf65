"""A stack in, what befell its failed events out: of one event, or of those of a group in the order of time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from operator import attrgetter
from typing import Any, Final

from backstop.alert import label
from backstop.aws.failed_events import SPREADS
from backstop.redact import redact
from ops.stack import Stack
from ops.times import iso

_LONGEST_ID: Final = 2048
"""Bytes that a partition key takes (DynamoDB quotas)."""
_PAGE: Final = 100
_LARGE_PAGE: Final = 500


class Where(StrEnum):
    """Where an event is."""

    RETRYING = "retrying"
    PARKED = "parked"
    DEAD = "dead"
    RECOVERED = "recovered"
    REDRIVEN = "redriven"
    UNPROCESSED = "unprocessed"


@dataclass(frozen=True, slots=True)
class Befell:
    """What befell an event once. `at` sorts: a time, and what tells two of the same moment apart."""

    event_id: str
    at: str
    state: str
    group: str = ""
    verdict: str = ""
    dead_because: str = ""
    kind: str = ""
    error_type: str = ""
    error: str = ""
    where: str = ""
    function: str = ""
    stage: str = ""
    release: str = ""
    queue: str = ""
    source_queue: str = ""
    key: str = ""
    attempt: int = 0
    next_at: str = ""
    redrive_id: str = ""

    @property
    def moment(self) -> str:
        """When it was, in ISO 8601."""
        return self.at.partition("#")[0]

    def fields(self) -> dict[str, Any]:
        """Return what a program is told of it."""
        group = label(self.group) if self.group else ""
        return asdict(self) | {"at": self.moment, "group": group}


_TEXTS: Final = tuple(name for name in Befell.__dataclass_fields__ if name != "attempt")


def of_event(stack: Stack, event_id: str, limit: int) -> list[Befell]:
    """Return what befell an event, the newest first; nothing where it never failed, or too long ago.

    It goes by its id as the logs tell it: redacted.
    """
    kept = redact(event_id)
    if not is_possible(kept):
        return []
    query: dict[str, Any] = {
        "KeyConditionExpression": "event_id = :id",
        "ExpressionAttributeValues": {":id": {"S": kept}},
        "ConsistentRead": True,
    }
    return list(islice(_newest_first(stack, query, min(limit, _PAGE)), limit))


def of_group(stack: Stack, group: str, since: datetime | None = None, state: Where | None = None) -> Iterator[Befell]:
    """Return where the events of a group are now, those that failed last first, each once.

    The index tells which events those are; it may be behind, so that where one is now is read of the event itself.
    """
    shown: set[str] = set()
    for row in heapq.merge(*_spreads(stack, group, since), key=attrgetter("at"), reverse=True):
        if row.event_id in shown:
            continue
        shown.add(row.event_id)
        if state in (None, row.state):
            now = next(iter(of_event(stack, row.event_id, 1)), row)
            if state in (None, now.state):
                yield now


def rows_of_group(stack: Stack, group: str) -> Iterator[Befell]:
    """Return what befell a group's events, the newest first, as the index knows it: it may be a moment behind."""
    return heapq.merge(*_spreads(stack, group, None, _LARGE_PAGE), key=attrgetter("at"), reverse=True)


def _spreads(stack: Stack, group: str, since: datetime | None, page_size: int = _PAGE) -> list[Iterator[Befell]]:
    """Return the rows of each partition that a group's are spread over."""
    later = "" if since is None else " AND #at >= :since"
    values: dict[str, Any] = {} if since is None else {":since": {"S": iso(since).partition("+")[0]}}
    query: dict[str, Any] = {"IndexName": "by_group", "KeyConditionExpression": f"spread = :spread{later}"}
    if since is not None:
        query["ExpressionAttributeNames"] = {"#at": "at"}
    return [
        _newest_first(
            stack,
            query | {"ExpressionAttributeValues": values | {":spread": {"S": f"{group}#{number}"}}},
            page_size,
        )
        for number in range(SPREADS)
    ]


def _newest_first(stack: Stack, query: Mapping[str, Any], page_size: int) -> Iterator[Befell]:
    pages: Any = stack.dynamodb.get_paginator("query").paginate(
        TableName=stack.output("FailedEventsTableName"),
        ScanIndexForward=False,
        PaginationConfig={"PageSize": page_size},
        **query,
    )
    for page in pages:
        yield from map(_befell, page["Items"])


def _befell(item: Mapping[str, Any]) -> Befell:
    """Read a row; what is not as it was written is left out."""
    attempt = 0
    with suppress(ValueError, TypeError):
        attempt = int(item.get("attempt", {}).get("N", 0))
    return Befell(**{name: str(item.get(name, {}).get("S", "")) for name in _TEXTS}, attempt=attempt)


def is_possible(event_id: str) -> bool:
    """Return whether DynamoDB could have an id: a terminal's words may be no text at all."""
    try:
        return 0 < len(event_id.encode()) <= _LONGEST_ID
    except UnicodeEncodeError:
        return False
