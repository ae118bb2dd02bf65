"""Two queues and two tables on the local AWS: dead letters, where they go back to, and what is known of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from time import sleep
from typing import Any, Final

from botocore.config import Config

from backstop.aws.letters import LetterQueue
from backstop.aws.redrive_jobs import RedriveJobs
from backstop.aws.redrive_sends import send_back
from backstop.moving import Answer, Moving
from backstop.redrive import REST, Job
from backstop.selection import Selection
from backstop.trail import ATTRIBUTE, Trail
from ops.stack import Stack

DEAD: Final = "bench-dead"
EVENTS: Final = "bench-events"
REDRIVES: Final = "bench-redrives"
FAILED: Final = "bench-failed"


class RedriveGround:
    """What a redrive works on."""

    def __init__(self, stack: Stack) -> None:
        self.sqs: Any = stack.sqs
        self.dynamodb: Any = stack.dynamodb
        self.once: Any = stack.session.client(
            "sqs", endpoint_url=stack.endpoint_url, config=Config(retries={"total_max_attempts": 1})
        )
        self.jobs = RedriveJobs(self.dynamodb, REDRIVES)

    def make(self) -> None:
        """Make the queues and tables."""
        for name in (DEAD, EVENTS):
            self.sqs.create_queue(QueueName=name)
        for table, keys in ((REDRIVES, ("job", "part")), (FAILED, ("event_id", "at"))):
            kinds = zip(keys, ("HASH", "RANGE"), strict=True)
            self.dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
                KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in kinds],
            )

    def url(self, queue: str) -> str:
        """Return a queue's address."""
        return str(self.sqs.get_queue_url(QueueName=queue)["QueueUrl"])

    def bury(self, event_ids: Sequence[str], group: str = "a" * 16) -> None:
        """Let events be dead letters of a group."""
        url = self.url(DEAD)
        for start in range(0, len(event_ids), 10):
            entries = [_entry(str(number), event_id, group) for number, event_id in enumerate(event_ids[start:][:10])]
            self.sqs.send_message_batch(QueueUrl=url, Entries=entries)

    def begin(self, job_id: str, rate: float, *, is_canary: bool = False, **chosen: Any) -> Job:
        """Write a redrive down."""
        job = Job(job_id, Selection(**chosen), (DEAD,), rate, is_canary, now(), step=0 if is_canary else REST)
        self.jobs.create(job)
        return job

    def moving(self, turn: timedelta) -> Moving:
        """Return what moves letters, in a turn of that length."""
        ends = now() + turn
        events = self.url(EVENTS)
        return Moving(
            mover=token_hex(8),
            jobs=self.jobs,
            places={DEAD: LetterQueue(self.sqs, self.url(DEAD), frozenset({EVENTS}), now)},
            destination=lambda _: EVENTS,
            send=lambda _, addressed: send_back(self.once, events, addressed),
            put_back=lambda *_: Answer({}),
            tell=lambda *_: None,
            leave=lambda *_: None,
            remaining=lambda: ends - now(),
            now=now,
            pause=sleep,
        )


def now() -> datetime:
    return datetime.now(UTC)


def _entry(entry_id: str, event_id: str, group: str) -> dict[str, Any]:
    trail = Trail(attempt=6, event_id=event_id, last_failed_at=now(), source_queue=EVENTS, verdict="dead", group=group)
    return {
        "Id": entry_id,
        "MessageBody": json.dumps({"id": event_id, "items": [{"sku": "tea", "quantity": 1}]}),
        "MessageAttributes": {ATTRIBUTE: {"DataType": "String", "StringValue": trail.serialise()}},
    }
