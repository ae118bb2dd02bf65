"""A watcher, a store, a topic and a clock that stands still: hours of failures pass without a wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from random import Random

from backstop.alert import Alert, Digest
from backstop.budget import Budget, Reason
from backstop.errors import NotPublished
from backstop.followup import follow_up
from backstop.groups import Store
from backstop.kinds import Kind
from backstop.memory import MemoryStore
from backstop.occurrence import Occurrence
from backstop.watch import Outcome, Watching, watch
from tests.fakes.clock import VirtualClock

BUDGET = Budget(limit=5, window=timedelta(hours=1), quiet=timedelta(minutes=10), digest_after=20)


def group_named(number: int) -> str:
    return f"{number:016x}"


@dataclass
class WatchWorld:
    budget: Budget = BUDGET
    store: Store | None = None
    refuses: Callable[[], bool] = lambda: False
    """Whether the topic refuses the next alert."""
    sent: list[Alert | Digest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        self._numbers = count(1)
        kept = self.store or MemoryStore(self.budget)
        self.kept = kept
        self.watching = Watching(kept, MemoryStore(self.budget), self.budget, self._publish, self.clock.now)

    def fail(self, times: int = 1, group: int = 1, **fields: object) -> Outcome:
        """Let a group fail, told of in one log batch."""
        return self.batch([self.occurrence(group, **fields) for _ in range(times)])

    def batch(self, occurrences: Sequence[Occurrence], batch: str = "") -> Outcome:
        return watch(occurrences, batch or f"{next(self._numbers):08x}00000000", self.watching)

    def occurrence(self, group: int, **fields: object) -> Occurrence:
        one = Occurrence(
            line=f"line-{next(self._numbers)}",
            at=self.clock.now(),
            group=group_named(group),
            kind=Kind.PERMANENT,
            error_type="ValueError",
            verdict="Dead",
            stage="prod",
            release="r1",
        )
        return replace(one, **fields)  # type: ignore[arg-type]  # any of its fields

    def pass_minutes(self, minutes: int, each: Callable[[], object] = lambda: None) -> None:
        """Let minutes pass, with the follow-up that each has."""
        for _ in range(minutes):
            self.clock.advance(timedelta(minutes=1))
            each()
            follow_up(self.watching)

    def told(self, group: int = 1) -> list[tuple[Reason, int]]:
        """Return what people were told of a group by itself: why, and the occurrences so far."""
        return [
            (alert.reason, alert.occurrences)
            for alert in self.sent
            if isinstance(alert, Alert) and alert.group.group == group_named(group)
        ]

    @property
    def digests(self) -> list[Digest]:
        return [alert for alert in self.sent if isinstance(alert, Digest)]

    def _publish(self, alert: Alert | Digest) -> None:
        if self.refuses():
            raise NotPublished("the topic did not take an alert: Throttled")
        self.sent.append(alert)


def failing(share: float, seed: int = 1) -> Callable[[], bool]:
    """Return what refuses a share of all alerts."""
    random = Random(seed)
    return lambda: random.random() < share
