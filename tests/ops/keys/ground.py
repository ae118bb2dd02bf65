"""Keys that wait, parked as the ordered lane parks them, and what there is to see of them afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, Final, NamedTuple

from backstop.aws.parked import ParkedTable
from backstop.aws.parked_record import ParkedRecords
from backstop.parking import Lock, Parked, Placed, State, parked
from backstop.trail import Trail
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.queue import QueuedMessage
from tests.fakes.sqs import FakeSqs
from tests.template.tables import make_table

ORDERED: Final = "shop-ordered.fifo"
REASON: Final = "shipped comes after packed"


class Left(NamedTuple):
    """Where a key's events are: parked, as dead letters, and what the key waits for; no state where it does not."""

    state: State | None
    parked: list[str]
    dead: list[str]


@dataclass
class Ground:
    """A stack, and what stands behind it: `table` and `sqs` are touched by no fault of the stack's clients."""

    stack: Stack
    sqs: FakeSqs
    clock: VirtualClock
    table: ParkedTable
    _numbers: Any = field(default_factory=lambda: count(1000))

    def park(
        self, key: str, *ids: str, state: State = State.WAITING, due: float = 42, attributes: Any = None, **trail: Any
    ) -> None:
        """Let a key wait for the first of its events, which has failed, with the others behind it."""
        now = self.clock.now()
        head, *others = ids or ("e-1",)
        verdict = {"verdict": "dead", "dead_because": "permanent"} if state is State.HELD else {"verdict": "retry"}
        befell: dict[str, Any] = {
            "attempt": 3,
            "event_id": head,
            "key": key,
            "first_failed_at": now - timedelta(hours=1),
            "last_failed_at": now,
            "source_queue": ORDERED,
            "kind": "permanent",
            "error_type": "OutOfOrder",
            "reason": REASON,
        }
        first = self._event(key, head, attributes=attributes).after(Trail(**befell | verdict | trail))
        lock = Lock(key, state, next(self._numbers) * 1000, first.name, 1, now + timedelta(seconds=due), now)
        assert self.table.park_head(lock, first) is Placed.PARKED
        for other in others:
            self.table.park_behind(key, self._event(key, other, blocked_by=first.name))

    def lease(self, key: str, seconds: int = 30) -> Lock:
        """Let a worker take a key that is due."""
        now = self.clock.now()
        lock = self.table.lease(key, now, now + timedelta(seconds=seconds))
        assert lock is not None, f"{key} cannot be leased"
        return lock

    def head(self, key: str) -> Parked:
        """Return the first of a key's events."""
        return next(self.table.events(key))

    def left(self, key: str) -> Left:
        """Return where a key's events are."""
        lock = self.table.lock(key)
        dead = [json.loads(letter.body)["id"] for letter in self.letters()]
        return Left(None if lock is None else lock.state, self.parked(key), dead)

    def parked(self, key: str) -> list[str]:
        """Return the ids of a key's events, in their order."""
        return [event.event_id for event in self.table.events(key)]

    def letters(self) -> list[QueuedMessage]:
        """Return the dead letters."""
        return self.sqs.queue("shop-dead").messages

    def woken(self) -> list[str]:
        """Return the keys that are to be drained at once, in order."""
        drains = self.sqs.queue("shop-drain").messages
        return [json.loads(message.body)["key"] for message in drains if message.visible_at <= self.clock.now()]

    def audit(self) -> list[tuple[str, str]]:
        """Return what is written down: commands and their results, the oldest first."""
        items = self.stack.session.client("dynamodb").scan(TableName="audit")["Items"]
        return [(item["command"]["S"], item["result"]["S"]) for item in sorted(items, key=lambda one: one["at"]["S"])]

    def snapshot(self) -> Any:
        """Return everything that is in the tables and queues."""
        client = self.stack.session.client("dynamodb")
        items: Iterable[Any] = (item for name in ("parked", "audit") for item in client.scan(TableName=name)["Items"])
        bodies = {name: [message.body for message in queue.messages] for name, queue in self.sqs.queues.items()}
        return sorted(map(str, items)), bodies

    def _event(self, key: str, event_id: str, blocked_by: str = "", attributes: Any = None) -> Parked:
        number = next(self._numbers)
        system = {
            "SequenceNumber": str(number),
            "SentTimestamp": str(self.clock.epoch_millis() - 60_000),
            "MessageGroupId": key,
            "ApproximateReceiveCount": "1",
        }
        record = {
            "messageId": f"m-{number}",
            "body": json.dumps({"id": event_id, "name": "Zanzibar"}),
            "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{ORDERED}",
            "attributes": system,
            "messageAttributes": attributes or {},
        }
        return parked(record, event_id, blocked_by)


def ground_of(stack: Stack, sqs: FakeSqs, clock: VirtualClock) -> Ground:
    """Make the tables and the bucket that a stack names, and a ground of them."""
    for name, resource in (("parked", "ParkedTable"), ("audit", "AuditTable")):
        make_table(stack.dynamodb, name, resource)
    stack.s3.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    untouched: Any = stack.session.client("dynamodb")
    table = ParkedTable(untouched, "parked", ParkedRecords(lambda: stack.s3, "data"), most=1000)
    return Ground(stack, sqs, clock, table)
