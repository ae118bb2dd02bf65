"""A batch of a stream's records in, Firehose's answer out: Ok, Dropped or ProcessingFailed for each, in their order."""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from json import JSONEncoder
from typing import Any, Final, NamedTuple, Protocol

from backstop.errors import AnswerTooLarge, Circling, Kinds, MalformedEvent, NotPutBack, SameRecordId, classify
from backstop.event import Event
from backstop.report import Report, describe
from backstop.rounds import MARKED, MAX_RECORD_BYTES, MAX_ROUNDS, Mark, unmark
from backstop.stream import Read, decode

MAX_ANSWER_BYTES: Final = 6_000_000
"""What an answer is filled up to. Lambda's limit is 6 MiB, 6,291,456 bytes (Lambda quotas)."""

MAX_RESERVE_MILLIS: Final = 15_000
"""Time that is kept for putting back what was not begun: a batch of 3 MB in calls of 500 records, some tried again."""

Record = Mapping[str, Any]
Answer = dict[str, Any]
Transform = Callable[[Event], Event | None]

_encode = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


OK: Final = "Ok"
DROPPED: Final = "Dropped"
FAILED: Final = "ProcessingFailed"
"""What becomes of a record, in Firehose's words: delivered, dropped on purpose, or kept under the error prefix."""

_FRAME: Final = len(json.dumps({"recordId": "", "result": FAILED, "data": ""}) + ", ")


@dataclass(frozen=True, slots=True)
class Flow:
    """What `transform` needs besides the records. `remaining_millis` is what is left of the invocation."""

    read: Read
    transform: Transform
    remaining_millis: Callable[[], int]
    kinds: Kinds


class FailedRecord(NamedTuple):
    """A record that was not transformed, and why. `event_id` is that of its event that failed, where it has one."""

    record_id: str
    event_id: str
    attempt: int
    error: Exception


class Returning(NamedTuple):
    """A record that this answer has no room or time for: what to put back on the stream for it."""

    position: int
    replays: int
    data: bytes


@dataclass(slots=True)
class Transformed:
    """What came of a batch: an answer for each record but those that are returning, and the room that is left."""

    answers: list[Answer]
    room: int
    failed: list[FailedRecord] = field(default_factory=list)
    returning: list[Returning] = field(default_factory=list)

    def fail(self, position: int, record: Record, error: Exception, event_id: str = "", replays: int = 0) -> None:
        """Answer that a record failed, with its data as it came, as long as there is room: Firehose keeps a copy."""
        data = record.get("data")
        kept = data if isinstance(data, str) and data.isascii() and len(data) <= self.room else ""
        self.room -= len(kept)
        self.answers[position] = {"recordId": record["recordId"], "result": FAILED, "data": kept}
        self.failed.append(FailedRecord(str(record["recordId"]), event_id, replays + 1, error))


class Effects(Protocol):
    """What answering needs of the outside world. No method raises for a record's sake."""

    def put_back(self, data: Sequence[bytes]) -> Sequence[str]:
        """Put records back on their stream; return, for each, why it was not taken, or nothing if it was."""

    def report(self, report: Report) -> None:
        """Write one pipeline event."""

    def count(self, put_back: int) -> None:
        """Publish how much was reported, and how many records went back, since the last count."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where records come from, and the folder of the team's own code."""

    stream: str
    own_root: str


def answer(records: Sequence[Record], flow: Flow, effects: Effects, place: Place) -> list[Answer]:
    """Transform a batch and return Firehose's answer, one entry a record, in their order.

    What there was no room or time for is put back on the stream, and answered for as dropped if the stream took it.
    """
    batch = transform(records, flow)
    put_back = _put_back(records, batch, effects)
    for failed in batch.failed:
        effects.report(_report(failed, flow.kinds, place))
    effects.count(put_back)
    return batch.answers


def _put_back(records: Sequence[Record], batch: Transformed, effects: Effects) -> int:
    if not batch.returning:
        return 0
    whys = effects.put_back([one.data for one in batch.returning])
    for one, why in zip(batch.returning, whys, strict=True):
        record = records[one.position]
        if why:
            batch.fail(one.position, record, NotPutBack(f"the stream did not take it back: {why}"), "", one.replays)
        else:
            batch.answers[one.position] = {"recordId": record["recordId"], "result": DROPPED, "data": ""}
    return sum(not why for why in whys)


def _report(failed: FailedRecord, kinds: Kinds, place: Place) -> Report:
    description = describe(failed.error, place.own_root)
    return Report.unprocessed(
        failed.record_id, failed.event_id, failed.attempt, place.stream, classify(failed.error, kinds), description
    )


def transform(records: Sequence[Record], flow: Flow) -> Transformed:
    """Transform each record, until the answer is full or too little time is left; what is left then is returning.

    What was put back before goes first.
    """
    batch = Transformed([{} for _ in records], MAX_ANSWER_BYTES - sum(_frame(record) for record in records))
    if len({record["recordId"] for record in records}) != len(records):
        _tell_apart(records, batch)
        return batch
    remaining = flow.remaining_millis()
    reserve = min(remaining // 3, MAX_RESERVE_MILLIS)
    positions = _in_turn(records)
    for turn, position in enumerate(positions):
        if flow.remaining_millis() < reserve or not _transform_one(position, records[position], flow, batch):
            _return(positions[turn:], records, batch)
            break
    return batch


def _frame(record: Record) -> int:
    """Return the bytes that a record's answer takes besides its data."""
    record_id = record["recordId"]
    return _FRAME + (len(record_id) if record_id.isascii() else len(json.dumps(record_id)))


def _in_turn(records: Sequence[Record]) -> Sequence[int]:
    marked = [
        position
        for position, record in enumerate(records)
        if isinstance(record.get("data"), str) and record["data"].startswith(MARKED)
    ]
    if not marked:
        return range(len(records))
    marked.sort(key=lambda position: -_mark_of(records[position]).rounds)
    others = set(range(len(records))).difference(marked)
    return marked + sorted(others)


def _mark_of(record: Record) -> Mark:
    try:
        return unmark(decode(record["data"]))[0]
    except MalformedEvent:
        return Mark()


def _transform_one(position: int, record: Record, flow: Flow, batch: Transformed) -> bool:
    """Answer for a record; returns False where the answer has no room for it."""
    event: Event = {}
    replays = 0
    try:
        (_, replays), data = unmark(decode(record.get("data")))
        lines = []
        for event in flow.read(data):
            result = flow.transform(event)
            if result is not None:
                if not isinstance(result, dict):
                    raise TypeError(f"transform returns a dict, or None to drop; this is a {type(result).__name__}")
                lines.append(_encode(result) + "\n")
        encoded = b2a_base64("".join(lines).encode(), newline=False).decode()
        if len(encoded) > MAX_ANSWER_BYTES - _frame(record):
            raise AnswerTooLarge(f"transformed, it is more than the {MAX_ANSWER_BYTES:,} bytes of an answer")
    except Exception as error:  # noqa: BLE001  # whatever it raises is a fact about this record, and no other's
        event_id = event.get("id")
        batch.fail(position, record, error, event_id if isinstance(event_id, str) else "", replays)
        return True
    if len(encoded) > batch.room:
        return False
    batch.room -= len(encoded)
    batch.answers[position] = {
        "recordId": record["recordId"],
        "result": OK if encoded else DROPPED,
        "data": encoded,
    }
    return True


def _tell_apart(records: Sequence[Record], batch: Transformed) -> None:
    for position, record in enumerate(records):
        batch.fail(position, record, SameRecordId("records of this batch share an id: none can be answered for"))


def _return(positions: Sequence[int], records: Sequence[Record], batch: Transformed) -> None:
    for position in positions:
        record = records[position]
        try:
            mark, data = unmark(decode(record.get("data")))
        except MalformedEvent as error:
            batch.fail(position, record, error)
            continue
        marked = mark._replace(rounds=mark.rounds + 1).before(data)
        if mark.rounds >= MAX_ROUNDS:
            why = f"put back {mark.rounds} times: its stream's answers stay too full, or too slow"
            batch.fail(position, record, Circling(why), replays=mark.replays)
        elif len(marked) > MAX_RECORD_BYTES:
            batch.fail(position, record, NotPutBack("with its mark it is over 1,000 KiB"), replays=mark.replays)
        else:
            batch.returning.append(Returning(position, mark.replays, marked))
