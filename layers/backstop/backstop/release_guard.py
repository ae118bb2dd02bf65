"""The failures of a worker's messages in, whether they are held back out: most of a new release's fail alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from backstop.errors import StoreUnavailable
from backstop.release_counts import SLOTS, YOUNG, Counts, Hold, ReleaseStanding, ReleaseStore, slot_of

_PACE: Final = timedelta(seconds=1)
"""How often a worker asks the store, but for failures that are most of the messages, as far as it knows."""
_PACE_WHILE_OLD: Final = timedelta(minutes=1)
"""How often it asks about a release that is old while its own code may be new: recovery may have yet to notice."""
_PACE_WITHOUT_ANSWERS: Final = timedelta(seconds=5)

_NOTHING: Final = Counts()


@dataclass(slots=True)
class ReleaseGuard:
    """Holds failures back that are their release's fault, before a bad one empties a queue into the dead letters.

    Nothing is asked before something fails, and nothing more once the release is old. Where the store does not answer,
    what was last known holds. `environment` names this process, `is_acting` says whether it holds, or only tells.
    """

    store: ReleaseStore
    function: str
    release: str
    environment: str
    is_acting: bool
    now: Callable[[], datetime]
    tell: Callable[[Hold], None]
    ran: int = 0
    """The messages that were run and not counted yet: whoever runs one adds it."""
    _born: datetime = field(init=False)
    _slot: int = field(init=False)
    _ask_at: datetime = field(init=False)
    _runs: dict[int, int] = field(default_factory=dict)
    """Those that were run since something failed last, by their slot."""
    _unshared: Counts = _NOTHING
    _known: ReleaseStanding | None = None
    _may_hurry: bool = True
    _is_settled: bool = False
    """Whether there is nothing more to learn: a process never runs other code."""

    def __post_init__(self) -> None:
        self._born = self._ask_at = self.now()
        self._slot = slot_of(self._born)

    @property
    def is_over(self) -> bool:
        """Whether nothing is held back, and never will be."""
        return self._is_settled and (not self.is_acting or self._known is None or not self._known.held_group)

    def begin(self) -> None:
        """Begin an invocation: what was run in the one before is counted for then."""
        self._count_runs()
        self._slot = slot_of(self.now())

    def holds(self, group: str) -> bool:
        """Count a failure of permanent or unknown kind, and return whether it is held back."""
        if not self._is_settled:
            now = self.now()
            self._slot = slot_of(now)
            self._count_runs()
            counted = Counts(self._runs, {(self._slot, group): 1})
            self._unshared, self._runs = self._unshared.plus(counted).recent(now), {}
            if now >= self._ask_at or (self._may_hurry and self._seem_most(now)):
                self._ask(now)
        return self.is_acting and self._known is not None and self._known.held_group == group

    def _count_runs(self) -> None:
        self._runs[self._slot] = self._runs.get(self._slot, 0) + self.ran
        self.ran = 0
        if len(self._runs) > SLOTS:
            del self._runs[min(self._runs)]

    def _seem_most(self, now: datetime) -> bool:
        known = _NOTHING if self._known is None else self._known.counts
        return self._unshared.plus(known).recent(now).alike().are_most

    def _ask(self, now: datetime) -> None:
        try:
            self._learn(self._judged(self._shared(now), now), now)
        except StoreUnavailable:
            self._ask_at, self._may_hurry = self.now() + _PACE_WITHOUT_ANSWERS, False

    def _shared(self, now: datetime) -> ReleaseStanding:
        """Share what was counted, as long as that can still decide anything, and return what all know."""
        known = self._known
        if known is None:
            counts = self._unshared.worth_sharing(_NOTHING)
        elif known.held_group or not known.is_young(now):
            counts = _NOTHING
        else:
            counts = self._unshared.worth_sharing(known.counts)
        standing = self.store.add(self.function, self.release, counts, now)
        self._unshared = _NOTHING
        return standing

    def _judged(self, standing: ReleaseStanding, now: datetime) -> ReleaseStanding:
        """Hold the release if that is called for, and tell of it if no other worker was first."""
        alike = standing.alike(now)
        if alike is None:
            return standing
        hold = Hold(self.function, self.release, alike.group, alike.failed, alike.ran, now)
        if not self.store.hold(hold, self.environment):
            return standing
        self.tell(hold)
        return replace(standing, held_group=alike.group)

    def _learn(self, known: ReleaseStanding, now: datetime) -> None:
        is_held = known.held_group != ""
        is_old = not known.is_young(now) and not is_held
        is_over = is_old and now - self._born >= YOUNG
        self._known = known
        self._is_settled = known.is_let_go or is_over or (is_held and not self.is_acting)
        self._may_hurry = not is_held and not is_old
        self._ask_at = now + (_PACE_WHILE_OLD if is_old else _PACE)
