"""An outage that went well, as it is found and accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from backstop.recovery.mode import Mode
from backstop.recovery.state import CauseKind, Strategy
from ops.drill.account import Account as Orders
from ops.drill.outage.account import Account, Before, Called, Found, Recovered, Step, balance
from ops.drill.outage.plan import Outage
from ops.local.gateway.health import Mode as Failing

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
OUTAGE = Outage(Failing.ERRORS, 60)
ALL_DONE: Mapping[str, Any] = {
    "sent": 5000, "done": 5000, "dead": {}, "retrying": 0, "parked": 0, "queued": 0, "lost": 0, "effects_twice": 0,
    "good_events_dead": 0, "seconds": 200.0,
}  # fmt: skip
BEFORE = Before(at=NOW, calls=500, seconds=10, undone=4500)
CALLED = Called(in_outage=60, charges=5000, charged_twice=0)
WELL = Recovered(Mode.ACT, has_opened=True, is_closed=True, are_intakes_on=True)


def step(
    seconds: float,
    strategy: Strategy,
    intake: str = "events",
    cause: CauseKind = CauseKind.CIRCUIT,
    *,
    is_suggested: bool = False,
) -> Step:
    return Step(NOW + timedelta(seconds=seconds), strategy, intake, cause, is_suggested)


STEPS = (step(8, Strategy.PAUSE), step(90, Strategy.RESUME), step(150, Strategy.SCALE_UP))


def account(
    outage: Outage = OUTAGE,
    orders: Mapping[str, Any] | None = None,
    before: Before | None = BEFORE,
    called: Called = CALLED,
    steps: tuple[Step, ...] = STEPS,
    recovered: Recovered = WELL,
) -> Account:
    """Return the account of an outage that went well, but for what is said."""
    return balance(outage, Orders(**{**ALL_DONE, **(orders or {})}), Found(before, called, steps, recovered))
