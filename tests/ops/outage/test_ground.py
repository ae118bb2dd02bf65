from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from backstop.recovery.mode import Mode
from backstop.recovery.state import Cause, CauseKind, Entry, Strategy
from ops.drill.outage.account import Recovered, Step
from ops.drill.outage.ground import Charges, Ground
from ops.drill.outage.plan import Outage
from ops.failure import CallFailed
from ops.local.gateway.admin import administered
from ops.local.gateway.client import BACKUP, PAYMENTS, Gateway
from ops.local.gateway.entrance import Entrance
from ops.local.gateway.health import Mode as Failing
from ops.local.gateway.ledger import Ledger
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.ops.groups import ground as groups
from tests.ops.intake import ground as intakes
from tests.ops.intake.functions import Functions
from tests.template.tables import make_table

clock, faults, stack, ground = intakes.clock, intakes.faults, intakes.stack, intakes.ground
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
CIRCUIT = Cause(CauseKind.CIRCUIT, "payments")


@dataclass
class PayingFunctions(Functions):
    """Lambda with the function of the orders, too."""

    payment: dict[str, str] = field(default_factory=lambda: {"PAYMENT_URL": "http://127.0.0.1:1"})

    def get_function_configuration(self, FunctionName: str) -> Any:  # noqa: N803  # as boto3 has it
        if FunctionName == intakes.EVENTS.function:
            return {"FunctionName": FunctionName, "Environment": {"Variables": self.payment}}
        return super().get_function_configuration(FunctionName)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    ledger = Ledger()
    with ExitStack() as closed:
        entrances = {name: closed.enter_context(closing(Entrance(ledger))) for name in (PAYMENTS, BACKUP)}
        yield Gateway(closed.enter_context(closing(administered(entrances))).url)


@pytest.fixture
def world(ground: intakes.Ground, stack: Stack) -> intakes.Ground:
    """Give the stack groups of failures, and a function that charges."""
    make_table(ground.client, "groups", "FailureGroupsTable")
    make_table(ground.client, "events", "FailedEventsTable")
    vars(stack)["_outputs"] |= {"FailureGroupsTableName": "groups"}
    known = vars(ground.functions)
    vars(stack).update(functions=PayingFunctions(**known))
    return ground


def charge(gateway: Gateway, name: str, order: str, key: str = "") -> None:
    where = urlsplit(gateway.urls()[name])
    with closing(HTTPConnection(where.hostname or "", where.port, timeout=5)) as connection:
        body = f'{{"order": "{order}", "amount": 1, "currency": "EUR"}}'
        connection.request("POST", "/charges", body, {"Idempotency-Key": key or order})
        connection.getresponse().read()


@pytest.mark.usefixtures("world")
def test_charges_are_counted_at_both_entrances_and_calls_at_the_one_that_fails(stack: Stack, gateway: Gateway) -> None:
    ground = Ground(stack, gateway)
    charge(gateway, PAYMENTS, "o-1")
    before = ground.charges()
    charge(gateway, PAYMENTS, "o-2")
    charge(gateway, BACKUP, "o-3")
    charge(gateway, BACKUP, "o-1", key="another")

    assert ground.charges().since(before) == Charges(calls=1, charges=3, charged_twice=1)


@pytest.mark.usefixtures("world")
def test_a_gateway_is_broken_and_mended(stack: Stack, gateway: Gateway) -> None:
    ground = Ground(stack, gateway)

    ground.break_gateway(Outage(Failing.ERRORS, 60))
    charge(gateway, PAYMENTS, "o-1")
    assert (gateway.mode(), ground.calls_in_outage(), ground.charges().charges) == ("errors", 1, 0)

    ground.mend_gateway()
    charge(gateway, PAYMENTS, "o-1")
    assert (gateway.mode(), ground.calls_in_outage(), ground.charges().charges) == ("ok", 1, 1)


def test_failures_are_calls_unless_the_circuit_refused_them(
    stack: Stack, gateway: Gateway, world: intakes.Ground, clock: VirtualClock
) -> None:
    failing = groups.Ground(stack, clock, world.client)
    failing.fail(groups.A, times=3, error_type="URLError")
    failing.fail(groups.B, times=40, error_type="CircuitOpen")

    assert Ground(stack, gateway).failed_calls() == 3


def test_it_is_over_when_the_circuit_is_closed_and_every_intake_enabled(
    stack: Stack, gateway: Gateway, world: intakes.Ground
) -> None:
    ground = Ground(stack, gateway)
    assert ground.recovered(NOW) == Recovered(Mode.ACT, has_opened=False, is_closed=True, are_intakes_on=True)

    world.open("payments", "shop-process")
    vars(stack)["functions"].mappings["m-ordered"]["State"] = "Enabling"
    found = ground.recovered(NOW + timedelta(milliseconds=900))  # the store knows whole seconds
    assert found == Recovered(Mode.ACT, has_opened=True, is_closed=False, are_intakes_on=False)
    assert not found.is_over


def test_a_circuit_that_opened_before_has_not_opened_now(stack: Stack, gateway: Gateway, world: intakes.Ground) -> None:
    world.open("payments", "shop-process")

    assert not Ground(stack, gateway).recovered(NOW + timedelta(seconds=1)).has_opened


def test_what_recovery_did_is_told_the_oldest_first(stack: Stack, gateway: Gateway, world: intakes.Ground) -> None:
    def write(strategy: Strategy, after: int, *, is_suggested: bool = False) -> None:
        entry = Entry(strategy, "events", CIRCUIT, "why", is_suggested)
        world.log.write((entry,), NOW + timedelta(seconds=after))

    write(Strategy.PAUSE, -10)
    write(Strategy.PAUSE, 8)
    write(Strategy.RESUME, 90, is_suggested=True)

    assert list(Ground(stack, gateway).steps(NOW)) == [
        Step(NOW + timedelta(seconds=8), Strategy.PAUSE, "events", CauseKind.CIRCUIT),
        Step(NOW + timedelta(seconds=90), Strategy.RESUME, "events", CauseKind.CIRCUIT, is_suggested=True),
    ]


@pytest.mark.usefixtures("world")
def test_a_stack_that_charges_nowhere_is_refused(stack: Stack, gateway: Gateway) -> None:
    vars(stack)["functions"].payment = {"PAYMENT_URL": ""}

    with pytest.raises(CallFailed, match="charges nowhere"):
        Ground(stack, gateway)
