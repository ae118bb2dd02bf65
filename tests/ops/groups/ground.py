"""Groups and failed events, written as the watchers write them, and what there is to see of them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, Final

import pytest
from moto import mock_aws

from backstop.aws.failed_events import FailedEvents
from backstop.aws.groups_table import GroupsTable
from backstop.budget import Budget
from backstop.kinds import Kind
from backstop.occurrence import Occurrence, tallies
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.ops.command import Command, Ran
from tests.ops.keys.conftest import SESSION, clock, faults
from tests.template.tables import make_table

__all__ = ["SESSION", "clock", "faults"]

A: Final = "a" * 16
B: Final = "b" * 16
WHO: Final = "arn:aws:sts::123456789012:user/moto"
BUDGET: Final = Budget(limit=5, window=timedelta(hours=1), quiet=timedelta(minutes=10), digest_after=20)
PARTS: Final = (("version", "2"), ("type", "PriceNotPublished"), ("frame", "handler:handle"), ("frame", "prices:find"))
HOSTILE: Final = "x\x1b[2J\u202e\r[red]"
"""What a terminal would obey, and what rich would."""

_TABLES: Final = {"groups": "FailureGroupsTable", "events": "FailedEventsTable", "audit": "AuditTable"}


@dataclass
class Ground:
    """A stack, and what stands behind it: `client` is touched by no fault of the stack's clients."""

    stack: Stack
    clock: VirtualClock
    client: Any
    _numbers: Any = field(default_factory=count)

    def fail(self, group: str = A, event: str = "e-1", times: int = 1, **known: Any) -> None:
        """Let a group's failures be counted, as a log batch of them is, and kept as an event's."""
        now = self.clock.now()
        told: dict[str, Any] = {
            "kind": Kind.TRANSIENT,
            "error_type": "PriceNotPublished",
            "error": "no price of <sku> yet",
            "where": "prices:find",
            "function": "shop-process",
            "stage": "prod",
            "release": "1.4.0",
            "verdict": "Retry",
            "queue": "shop-events",
            "attempt": 1,
            "parts": PARTS,
        } | known
        failures = [
            Occurrence(line=f"{next(self._numbers):056}", at=now, group=group, event_id=event, **told)
            for _ in range(times)
        ]
        table = GroupsTable(self.client, "groups", BUDGET)
        for tally in tallies(failures, f"{next(self._numbers):08x}"):
            table.count(tally, now)
        FailedEvents(self.client, "events", timedelta(days=35)).record(failures)

    def item(self, group: str = A) -> dict[str, Any]:
        """Return what the table has of a group."""
        found: dict[str, Any] = self.client.get_item(TableName="groups", Key={"group": {"S": group}}).get("Item", {})
        return found

    def change(self, group: str, **attributes: Any) -> None:
        """Write attributes of a group, whatever they are."""
        self.client.put_item(TableName="groups", Item=self.item(group) | {"group": {"S": group}} | attributes)

    def audit(self) -> list[tuple[str, str, str]]:
        """Return what is written down: commands, subjects and results, the oldest first."""
        items = self.client.scan(TableName="audit")["Items"]
        in_order = sorted(items, key=lambda one: one["at"]["S"])
        return [(item["command"]["S"], item["subject"]["S"], item["result"]["S"]) for item in in_order]


@pytest.fixture
def stack() -> Stack:
    stack = Stack("shop", SESSION)
    outputs = {"FailureGroupsTableName": "groups", "FailedEventsTableName": "events", "AuditTableName": "audit"}
    vars(stack).update(_outputs=outputs)
    return stack


@pytest.fixture
def ground(stack: Stack, clock: VirtualClock, faults: Faults) -> Iterator[Ground]:
    with mock_aws():
        client: Any = SESSION.client("dynamodb")
        for name, resource in _TABLES.items():
            make_table(client, name, resource)
        with faults.installed(stack.dynamodb):
            yield Ground(stack, clock, client)


@pytest.fixture
def backstop(
    command: Command, ground: Ground, found_by_commands: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Run a command where nobody sits, and see that it never shows where it stands in the code."""
    monkeypatch.setenv("COLUMNS", "300")

    def run(*words: str) -> Ran:
        ran = command(*words)
        assert "Traceback" not in ran.err
        assert "unexpectedly" not in ran.err
        return ran

    return run


def is_harmless(ran: Ran) -> bool:
    """Return whether a terminal would obey nothing of what was printed."""
    return all(one.isprintable() or one == "\n" for one in ran.out + ran.err)
