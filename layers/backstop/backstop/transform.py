"""A batch of a stream's records in, Firehose's answer out: Ok, Dropped or ProcessingFailed for each, in their order."""

from __future__ import annotations

import json
import re
from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from json import JSONEncoder
from typing import Any, Final, NamedTuple, Protocol, Self

from backstop.errors import AnswerTooLarge, Circling, Kinds, MalformedEvent, NotPutBack, SameRecordId, classify
from backstop.event import Event
from backstop.fingerprint import NOTHING_KNOWN, Surroundings
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

_PLAIN: Final = re.compile(r"[ !#-\[\]-~]*")  # what takes a byte a character in JSON
_FRAME: Final = len(json.dumps({"recordId": "", "result": FAILED, "data": ""}) + ", ")


@dataclass(frozen=True, slots=True)
class Flow:
    """What `transform` needs besides the records.

    `remaining_millis` is what is left of the invocation, `stream` where the records come from, `own_root` the folder of
    the team's own code.
    """

    read: Read
    transform: Transform
    remaining_millis: Callable[[], int]
    kinds: Kinds
    stream: str
    own_root: str
    surroundings: Surroundings = NOTHING_KNOWN


class Returning(NamedTuple):
    """A record that this answer has no room or time for: what to put back on the stream for it."""

    position: int
    replays: int
    data: bytes


@dataclass(slots=True)
class Transformed:
    """What came of a batch: an answer for each record but those that are returning, and the room that is left."""

    flow: Flow
    answers: list[Answer]
    room: int
    reports: list[Report] = field(default_factory=list)
    returning: list[Returning] = field(default_factory=list)

    @classmethod
    def of(cls, records: Sequence[Record], flow: Flow) -> Self:
        """Begin a batch: what each answer takes besides its data is taken from the room at once."""
        return cls(flow, [{} for _ in records], MAX_ANSWER_BYTES - sum(map(_frame, records)))

    def fail(self, position: int, record: Record, error: Exception, event_id: str = "", replays: int = 0) -> None:
        """Answer that a record failed, with its data as it came, as long as there is room: Firehose keeps a copy.

        The error is described and let go at once: its traceback would keep all that was made of the record.
        """
        data = record.get("data")
        kept = data if isinstance(data, str) and len(data) <= self.room and _PLAIN.fullmatch(data) else ""
        self.room -= len(kept)
        record_id = str(record["recordId"])
        self.answers[position] = {"recordId": record["recordId"], "result": FAILED, "data": kept}
        kind = classify(error, self.flow.kinds)
        description = describe(error, self.flow.own_root, self.flow.surroundings._replace(kind=kind))
        error.__traceback__ = None
        report = Report.unprocessed(record_id, event_id, replays + 1, self.flow.stream, kind, description)
        self.reports.append(report)


class Effects(Protocol):
    """What answering needs of the outside world. No method raises for a record's sake."""

    def put_back(self, data: Sequence[bytes]) -> Sequence[str]:
        """Put records back on their stream; return, for each, why it was not taken, or nothing if it was."""

    def report(self, report: Report) -> None:
        """Write one pipeline event."""

    def count(self, put_back: int) -> None:
        """Publish how much was reported, and how many records went back, since the last count."""


def answer(records: Sequence[Record], flow: Flow, effects: Effects) -> list[Answer]:
    """Transform a batch and return Firehose's answer, one entry a record, in their order.

    What there was no room or time for is put back on the stream, and answered for as dropped if the stream took it.
    """
    batch = transform(records, flow)
    put_back = _put_back(records, batch, effects)
    for report in batch.reports:
        effects.report(report)
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


def transform(records: Sequence[Record], flow: Flow) -> Transformed:
    """Transform each record, until the answer is full or too little time is left; what is left then is returning.

    What was put back before goes first.
    """
    batch = Transformed.of(records, flow)
    if len({record["recordId"] for record in records}) != len(records):
        _tell_apart(records, batch)
        return batch
    reserve = min(flow.remaining_millis() // 3, MAX_RESERVE_MILLIS)
    positions = _in_turn(records)
    most, longest, remaining = batch.room, 0, flow.remaining_millis()
    for turn, position in enumerate(positions):
        if remaining < reserve + longest or not _transform_one(position, records[position], batch, most):
            _return(positions[turn:], records, batch)
            break
        before, remaining = remaining, flow.remaining_millis()
        if before - remaining > longest:
            longest = before - remaining
    return batch


def _frame(record: Record) -> int:
    """Return the bytes that a record's answer takes besides its data."""
    record_id = record["recordId"]
    is_plain = record_id.isascii() and record_id.isalnum()
    return _FRAME + (len(record_id) if is_plain else len(json.dumps(record_id)))


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


def _transform_one(position: int, record: Record, batch: Transformed, most: int) -> bool:
    """Answer for a record; returns False where the answer has no room for it. `most` is the room of an empty answer."""
    flow = batch.flow
    event: Event = {}
    replays = 0
    try:
        (_, replays), data = unmark(decode(record.get("data")))
        lines = []
        events = flow.read(data)
        for event in events:
            result = flow.transform(event)
            if result is not None:
                if not isinstance(result, dict):
                    raise TypeError(f"transform returns a dict, or None to drop; this is a {type(result).__name__}")
                lines.append(f"{_encode(result)}\n".encode())
        encoded = b2a_base64(b"".join(lines), newline=False).decode()
        if len(encoded) > most:
            event = events[0] if len(events) == 1 else {}  # else nobody can say which of them it was
            raise AnswerTooLarge(f"transformed, it is more than an answer of {MAX_ANSWER_BYTES:,} bytes has room for")
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
