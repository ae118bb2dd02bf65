from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ops.drill.outage.account import Account
from ops.drill.outage.plan import Outage
from ops.drill.outage.run import run
from ops.drill.plan import make
from ops.drill.run import Progress
from ops.failure import CallFailed
from ops.local.gateway.client import Gateway
from ops.local.gateway.health import Mode as Failing
from ops.stack import Stack
from tests.fakes.faults import Fault
from tests.fakes.sqs import FakeSqs
from tests.ops.outage.world import Downstream

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
PLAN = make(30, 1, "d", NOW, is_calm=True)
OUTAGE = Outage(Failing.ERRORS, 20)
GATEWAY = Gateway("http://127.0.0.1:1")


def drill(stack: Stack, outage: Outage = OUTAGE, timeout_seconds: float = 200) -> Account:
    return run(stack, GATEWAY, PLAN, outage, timeout_seconds, lambda _: None)


def test_the_outage_begins_amid_the_orders_and_the_drill_waits_until_all_is_well(
    stack: Stack, downstream: Downstream
) -> None:
    account = drill(stack)

    assert account.wrongs[:-1] == []
    assert (account.orders.done, account.charges, account.charged_twice) == (30, 30, 0)
    assert (account.circuit_opened, account.circuit_closed, account.intakes_enabled) == (True, True, True)
    assert None not in (account.began_at, account.paused_at, account.resumed_at)


def test_the_pace_of_before_is_that_since_the_first_call(stack: Stack, downstream: Downstream) -> None:
    """Four orders a second, of 30; the outage begins when four are done."""
    downstream.called_before = 1000

    account = drill(stack)

    assert account.naive_calls == 26  # 4 a second for 20 s, but no order twice
    assert account.calls_in_outage == 19  # the fake's one failure each second


def test_calls_and_charges_of_before_are_not_this_drills(stack: Stack, downstream: Downstream) -> None:
    downstream.called_before = 7

    account = drill(stack)

    assert (account.charges, account.charged_twice) == (30, 0)


def test_what_a_gateway_refuses_is_counted_by_those_who_called(stack: Stack, downstream: Downstream) -> None:
    downstream.called_before = 7

    assert drill(stack, Outage(Failing.REFUSE, 20)).calls_in_outage == 19


def test_it_waits_for_the_circuit_when_all_orders_are_done(stack: Stack, downstream: Downstream) -> None:
    downstream.closes_late = timedelta(seconds=100)

    account = drill(stack)

    assert (account.circuit_closed, account.intakes_enabled) == (True, True)


def test_what_is_not_well_after_the_timeout_is_shown_as_it_is(stack: Stack, downstream: Downstream) -> None:
    downstream.closes_late = timedelta(days=1)

    account = drill(stack, timeout_seconds=100)

    assert "the circuit has not closed again" in account.wrongs
    assert account.orders.is_balanced


def test_orders_that_are_done_too_soon_leave_no_time_for_an_outage(stack: Stack, downstream: Downstream) -> None:
    downstream.pace = 1000

    account = drill(stack)

    assert (account.orders.done, account.began_at, account.naive_calls) == (30, None, 0)
    assert "the orders were done before an outage could begin: send more of them" in account.wrongs


def test_a_drill_that_breaks_off_leaves_the_gateway_well(stack: Stack, downstream: Downstream, sqs: FakeSqs) -> None:
    sqs.faults.fail_always("SendMessageBatch", Fault.UNREACHABLE)
    downstream.break_gateway(OUTAGE)

    with pytest.raises(CallFailed, match="SQS took 0 events"):
        drill(stack)
    assert not downstream.is_out


def test_progress_is_shown_as_in_a_drill_of_orders(stack: Stack, downstream: Downstream) -> None:
    shown: list[Progress] = []

    run(stack, GATEWAY, PLAN, OUTAGE, 200, shown.append)

    assert shown[-1] == Progress(sent=30, done=30, dead=0, retrying=0, queued=0)
