"""Jobs of redrives and their batches in, items of RedriveTable out, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from backstop.redrive import Batch, Job, Sending, Sent, State
from backstop.selection import Selection

KEPT: Final = timedelta(days=400)
"""How long it is known what was redriven: as long as the audit trail is shown."""
JOB: Final = "job"
BATCH: Final = "batch#"
LISTED: Final = {"listed": {"S": "1"}}
"""What jobs have and batches do not, so that an index lists only jobs."""


def key(job_id: str, part: str) -> dict[str, Any]:
    """Return the key of an item."""
    return {"job": {"S": job_id}, "part": {"S": part}}


def batch_part(batch: Batch) -> str:
    """Return which part of its job a batch is."""
    return f"{BATCH}{batch.number:08}"


def job_item(job: Job) -> dict[str, Any]:
    """Return a job's attributes; what is empty is left out."""
    texts = {
        "selection": job.selection.serialise(),
        "places": json.dumps(job.places),
        "by": job.by,
        "command": job.command,
        "state": job.state,
        "note": job.note,
    }
    numbers = {
        "rate": job.rate,
        "begun_at": millis(job.begun_at),
        "expected": job.expected,
        "step": job.step,
        "watching_since": 0 if job.watching_since is None else millis(job.watching_since),
        "places_done": job.places_done,
        "hidden_until": 0 if job.hidden_until is None else millis(job.hidden_until),
        "runs": job.runs,
        "is_canary": int(job.is_canary),
        "resends_doubtful": int(job.resends_doubtful),
        "expires": int((job.begun_at + KEPT).timestamp()),
    }
    item: dict[str, Any] = {name: {"S": str(text)} for name, text in texts.items() if text}
    return item | {name: {"N": _number(number)} for name, number in numbers.items() if number}


def job_of(item: Mapping[str, Any]) -> Job:
    """Return the job of an item."""

    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    def number(name: str) -> float:
        return float(item.get(name, {}).get("N", 0))

    def moment(name: str) -> datetime | None:
        return _moment(number(name)) if name in item else None

    return Job(
        id=text("job"),
        selection=Selection.parse(text("selection")),
        places=tuple(json.loads(text("places"))),
        rate=number("rate"),
        is_canary=bool(number("is_canary")),
        begun_at=_moment(number("begun_at")),
        by=text("by"),
        command=text("command"),
        expected=int(number("expected")),
        state=State(text("state")),
        note=text("note"),
        step=int(number("step")),
        watching_since=moment("watching_since"),
        places_done=int(number("places_done")),
        runs=int(number("runs")),
        hidden_until=moment("hidden_until"),
        turned_at=moment("turned_at"),
        resends_doubtful=bool(number("resends_doubtful")),
    )


def batch_item(job_id: str, batch: Batch) -> dict[str, Any]:
    """Return a batch's item."""
    return {
        **key(job_id, batch_part(batch)),
        "state": {"S": batch.state},
        "at": {"N": str(millis(batch.at))},
        "count": {"N": str(batch.count)},
        "letters": {"S": serialised(batch.letters)},
        "doubtful": {"S": serialised(batch.doubtful)},
        "expires": {"N": str(int((batch.at + KEPT).timestamp()))},
    }


def batch_of(item: Mapping[str, Any]) -> Batch:
    """Return the batch of an item."""
    return Batch(
        number=int(item["part"]["S"].removeprefix(BATCH)),
        state=Sent(item["state"]["S"]),
        at=_moment(int(item["at"]["N"])),
        letters=_parsed(item["letters"]["S"]),
        count=int(item["count"]["N"]),
        doubtful=_parsed(item["doubtful"]["S"]),
    )


def serialised(letters: Sequence[Sending]) -> str:
    """Return letters as one text, equal for equal letters."""
    return json.dumps([[one.message_id, one.event_id, int(one.is_ordered)] for one in letters], separators=(",", ":"))


def _parsed(text: str) -> tuple[Sending, ...]:
    return tuple(Sending(message_id, event_id, bool(ordered)) for message_id, event_id, ordered in json.loads(text))


def _number(number: float) -> str:
    """Return a number as DynamoDB gives it back: 10, never 10.0."""
    return str(int(number)) if number == int(number) else str(number)


def millis(moment: datetime) -> int:
    """Return a time in epoch milliseconds."""
    return round(moment.timestamp() * 1000)


def _moment(millis: float) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)
