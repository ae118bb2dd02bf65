"""A stack, its gateway, a plan and an outage in; the drill run until everything is well again, and its account out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Final

from ops.drill import run as orders
from ops.drill.outage.account import Account, Before, Called, Found, balance
from ops.drill.outage.ground import Charges, Ground
from ops.drill.outage.plan import Outage, is_due
from ops.drill.plan import Plan
from ops.drill.run import Progress, Show
from ops.local.gateway.client import Gateway
from ops.local.gateway.health import Mode
from ops.stack import Stack

_POLL_SECONDS: Final = 1.0


@dataclass
class _Breaking:
    """Lets the gateway fail once enough orders are done, and remembers how it was before.

    `counting_since` is when the first call was still to come, as far as is known: the pace of calls is not too high.
    """

    ground: Ground
    plan: Plan
    outage: Outage
    counted: Charges
    counting_since: float
    before: Before | None = None

    def watch(self, progress: Progress) -> None:
        """Let the outage begin if it is time."""
        if self.before is not None:
            return
        new, now = self.ground.charges().since(self.counted), monotonic()
        if not new.calls:
            self.counting_since = now
        done = max(progress.done, new.charges)
        if is_due(self.plan, done):
            undone = len(self.plan.events) - done
            self.before = Before(datetime.now(UTC), new.calls, now - self.counting_since, undone)
            self.ground.break_gateway(self.outage)


def run(stack: Stack, gateway: Gateway, plan: Plan, outage: Outage, timeout_seconds: float, show: Show) -> Account:
    """Send the plan's orders, let the gateway fail amid them, wait until all is well again, and account.

    Whatever is not well after `timeout_seconds` is shown as it is; the gateway is well in any case. Raises CallFailed
    where the stack allows no drills or charges nowhere.
    """
    ground = Ground(stack, gateway)
    ground.mend_gateway()
    began_at, started = datetime.now(UTC), monotonic()
    first, failed_first = ground.charges(), ground.failed_calls()
    breaking = _Breaking(ground, plan, outage, first, started)

    def watch(progress: Progress) -> None:
        breaking.watch(progress)
        show(progress)

    try:
        account = orders.run(stack, plan, timeout_seconds, watch)
        _wait(ground, began_at, started + timeout_seconds)
    finally:
        ground.mend_gateway()
    recovered, charges = ground.recovered(began_at), ground.charges().since(first)
    called = Called(_calls_in(ground, breaking, failed_first), charges.charges, charges.charged_twice)
    return balance(outage, account, Found(breaking.before, called, tuple(ground.steps(began_at)), recovered))


def _wait(ground: Ground, began_at: datetime, deadline: float) -> None:
    """Wait until the circuit is closed and every intake takes events again."""
    while not ground.recovered(began_at).is_over and monotonic() < deadline:
        sleep(_POLL_SECONDS)


def _calls_in(ground: Ground, breaking: _Breaking, failed_first: int) -> int:
    """Return how often the gateway was called while it was out. Of connections that are refused, only callers know."""
    if breaking.before is None:
        return 0
    if breaking.outage.mode is Mode.REFUSE:
        return max(ground.failed_calls() - failed_first, ground.calls_in_outage())
    return ground.calls_in_outage()
