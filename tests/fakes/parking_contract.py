"""Where events are parked, in memory or on moto: what a suite needs that both must pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, Protocol

import boto3
from moto import mock_aws

from backstop.aws.parked import ParkedTable
from backstop.aws.parked_record import ParkedRecords
from backstop.parking import Lock, Parked, Parking, Placed, State, parked
from tests.backstop import NOW, record
from tests.fakes.faults import Faults
from tests.fakes.parking import FakeParking, failing_by

TABLE: Final = "parked"
BUCKET: Final = "data"
MOST: Final = 30
LEASE: Final = timedelta(seconds=35)
UNTIL: Final = NOW + LEASE
A_MOMENT: Final = timedelta(milliseconds=1)


class OperatorsParking(Parking, Protocol):
    """What operators need besides."""

    def lock(self, key: str) -> Lock | None:
        """Return the lock of a key; None where it does not wait."""

    def claim(self, lock: Lock, now: datetime, until: datetime) -> Lock:
        """Take the lease of a key that is held, or waits for its time. Raises LeaseLost where it changed meanwhile."""

    def locks(self) -> Iterator[Lock]:
        """Return every key that waits, those first that are due next; held ones last."""

    def events(self, key: str) -> Iterator[Parked]:
        """Return the parked events of a key, in their order."""


@dataclass(frozen=True)
class Lot:
    """A place to park, and short ways to fill it and to ask what it holds."""

    parking: OperatorsParking

    def park(self, key: str, *numbers: int, state: State = State.WAITING, due: datetime = NOW) -> Lock:
        """Let a key wait with these events, the first as its head, and return its lock."""
        head, *others = numbers
        lock = a_lock(key, head, state=state, due=due)
        assert self.parking.park_head(lock, an_event(head)) is Placed.PARKED
        for number in others:
            assert self.parking.park_behind(key, an_event(number, blocked_by=f"e{head}")) is Placed.PARKED
        return self.require_lock(key)

    def lease(self, key: str, now: datetime = NOW) -> Lock:
        """Take the lease of a key that is due."""
        lock = self.parking.lease(key, now, now + LEASE)
        assert lock is not None
        return lock

    def require_lock(self, key: str) -> Lock:
        """Return the lock of a key that waits."""
        lock = self.parking.lock(key)
        assert lock is not None
        return lock

    def numbers(self, key: str) -> list[int]:
        """Return the numbers of a key's parked events, in their order."""
        return [int(event.sequence) for event in self.parking.events(key)]


def an_event(number: int, *, blocked_by: str = "", **details: Any) -> Parked:
    """Return the event that SQS gave this number; `details` are its record's."""
    return parked(record(f"e{number}", SequenceNumber=str(number), **details), f"e{number}", blocked_by)


def a_lock(
    key: str, head: int = 1, *, state: State = State.WAITING, due: datetime = NOW, generation: int = 7000
) -> Lock:
    """Return a key's lock as it begins."""
    return Lock(key, state, generation, f"e{head}", 1, due, NOW)


@contextmanager
def lot_of(kind: str) -> Iterator[Lot]:
    """Set a lot up: on the `fake` or on `moto`."""
    if kind == "fake":
        yield Lot(FakeParking(MOST, failing_by(Faults())))
        return
    with table_on_moto() as table:
        yield Lot(table)


@contextmanager
def table_on_moto() -> Iterator[ParkedTable]:
    """Set the table and the bucket up on moto."""
    with mock_aws():
        dynamodb, s3 = client_of("dynamodb"), client_of("s3")
        dynamodb.create_table(TableName=TABLE, BillingMode="PAY_PER_REQUEST", **_schema())
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield ParkedTable(dynamodb, TABLE, ParkedRecords(lambda: s3, BUCKET), MOST)


@cache
def client_of(service: str) -> Any:
    """Return a client that moto serves anew in each test: making one takes longer than a test."""
    return boto3.client(service, region_name="eu-west-1")  # type: ignore[call-overload]  # a name only known here


def _schema() -> dict[str, Any]:
    """Return keys and index as template.yaml has them."""
    return {
        "KeySchema": _key(HASH="key", RANGE="sort"),
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in {"key": "S", "sort": "S", "due": "N"}.items()
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "due",
                "KeySchema": _key(HASH="sort", RANGE="due"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    }


def _key(**names: str) -> Sequence[Mapping[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for kind, name in names.items()]
