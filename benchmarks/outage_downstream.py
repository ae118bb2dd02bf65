"""A downstream that fails for a while, on a virtual clock: calls in, answers or failures out, and their counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

from backstop.errors import TransientError
from tests.backstop.ordered_worker import Worker
from tests.fakes.clock import VirtualClock

OUTAGE: Final = timedelta(seconds=60)
MILLIS: Final = {"good call": 10, "failed call": 5}

Fails = Callable[[int], bool]
"""Whether a call of the outage fails, by how many calls its environment has made before."""


def dead(_: int) -> bool:
    """Fail each call."""
    return True


def by_chance() -> Fails:
    """Fail 60 % of the calls."""
    dice = Random(1)
    return lambda _: dice.random() < 0.6


def flaky(before: int) -> bool:
    """Fail 60 % of the calls, and of no environment more than three in a row."""
    return before % 5 < 3


@dataclass
class Downstream:
    """What each order is charged at. `begins` is when its outage does."""

    clock: VirtualClock
    fails: Fails
    begins: datetime
    charged: Counter[str] = field(default_factory=Counter)
    """How often each order was charged."""
    calls_in_outage: int = 0
    _calls: Counter[str] = field(default_factory=Counter)

    @property
    def is_out(self) -> bool:
        """Whether the outage lasts."""
        return self.begins <= self.clock.now() < self.begins + OUTAGE

    @property
    def is_well_again(self) -> bool:
        """Whether the outage is over."""
        return self.clock.now() >= self.begins + OUTAGE

    def charge(self, worker: Worker, event_id: str) -> None:
        """Charge an order. Raises TransientError where it fails, which is told sooner."""
        is_failing = self.is_out and self.fails(self._calls[worker.name])
        self._calls[worker.name] += 1
        self.calls_in_outage += self.is_out
        worker.stand("failed call" if is_failing else "good call")
        if is_failing:
            raise TransientError("503")
        self.charged[event_id] += 1
