"""Jobs of redrives and their batches in, items of RedriveTable out, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from backstop.aws.answers import Refused, answered
from backstop.aws.redrive_items import (
    BATCH,
    JOB,
    LISTED,
    batch_item,
    batch_of,
    batch_part,
    job_item,
    job_of,
    key,
    millis,
    serialised,
)
from backstop.redrive import LEASE, Batch, Job, State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

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
        return self._put({**key(job.id, JOB), **job_item(job), **LISTED}, fresh)

    def look(self, job_id: str) -> Job | None:
        """Return a job as it is; None where there is none. Raises StoreUnavailable."""
        with answered(_NO_ANSWER):
            answer = self._client.get_item(TableName=self._table, Key=key(job_id, JOB), ConsistentRead=True)
        return job_of(answer["Item"]) if "Item" in answer else None

    def all(self) -> list[Job]:
        """Return all jobs, the newest first. Raises StoreUnavailable."""
        with answered(_NO_ANSWER):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName="jobs",
                KeyConditionExpression="listed = :listed",
                ExpressionAttributeValues={":listed": LISTED["listed"]},
            )
            found = [job_of(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda job: job.begun_at, reverse=True)

    def batches(self, job_id: str) -> Sequence[Batch]:
        """Return a job's batches, in the order of their numbers. Raises StoreUnavailable."""
        with answered(_NO_ANSWER):
            return list(self._batches(job_id))

    def change(self, job: Job, mover: str) -> bool:
        """Keep how far a job has come; False where it does not run any more, or is another mover's.

        Raises StoreUnavailable.
        """
        return self._change(job, State.RUNNING, mover)

    def reopen(self, job: Job, before: State) -> bool:
        """Keep what somebody decided about a job; False where it is not in that state any more."""
        return self._change(job, before)

    def lease(self, job_id: str, mover: str, now: datetime) -> bool:
        """Let a job be a mover's for the length of a lease; False where it is another one's, or does not run.

        Whoever has it calls again to keep it. Raises StoreUnavailable.
        """
        try:
            with answered(_NO_ANSWER):
                self._client.update_item(
                    TableName=self._table,
                    Key=key(job_id, JOB),
                    UpdateExpression="SET mover = :mover, mover_until = :until, turned_at = :now",
                    ConditionExpression="#state = :running AND "
                    "(attribute_not_exists(mover) OR mover = :mover OR mover_until <= :now)",
                    ExpressionAttributeNames={"#state": "state"},
                    ExpressionAttributeValues={
                        ":mover": {"S": mover},
                        ":now": {"N": str(millis(now))},
                        ":until": {"N": str(millis(now + LEASE))},
                        ":running": {"S": State.RUNNING},
                    },
                )
        except Refused:
            return False
        return True

    def release(self, job_id: str, mover: str) -> None:
        """Give a lease back; one that is another mover's by now stays. Raises StoreUnavailable."""
        with suppress(Refused), answered(_NO_ANSWER):
            self._client.update_item(
                TableName=self._table,
                Key=key(job_id, JOB),
                UpdateExpression="REMOVE mover, mover_until",
                ConditionExpression="mover = :mover",
                ExpressionAttributeValues={":mover": {"S": mover}},
            )

    def begin(self, job_id: str, batch: Batch) -> bool:
        """Write a batch down before it is sent; False where its number is another one's. Raises StoreUnavailable."""
        return self._put(batch_item(job_id, batch), "attribute_not_exists(job)")

    def write(self, job_id: str, batch: Batch) -> None:
        """Write down how far a batch has come. Raises StoreUnavailable."""
        self._put(batch_item(job_id, batch))

    def forget(self, job_id: str, batch: Batch) -> None:
        """Forget a batch of which surely nothing was sent; one of another mover stays. Raises StoreUnavailable."""
        with suppress(Refused), answered(_NO_ANSWER):
            self._client.delete_item(
                TableName=self._table,
                Key=key(job_id, batch_part(batch)),
                ConditionExpression="letters = :letters",
                ExpressionAttributeValues={":letters": {"S": serialised(batch.letters)}},
            )

    def _batches(self, job_id: str) -> Iterator[Batch]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="job = :job AND begins_with(part, :batch)",
            ExpressionAttributeValues={":job": {"S": job_id}, ":batch": {"S": BATCH}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from map(batch_of, page["Items"])

    def _change(self, job: Job, before: State, mover: str = "") -> bool:
        item = {name: value for name, value in job_item(job).items() if name in _PROGRESS}
        gone = [name for name in _PROGRESS if name not in item]
        sets = "SET " + ", ".join(f"#{name} = :{name}" for name in item)
        removes = " REMOVE " + ", ".join(f"#{name}" for name in gone) if gone else ""
        try:
            with answered(_NO_ANSWER):
                self._client.update_item(
                    TableName=self._table,
                    Key=key(job.id, JOB),
                    UpdateExpression=sets + removes,
                    ConditionExpression="#state = :before" + (" AND mover = :mover" if mover else ""),
                    ExpressionAttributeNames={f"#{name}": name for name in _PROGRESS},
                    ExpressionAttributeValues={f":{name}": value for name, value in item.items()}
                    | {":before": {"S": before}}
                    | ({":mover": {"S": mover}} if mover else {}),
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
