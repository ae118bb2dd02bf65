"""What befell events in, rows of FailedEventsTable out: an event's newest one says where it is now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from backstop.aws.answers import answered
from backstop.errors import StoreUnavailable
from backstop.occurrence import Occurrence
from backstop.retry import retry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SPREADS: Final = 8
"""The partitions that a group's rows are spread over: each takes a thousand writes a second (AWS, "Partitions")."""

_NO_ANSWER: Final = "the table of failed events did not answer"
_MAX_ROWS: Final = 25  # AWS, "BatchWriteItem"
_STATES: Final = {
    "Retry": "retrying",
    "Park": "parked",
    "Dead": "dead",
    "Done": "recovered",
    "Redriven": "redriven",
    "ProcessingFailed": "unprocessed",
}
_TEXTS: Final = (
    "verdict", "dead_because", "kind", "error_type", "error", "where", "function", "stage", "release", "queue",
    "source_queue", "key", "next_at", "redrive_id",
)  # fmt: skip


class FailedEvents:
    """Keeps what befell events: a row each time, so that two watchers need not agree on the order."""

    def __init__(self, client: DynamoDBClient, table: str, expiry: timedelta) -> None:
        self._client: Any = client
        self._table = table
        self._expiry = expiry

    def record(self, occurrences: Iterable[Occurrence]) -> None:
        """Keep what befell events that have an id; the same line twice is one row. Raises StoreUnavailable."""
        rows = {(row["event_id"]["S"], row["at"]["S"]): row for row in self._rows(occurrences)}
        rest = iter(rows.values())
        while some := list(islice(rest, _MAX_ROWS)):
            self._write([{"PutRequest": {"Item": row}} for row in some])

    def _rows(self, occurrences: Iterable[Occurrence]) -> Iterator[dict[str, Any]]:
        for occurrence in occurrences:
            if occurrence.event_id and occurrence.verdict in _STATES:
                yield self._row(occurrence)

    def _row(self, occurrence: Occurrence) -> dict[str, Any]:
        at = occurrence.at.astimezone(UTC).isoformat(timespec="milliseconds")
        texts = {name: str(getattr(occurrence, name)) for name in _TEXTS}
        row: dict[str, Any] = {name: {"S": text} for name, text in texts.items() if text}
        row |= {
            "event_id": {"S": occurrence.event_id},
            "at": {"S": f"{at}#{occurrence.line[-12:]}"},
            "state": {"S": _STATES[occurrence.verdict]},
            "attempt": {"N": str(occurrence.attempt)},
            "expires": {"N": str(int((occurrence.at + self._expiry).timestamp()))},
        }
        if occurrence.group:
            row |= {"group": {"S": occurrence.group}, "spread": {"S": spread(occurrence.group, occurrence.event_id)}}
        return row

    def _write(self, requests: list[dict[str, Any]]) -> None:
        left = [requests]

        @retry(on=_Unprocessed, attempts=5, wait_initial=0.05, wait_max=1.0)
        def write() -> None:
            with answered(_NO_ANSWER):
                answer = self._client.batch_write_item(RequestItems={self._table: left[0]})
            left[0] = (answer.get("UnprocessedItems") or {}).get(self._table, [])
            if left[0]:
                raise _Unprocessed(f"{_NO_ANSWER}: it is throttled")

        write()


class _Unprocessed(StoreUnavailable):
    """Raised when DynamoDB took some rows only."""


def spread(group: str, event_id: str) -> str:
    """Return the partition that an event's rows lie in, in the index by group."""
    digest = hashlib.sha256(event_id.encode("utf-8", "replace")).digest()
    return f"{group}#{digest[0] % SPREADS}"
