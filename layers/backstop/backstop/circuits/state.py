"""What everybody knows of a circuit, and the store that keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

UNPROBED: Final = timedelta(minutes=3)
"""When a circuit that may be probed has not been for so long, nothing is left that would: all that waits is held up."""

SLOTS: Final = 6
"""Parts of a window that are counted apart, so that old calls leave it one part after the other."""


class CircuitState(StrEnum):
    """The shared health of one downstream. Written as Powertools' circuit breaker writes it."""

    CLOSED = "CLOSED"
    """Calls go through."""
    OPEN = "OPEN"
    """No call goes through."""
    HALF_OPEN = "HALF_OPEN"
    """One call at a time goes through, to find out."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a circuit opens, and when it closes again.

    It opens on `failures` (1 or more) in a row within one execution environment, or when at least `rate` (above 0, at
    most 1) of at least `calls` (1 or more) within `window` (10 s or more) failed. It stays open for `open_for` (1 s or
    more), and closes after `successes` (1 or more) probes.
    """

    failures: int = 5
    rate: float = 0.5
    calls: int = 10
    window: timedelta = timedelta(seconds=60)
    open_for: timedelta = timedelta(seconds=30)
    successes: int = 3

    @property
    def slot(self) -> timedelta:
        """The length of one part of the window."""
        return self.window / SLOTS


class Calls(NamedTuple):
    """Calls to a downstream, and how many of them failed."""

    calls: int = 0
    failures: int = 0


class Opening(NamedTuple):
    """That a circuit opened: when, and which execution environment opened it."""

    at: datetime
    environment: str
    function: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store knows of a circuit. Times are whole seconds (UTC)."""

    name: str
    state: CircuitState = CircuitState.CLOSED
    generation: int = 0
    """Grows with each transition and each election of a prober: who holds an older one has nothing to say any more."""
    opened_at: datetime | None = None
    """When it opened last, or a probe failed last; None while it is closed."""
    since: datetime | None = None
    """When it opened first, since it was closed."""
    open_for: timedelta = timedelta(seconds=30)
    why: str = ""
    """Why it is open, in a few words."""
    prober: str = ""
    """The execution environment that probes; empty if none does."""
    lease_until: datetime | None = None
    """When its turn ends, whatever became of it."""
    probes: int = 0
    """Probes since it opened first."""
    successes: int = 0
    """Probes that succeeded since the last one that failed."""
    openings: tuple[Opening, ...] = ()
    """The last five times that it opened out of closed, the latest last."""
    dependents: frozenset[str] = frozenset()
    """Names of the functions whose messages waited for it: those that gave it no fallback."""
    forced_until: datetime | None = None
    """Until when an operator holds it open; nobody probes before."""
    window: Mapping[int, Calls] = field(default_factory=dict)
    """The calls that were shared, by the number of their slot (epoch time / slot's length)."""

    @property
    def is_down(self) -> bool:
        """Whether it is not closed: one that is half-open has not shown yet that it is well."""
        return self.state is not CircuitState.CLOSED

    def opens_again_at(self) -> datetime | None:
        """Return when a probe may go through; None while it is closed."""
        if self.opened_at is None:
            return None
        due = self.opened_at + self.open_for
        return due if self.forced_until is None else max(due, self.forced_until)

    def may_be_probed(self, now: datetime) -> bool:
        """Whether one call may go through: its open time is over, and nobody probes whose turn lasts."""
        if self.state is CircuitState.HALF_OPEN:
            return not self.prober or self.lease_until is None or self.lease_until <= now
        due = self.opens_again_at()
        return self.state is CircuitState.OPEN and (due is None or due <= now)

    def is_unprobed(self, now: datetime) -> bool:
        """Whether it could have been probed for some time, and nobody finds out whether it still has to be open."""
        due = self.opens_again_at()
        if due is None:
            return False
        return now >= max(due, self.lease_until or due) + UNPROBED


class Transition(NamedTuple):
    """That a circuit changed its state: a pipeline event, and a metric."""

    circuit: str
    before: CircuitState
    after: CircuitState
    generation: int
    at: datetime
    why: str


class CircuitStore(Protocol):
    """Keeps circuits. Each method raises StoreUnavailable where the store does not answer.

    Those that return None have changed nothing: another one was first, or the turn was over.
    """

    def read(self, name: str) -> Standing:
        """Return what is known of a circuit; one that nobody knows is closed."""

    def add(self, seen: Standing, calls: Mapping[int, Calls], now: datetime) -> Standing:
        """Add calls to the window, by their slots, and return what is known then.

        They are not added if the circuit changed since it was seen. Slots older than the window are forgotten.
        """

    def open(self, seen: Standing, why: str, opening: Opening, open_for: timedelta) -> Standing | None:
        """Open a circuit that is closed; its window is empty then."""

    def elect(self, seen: Standing, prober: str, lease_until: datetime, now: datetime) -> Standing | None:
        """Make `prober` the only one that probes: its open time is over, or the turn of the one before is."""

    def succeed(self, held: Standing, thresholds: Thresholds, now: datetime) -> Standing | None:
        """Count a probe that succeeded: the next one may probe, or the circuit closes."""

    def fail(self, held: Standing, now: datetime) -> Standing | None:
        """Open the circuit again: a probe failed."""

    def give_up(self, held: Standing, now: datetime) -> None:
        """End a turn that showed nothing: the next one may probe at once."""

    def depend(self, name: str, function: str) -> None:
        """Remember that a function's messages wait for the circuit."""
