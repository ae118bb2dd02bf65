"""The three stores of groups, each set up as it is used, and what they are asked to count."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final

from moto import mock_aws

from backstop.aws.groups_table import GroupsTable
from backstop.budget import Budget, Reason, Slot, Slots, Window
from backstop.groups import Counted, Group, Store
from backstop.memory import MemoryStore
from backstop.occurrence import Occurrence, Severity, Tally
from backstop.valkey import ValkeyStore
from backstop.valkey_client import connect
from tests.backstop import NOW
from tests.backstop.valkey_server import Server
from tests.fakes.parking_contract import client_of

TABLE: Final = "groups"
PREFIX: Final = "backstop:shop:"
GROUP: Final = "a" * 16
OTHER: Final = "b" * 16
BUDGET: Final = Budget(limit=5, window=timedelta(hours=1), quiet=timedelta(minutes=10), digest_after=20)
A_MOMENT: Final = timedelta(milliseconds=1)
A_MINUTE: Final = timedelta(minutes=1)

SLOTS: Final = Slots(
    sent=3,
    milestones=(1, 10),
    pending=(Slot(Reason.MORE, 12, (10,), 1_767_268_800), Slot(Reason.END, 13, (), 1_767_268_801, in_digest=True)),
    over_at=13,
    carried=2_000_000_000,
    carried_sent=7,
    digests=1,
)
"""Slots with all that slots can have."""


@dataclass(frozen=True)
class Stand:
    """A store, short ways to use it, and what people decide behind its back."""

    store: Store
    decide: Callable[[str, Mapping[str, datetime]], None]

    def count(self, batch: int, count: int = 1, now: datetime = NOW, **tally: Any) -> Counted:
        """Count the tally of a batch."""
        return self.store.count(a_tally(batch, count, **tally), now)

    def window(self, group: str = GROUP) -> Window:
        """Return a group's window as it is now."""
        return self._look(group)[1]

    def group(self, group: str = GROUP) -> Group:
        """Return a group as it is now."""
        return self._look(group)[0]

    def open(self) -> set[str]:
        """Return the groups whose windows are open."""
        return {window.group for window in self.store.open_windows()}

    def _look(self, group: str) -> tuple[Group, Window]:
        found = self.store.look(group)
        assert found is not None
        return found


def a_tally(
    batch: int, count: int = 1, *, group: str = GROUP, at: datetime = NOW, until: datetime | None = None, **sample: Any
) -> Tally:
    """Return the tally of a batch; `sample` says more of its sample."""
    last = at if until is None else until
    one = Occurrence("line", last, group, **sample)
    return Tally(group, batch_id(batch), count, at, last, Severity.ERROR, one)


def batch_id(batch: int) -> str:
    """Return what a batch goes by: a hash."""
    return hashlib.sha256(str(batch).encode()).hexdigest()[:32]


@contextmanager
def stand_in_memory() -> Iterator[Stand]:
    """Set a store up in memory."""
    store = MemoryStore(BUDGET)

    def decide(group: str, decided: Mapping[str, datetime]) -> None:
        store._groups[group] = replace(store._groups[group], **decided)  # type: ignore[arg-type]  # names only known here

    yield Stand(store, decide)


@contextmanager
def stand_on_moto() -> Iterator[Stand]:
    """Set a store up in DynamoDB."""
    with groups_table() as table:
        yield Stand(table, decide_in_table)


@contextmanager
def stand_on_valkey(server: Server, address: str = "") -> Iterator[Stand]:
    """Set a store up on a server, which forgets what it knew, beside a table in DynamoDB."""
    server.empty()
    with groups_table() as table:
        yield Stand(ValkeyStore(connect(address or server.address), table, BUDGET, PREFIX), decide_in_table)


@contextmanager
def groups_table() -> Iterator[GroupsTable]:
    """Make the table, as template.yaml has it."""
    with mock_aws():
        client_of("dynamodb").create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "group", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": kind}
                for name, kind in {"group": "S", "is_open": "S", "window_opened": "N"}.items()
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "open",
                    "KeySchema": [
                        {"AttributeName": "is_open", "KeyType": "HASH"},
                        {"AttributeName": "window_opened", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )
        client: Any = OneCallAtATime(client_of("dynamodb"))
        yield GroupsTable(client, TABLE, BUDGET)


def decide_in_table(group: str, decided: Mapping[str, datetime]) -> None:
    """Write what people have decided, as an operator's command does."""
    for name, moment in decided.items():
        client_of("dynamodb").update_item(
            TableName=TABLE,
            Key={"group": {"S": group}},
            UpdateExpression=f"SET {name} = :moment",
            ExpressionAttributeValues={":moment": {"N": str(round(moment.timestamp() * 1000))}},
        )


class OneCallAtATime:
    """A client for threads: a change is atomic in DynamoDB, and is not on moto."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = Lock()

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            with self._lock:
                return getattr(self._client, name)(**request)

        return call
