"""The two stores of circuits, each set up as it is used, and short ways to bring a circuit where it is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import time_machine
from moto import mock_aws

from backstop.aws.circuits import CircuitTable
from backstop.circuits.state import Calls, CircuitStore, Opening, Standing, Thresholds
from tests.backstop import NOW
from tests.fakes.circuits import FakeCircuits
from tests.fakes.faults import Faults
from tests.fakes.parking import failing_by
from tests.fakes.parking_contract import client_of
from tests.template.tables import make_table

TABLE: Final = "circuits"
NAME: Final = "payments"
OPEN_FOR: Final = timedelta(seconds=30)
LEASE: Final = timedelta(seconds=12)
DUE: Final = NOW + OPEN_FOR
A_SECOND: Final = timedelta(seconds=1)
THRESHOLDS: Final = Thresholds()
SLOT: Final = int(NOW.timestamp()) // 10


class OperatorsStore(CircuitStore, Protocol):
    """What operators need besides."""

    def all(self) -> list[Standing]:
        """Return all circuits, by their names."""

    def force_open(self, name: str, until: datetime, why: str, now: datetime) -> Standing:
        """Hold a circuit open until a time."""

    def force_close(self, name: str, now: datetime) -> Standing:
        """Close a circuit."""


@dataclass(frozen=True)
class Stand:
    """A store, and short ways to use it. Each expects that nobody is in the way."""

    store: OperatorsStore

    def read(self) -> Standing:
        """Return the circuit as it is."""
        return self.store.read(NAME)

    def open(self, environment: str = "one", at: datetime = NOW) -> Standing:
        """Open the circuit."""
        opening = Opening(at, environment, "shop")
        return found(self.store.open(self.read(), "5 failures in a row", opening, OPEN_FOR))

    def probe(self, prober: str = "one", at: datetime = DUE) -> Standing:
        """Let one probe the circuit."""
        return found(self.store.elect(self.read(), prober, at + LEASE, at))

    def close(self, at: datetime = DUE) -> Standing:
        """Let as many probes succeed as it takes."""
        for _ in range(THRESHOLDS.successes):
            self.store.succeed(self.probe(at=at), THRESHOLDS, at)
        return self.read()

    def add(self, calls: Mapping[int, Calls], at: datetime = NOW) -> Standing:
        """Add calls."""
        return self.store.add(self.read(), calls, at)


def found(standing: Standing | None) -> Standing:
    """Return what was changed; there must be something."""
    assert standing is not None
    return standing


@contextmanager
def stand_in_memory() -> Iterator[Stand]:
    """Set a store up in memory."""
    yield Stand(FakeCircuits(failing_by(Faults())))


@contextmanager
def stand_on_moto() -> Iterator[Stand]:
    """Set a store up in DynamoDB; the time that it is elsewhere must not matter."""
    with circuit_table() as table, time_machine.travel(NOW - timedelta(days=1000), tick=False):
        yield Stand(table)


@contextmanager
def circuit_table() -> Iterator[CircuitTable]:
    """Make the table, as template.yaml has it."""
    with mock_aws():
        client: Any = client_of("dynamodb")
        make_table(client, TABLE, "CircuitsTable")
        yield CircuitTable(client, TABLE)
