"""What a person asks for in, the outage that is rehearsed out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ops.drill.plan import Plan
from ops.failure import CallFailed
from ops.local.gateway.health import Mode, parse
from ops.local.outage import LONGEST
from ops.terminal import harmless
from ops.times import lasting

SHARE_DONE: Final = 0.1
"""The orders that are done when the outage begins: enough to tell the pace of calls, few enough to leave it many."""


@dataclass(frozen=True, slots=True)
class Outage:
    """How the gateway fails, and for how long. `rate` is the share of its calls that a flaky one fails (0 to 1)."""

    mode: Mode
    seconds: float
    rate: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether no call succeeds."""
        return self.mode is not Mode.FLAKY


def read(span: str, mode: str, timeout_seconds: float) -> Outage:
    """Read an outage as a person types it: how long, and how. Raises CallFailed for one that is none, or too long."""
    lasts = lasting("--outage", span, LONGEST).total_seconds()
    if lasts >= timeout_seconds:
        raise CallFailed(f"--outage {span} is longer than the drill is waited for: give it a longer --timeout")
    try:
        health = parse(mode)
    except ValueError:
        health = None
    if health is None or health.is_ok:
        raise CallFailed(f"--mode {harmless(mode)}: errors, slow, refuse or flaky:0.6 (a share of its calls, 0 to 1)")
    return Outage(health.mode, lasts, health.rate)


def is_due(plan: Plan, done: int) -> bool:
    """Whether enough orders are done for the outage to begin, and some are not."""
    return max(SHARE_DONE * len(plan.events), 1) <= done < len(plan.events)
