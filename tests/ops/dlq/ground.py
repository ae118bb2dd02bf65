"""Dead letters as workers and SQS leave them, and what there is to see of them afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from backstop.aws.failed_events import FailedEvents
from backstop.aws.groups_table import GroupsTable
from backstop.budget import Budget
from backstop.kinds import Kind
from backstop.occurrence import Occurrence, tallies
from backstop.trail import ATTRIBUTE, Trail
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.queue import QueuedMessage
from tests.fakes.sqs import FakeSqs
from tests.template.tables import make_table

A: Final = "a" * 16
B: Final = "b" * 16
DEAD: Final = "shop-dead"
ORDERED_DEAD: Final = "shop-ordered-dead.fifo"
WHO: Final = "arn:aws:sts::123456789012:user/moto"
REASON: Final = "no price of <sku> yet"
HOSTILE: Final = "x\x1b[2J\u202e\r[red]\x7f"
"""What a terminal would obey, and what rich would."""
BUDGET: Final = Budget(limit=5, window=timedelta(hours=1), quiet=timedelta(minutes=10), digest_after=20)
TABLES: Final = {
    "parked": "ParkedTable",
    "groups": "FailureGroupsTable",
    "events": "FailedEventsTable",
    "audit": "AuditTable",
}


@dataclass
class Ground:
    """A stack, and what stands behind it: `sqs` and `client` are touched by no fault of the stack's clients."""

    stack: Stack
    sqs: FakeSqs
    clock: VirtualClock
    client: Any

    def die(self, *ids: str, body: str | None = None, attributes: Any = None, **trail: Any) -> None:
        """Let events die as a worker lets them: sent to the dead-letter queue with their history."""
        for event_id in ids:
            told = self.trail(event_id, **trail).serialise()
            kept = {**(attributes or {}), ATTRIBUTE: {"DataType": "String", "StringValue": told}}
            self.put(DEAD, event_id, body=body, attributes=kept)

    def trail(self, event_id: str, /, **trail: Any) -> Trail:
        """Return the history of an event that died just now."""
        befell: dict[str, Any] = {
            "attempt": 6,
            "event_id": event_id,
            "first_failed_at": self.clock.now() - timedelta(hours=1),
            "last_failed_at": self.clock.now(),
            "source_queue": "shop-events",
            "verdict": "dead",
            "dead_because": "exhausted",
            "kind": "transient",
            "error_type": "PriceNotPublished",
            "group": A,
            "reason": REASON,
            "release": "1.4.0",
        }
        return Trail(**befell | trail)

    def move(self, *ids: str, queue: str = DEAD, key: str = "", source: str = "shop-events") -> None:
        """Let SQS itself move events, as it does where no worker answers for them."""
        for event_id in ids:
            system = {"DeadLetterQueueSourceArn": f"arn:aws:sqs:eu-west-1:123456789012:{source}"}
            self.put(queue, event_id, system=system | ({"MessageGroupId": key} if key else {}))

    def put(
        self, queue: str, event_id: str, body: str | None = None, attributes: Any = None, system: Any = None
    ) -> None:
        """Put a message into a queue, whatever it is."""
        text = json.dumps({"id": event_id, "name": "Zanzibar"}) if body is None else body
        self.sqs.queue(queue).put(text, attributes or {}, system or {})

    def fail(self, event_id: str, **told: Any) -> None:
        """Let the logs tell of a failure of an event."""
        known: dict[str, Any] = {
            "kind": Kind.TRANSIENT,
            "error_type": "Timeout",
            "error": "the shop did not answer",
            "verdict": "Retry",
            "attempt": 3,
            "release": "1.4.1",
            "group": B,
        } | told
        failure = Occurrence(line=event_id, at=self.clock.now(), event_id=event_id, **known)
        FailedEvents(self.client, "events", timedelta(days=35)).record([failure])
        for tally in tallies([failure], "00000000"):
            GroupsTable(self.client, "groups", BUDGET).count(tally, self.clock.now())

    def letters(self, queue: str = DEAD) -> list[str]:
        """Return the ids of the letters of a queue, in the order in which they came."""
        return [json.loads(one.body)["id"] for one in self.messages(queue)]

    def messages(self, queue: str = DEAD) -> list[QueuedMessage]:
        """Return the messages of a queue."""
        return self.sqs.queue(queue).messages

    def contents(self) -> Any:
        """Return all that lies in the dead-letter queues, byte for byte."""
        return {
            one.message_id: (queue, one.body, one.attributes, dict(one.system), one.enqueued_at)
            for queue in (DEAD, ORDERED_DEAD)
            for one in self.messages(queue)
        }

    def hidden(self) -> int:
        """Return how many letters nobody can take just now."""
        now = self.clock.now()
        return sum(one.visible_at > now for queue in (DEAD, ORDERED_DEAD) for one in self.messages(queue))

    def audit(self) -> list[tuple[str, str, int, str]]:
        """Return what is written down: commands, subjects, counts and results, the oldest first."""
        items: Sequence[Any] = self.client.scan(TableName="audit")["Items"]
        in_order = sorted(items, key=lambda one: one["at"]["S"])
        return [
            (item["command"]["S"], item["subject"]["S"], int(item["count"]["N"]), item["result"]["S"])
            for item in in_order
        ]


def make_tables(client: Any) -> None:
    """Make the tables that a stack names."""
    for name, resource in TABLES.items():
        make_table(client, name, resource)
