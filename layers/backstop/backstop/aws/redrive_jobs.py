"""Jobs of redrives and their batches in, items of RedriveTable out, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from backstop.aws.answers import Refused, answered
from backstop.redrive import Batch, Job, Sending, Sent, State
from backstop.selection import Selection

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT: Final = timedelta(days=400)
"""How long it is known what was redriven: as long as the audit trail is shown."""

_JOB: Final = "job"
_BATCH: Final = "batch#"
_NO_ANSWER: Final = "the table of redrives did not answer"
_PROGRESS: Final = (
    "state",
    "note",
    "step",
    "watching_since",
    "places_done",
    "resends_doubtful",
    "runs",
    "hidden_until",
)
"""What changes of a job."""


class RedriveJobs:
    """Keeps what is redriven, by whom, and how far it has come."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client: Any = client
        self._table = table

    def create(self, job: Job) -> bool:
        """Keep a new job; False where there is one of that id. Raises StoreUnavailable."""
        fresh = "attribute_not_exists(job)"
        return self._put({**_key(job.id, _JOB), **_item(job)}, fresh)

    def look(self, job_id: str) -> Job | None:
        """Return a job as it is; None where there is none. Raises StoreUnavailable."""
        with answered(_NO_ANSWER):
            answer = self._client.get_item(TableName=self._table, Key=_key(job_id, _JOB), ConsistentRead=True)
        return _job(answer["Item"]) if "Item" in answer else None

    def all(self) -> list[Job]:
        """Return all jobs, the newest first. Raises StoreUnavailable."""
        with answered(_NO_ANSWER):
            pages = self._client.get_paginator("scan").paginate(
                TableName=self._table,
                FilterExpression="part = :job",
                ExpressionAttributeValues={":job": {"S": _JOB}},
            )
            found = [_job(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda job: job.begun_at, reverse=True)

    def batches(self, job_id: str) -> Sequence[Batch]:
        """Return a job's batches, in the order of their numbers. Raises StoreUnavailable."""
        with answered(_NO_ANSWER):
            return list(self._batches(job_id))

    def change(self, job: Job) -> bool:
        """Keep how far a job has come; False where it does not run any more. Raises StoreUnavailable."""
        return self._change(job, State.RUNNING)

    def reopen(self, job: Job, before: State) -> bool:
        """Keep what somebody decided about a job; False where it is not in that state any more."""
        return self._change(job, before)

    def turn(self, job_id: str, now: datetime) -> None:
        """Keep that a turn begins, so that it is seen that somebody is at it. Raises StoreUnavailable."""
        with answered(_NO_ANSWER):
            self._client.update_item(
                TableName=self._table,
                Key=_key(job_id, _JOB),
                UpdateExpression="SET turned_at = :now",
                ExpressionAttributeValues={":now": {"N": str(_millis(now))}},
            )

    def begin(self, job_id: str, batch: Batch) -> bool:
        """Write a batch down before it is sent; False where its number is another one's. Raises StoreUnavailable."""
        return self._put(_batch_item(job_id, batch), "attribute_not_exists(job)")

    def write(self, job_id: str, batch: Batch) -> None:
        """Write down how far a batch has come. Raises StoreUnavailable."""
        self._put(_batch_item(job_id, batch))

    def forget(self, job_id: str, batch: Batch) -> None:
        """Forget a batch of which surely nothing was sent; one of another mover stays. Raises StoreUnavailable."""
        with suppress(Refused), answered(_NO_ANSWER):
            self._client.delete_item(
                TableName=self._table,
                Key=_key(job_id, _part(batch)),
                ConditionExpression="letters = :letters",
                ExpressionAttributeValues={":letters": {"S": _serialised(batch.letters)}},
            )

    def _batches(self, job_id: str) -> Iterator[Batch]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="job = :job AND begins_with(part, :batch)",
            ExpressionAttributeValues={":job": {"S": job_id}, ":batch": {"S": _BATCH}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from map(_batch, page["Items"])

    def _change(self, job: Job, before: State) -> bool:
        item = {name: value for name, value in _item(job).items() if name in _PROGRESS}
        gone = [name for name in _PROGRESS if name not in item]
        sets = "SET " + ", ".join(f"#{name} = :{name}" for name in item)
        removes = " REMOVE " + ", ".join(f"#{name}" for name in gone) if gone else ""
        try:
            with answered(_NO_ANSWER):
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(job.id, _JOB),
                    UpdateExpression=sets + removes,
                    ConditionExpression="#state = :before",
                    ExpressionAttributeNames={f"#{name}": name for name in _PROGRESS},
                    ExpressionAttributeValues={f":{name}": value for name, value in item.items()}
                    | {":before": {"S": before}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except Refused as refused:  # it may be as wanted since the first try, whose answer was lost
            return {name: value for name, value in (refused.item or {}).items() if name in _PROGRESS} == item
        return True

    def _put(self, item: Mapping[str, Any], condition: str = "") -> bool:
        conditions = {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        try:
            with answered(_NO_ANSWER):
                self._client.put_item(TableName=self._table, Item=item, **(conditions if condition else {}))
        except Refused as refused:
            return refused.item == item  # it was taken at the first try, whose answer was lost
        return True


def _key(job_id: str, part: str) -> dict[str, Any]:
    return {"job": {"S": job_id}, "part": {"S": part}}


def _part(batch: Batch) -> str:
    return f"{_BATCH}{batch.number:08}"


def _item(job: Job) -> dict[str, Any]:
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
        "begun_at": _millis(job.begun_at),
        "expected": job.expected,
        "step": job.step,
        "watching_since": 0 if job.watching_since is None else _millis(job.watching_since),
        "places_done": job.places_done,
        "hidden_until": 0 if job.hidden_until is None else _millis(job.hidden_until),
        "runs": job.runs,
        "is_canary": int(job.is_canary),
        "resends_doubtful": int(job.resends_doubtful),
        "expires": int((job.begun_at + KEPT).timestamp()),
    }
    item: dict[str, Any] = {name: {"S": str(text)} for name, text in texts.items() if text}
    return item | {name: {"N": _number(number)} for name, number in numbers.items() if number}


def _job(item: Mapping[str, Any]) -> Job:
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


def _batch_item(job_id: str, batch: Batch) -> dict[str, Any]:
    return {
        **_key(job_id, _part(batch)),
        "state": {"S": batch.state},
        "at": {"N": str(_millis(batch.at))},
        "count": {"N": str(batch.count)},
        "letters": {"S": _serialised(batch.letters)},
        "doubtful": {"S": _serialised(batch.doubtful)},
        "expires": {"N": str(int((batch.at + KEPT).timestamp()))},
    }


def _batch(item: Mapping[str, Any]) -> Batch:
    return Batch(
        number=int(item["part"]["S"].removeprefix(_BATCH)),
        state=Sent(item["state"]["S"]),
        at=_moment(int(item["at"]["N"])),
        letters=_parsed(item["letters"]["S"]),
        count=int(item["count"]["N"]),
        doubtful=_parsed(item["doubtful"]["S"]),
    )


def _serialised(letters: Sequence[Sending]) -> str:
    return json.dumps([[one.message_id, one.event_id, int(one.is_ordered)] for one in letters], separators=(",", ":"))


def _parsed(text: str) -> tuple[Sending, ...]:
    return tuple(Sending(message_id, event_id, bool(ordered)) for message_id, event_id, ordered in json.loads(text))


def _number(number: float) -> str:
    """Return a number as DynamoDB gives it back: 10, never 10.0."""
    return str(int(number)) if number == int(number) else str(number)


def _millis(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _moment(millis: float) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)
