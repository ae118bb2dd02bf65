"""What recovery remembers and what it did in, items of RecoveryLogTable out, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from backstop.aws.answers import Cancelled, answered
from backstop.errors import StoreUnavailable
from backstop.recovery.memory import parse, serialise
from backstop.recovery.state import Cause, CauseKind, Entry, Memory, Strategy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT: Final = timedelta(days=400)
"""How long it is known what was done: as long as the audit trail is shown."""
MAX_ENTRIES: Final = 99
"""Entries that are written with a memory: a transaction has 100 actions."""

_NO_ANSWER: Final = "the table of recovery did not answer"
_OTHERS_WERE_FIRST: Final = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
_MEMORY: Final = {"of": {"S": "memory"}, "at": {"S": "now"}}


@dataclass(frozen=True, slots=True)
class Written:
    """A line of the log, and when it was written."""

    at: datetime
    entry: Entry


class RecoveryLog:
    """Keeps recovery's memory, and a line for all that it does."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client: Any = client
        self._table = table

    def memory(self) -> Memory:
        """Return what is remembered; an empty memory where nothing is. Raises StoreUnavailable."""
        with answered(_NO_ANSWER):
            item = self._client.get_item(TableName=self._table, Key=_MEMORY, ConsistentRead=True).get("Item")
        if item is None:
            return Memory()
        return replace(parse(item["document"]["S"]), version=int(item["version"]["N"]))

    def remember(self, memory: Memory, entries: Sequence[Entry] = (), at: datetime | None = None) -> bool:
        """Keep a memory as the version after its own, and with it, or not at all, what was done at that time.

        Returns False where somebody else was first: its version is not the one that is kept any more. Raises
        StoreUnavailable where no answer came: it may be kept.
        """
        kept = replace(memory, version=memory.version + 1)
        lines = [] if at is None else list(_lines(entries[:MAX_ENTRIES], at, kept.version))
        puts = [self._kept(kept, memory.version), *({"TableName": self._table, "Item": line} for line in lines)]
        try:
            with answered(_NO_ANSWER):  # botocore's token lets a second try of the same call be no second write
                self._client.transact_write_items(TransactItems=[{"Put": one} for one in puts])
        except Cancelled as cancelled:
            if cancelled.codes and cancelled.codes[0] in _OTHERS_WERE_FIRST:
                return False
            raise StoreUnavailable(f"{_NO_ANSWER}: {', '.join(cancelled.codes)}") from cancelled
        return True

    def write(self, entries: Sequence[Entry], at: datetime) -> None:
        """Write down what was done; a line that was written is not written twice. Raises StoreUnavailable."""
        for line in _lines(entries, at, 0):
            with answered(_NO_ANSWER):
                self._client.put_item(TableName=self._table, Item=line)

    def entries(self, since: datetime, most: int, until: datetime | None = None) -> list[Written]:
        """Return what was done since then (`until` now), the newest first, `most` of it. Raises StoreUnavailable."""
        found: list[Written] = []
        with answered(_NO_ANSWER):
            for month in _months(since, until or datetime.now(UTC)):
                found += islice(self._of(month, since), most - len(found))
        return found

    def _kept(self, memory: Memory, before: int) -> dict[str, Any]:
        item = {**_MEMORY, "version": {"N": str(memory.version)}, "document": {"S": serialise(memory)}}
        put = {"TableName": self._table, "Item": item}
        if not before:
            return {**put, "ConditionExpression": "attribute_not_exists(version)"}
        values = {":before": {"N": str(before)}}
        return {**put, "ConditionExpression": "version = :before", "ExpressionAttributeValues": values}

    def _of(self, month: str, since: datetime) -> Iterator[Written]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#of = :month AND #at >= :since",
            ExpressionAttributeNames={"#of": "of", "#at": "at"},
            ExpressionAttributeValues={":month": {"S": month}, ":since": {"S": _written(since)}},
            ScanIndexForward=False,
        )
        for page in pages:
            yield from map(_read, page["Items"])


def _lines(entries: Sequence[Entry], at: datetime, version: int) -> Iterator[dict[str, Any]]:
    """Return the items of entries. Their keys hold what tells them apart: the same entry has the same key."""
    for place, entry in enumerate(entries):
        mark = (version or crc32(repr(entry).encode())) % 256
        texts = {
            "of": _month(at),
            "at": f"{_written(at)}#{place % 256:02x}{mark:02x}",
            "strategy": str(entry.strategy),
            "target": entry.target,
            "kind": str(entry.cause.kind),
            "name": entry.cause.name,
            "why": entry.why,
        }
        yield {
            **{name: {"S": text} for name, text in texts.items() if text},
            "suggested": {"BOOL": entry.is_suggested},
            "expires": {"N": str(int((at + KEPT).timestamp()))},
        }


def _read(item: Mapping[str, Any]) -> Written:
    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    cause = Cause(CauseKind(text("kind")), text("name"))
    entry = Entry(Strategy(text("strategy")), text("target"), cause, text("why"), item["suggested"]["BOOL"])
    return Written(datetime.fromisoformat(text("at").partition("#")[0]), entry)


def _months(since: datetime, until: datetime) -> Iterator[str]:
    """Return the months from `until` back to `since`, no more than lines are kept for."""
    moment = until.astimezone(UTC).replace(day=1)
    first = _month(max(since, until - KEPT))
    while _month(moment) >= first:
        yield _month(moment)
        moment = (moment - timedelta(days=1)).replace(day=1)


def _month(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m}"


def _written(moment: datetime) -> str:
    """Return a time as it is written down: equal lengths, so that they sort."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
