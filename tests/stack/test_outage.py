"""The payment gateway fails amid good orders on the local AWS: circuit, intake and orders see to themselves."""

from __future__ import annotations

from ops.drill.outage.command import rehearse
from ops.drill.outage.plan import Outage
from ops.local.gateway.health import Mode
from ops.local.state import LocalAws
from ops.stack import Stack

EVENTS = 300
OUTAGE = Outage(Mode.ERRORS, 20)
TIMEOUT_SECONDS = 360
"""An outage, an open circuit's half minute more, and the minutes that recovery takes to resume what it paused."""


def test_an_outage_costs_no_order_and_intake_is_paused_and_resumed_by_itself(stack: Stack, local_aws: LocalAws) -> None:
    account = rehearse(stack, local_aws.gateway, OUTAGE, EVENTS, 5, TIMEOUT_SECONDS)

    orders = account.orders
    assert (orders.done, orders.dead, orders.lost, orders.effects_twice) == (EVENTS, {}, 0, 0)
    assert (account.charges, account.charged_twice) == (EVENTS, 0)
    assert (account.circuit_opened, account.circuit_closed, account.intakes_enabled) == (True, True, True)
    assert account.began_at is not None
    assert account.paused_at is not None
    assert account.resumed_at is not None
    assert account.began_at < account.paused_at < account.resumed_at
