"""How a release's messages fare, counted by all its workers: whether most of them fail alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

SLOT: Final = timedelta(seconds=30)
"""The part of the time that is counted apart, so that old messages leave the counts one part after the other."""
SLOTS: Final = 6
"""The parts that count: three minutes."""
LEAST: Final = 20
"""Messages that must have run before their failures say anything of the release."""
YOUNG: Final = timedelta(minutes=15)
"""How long a release is new."""
MOST_GROUPS: Final = 20
"""Groups of failures that are counted of a release: where there are more, none of them is most of the messages."""
_SHARED_GROUPS: Final = 3


def slot_of(moment: datetime) -> int:
    """Return the number of the part that a moment lies in."""
    return int(moment.timestamp() // SLOT.total_seconds())


class Alike(NamedTuple):
    """Messages that failed with the same group, of all that ran meanwhile."""

    group: str
    failed: int
    ran: int

    @property
    def are_most(self) -> bool:
        """Whether they are more than half."""
        return 2 * self.failed > self.ran


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages that ran, by the number of their slot, and those of them that failed, by slot and group."""

    ran: Mapping[int, int] = field(default_factory=dict)
    failed: Mapping[tuple[int, str], int] = field(default_factory=dict)

    def plus(self, others: Counts) -> Counts:
        """Return these and the others together."""
        return Counts(Counter(self.ran) + Counter(others.ran), Counter(self.failed) + Counter(others.failed))

    def recent(self, now: datetime) -> Counts:
        """Return those of the last three minutes."""
        first = slot_of(now) - SLOTS + 1
        failed = {part: count for part, count in self.failed.items() if part[0] >= first}
        return Counts({slot: count for slot, count in self.ran.items() if slot >= first}, failed)

    def alike(self) -> Alike:
        """Return the largest group of failures."""
        [(group, failed)] = self._by_group().most_common(1) or [("", 0)]
        return Alike(group, failed, sum(self.ran.values()))

    def worth_sharing(self, known: Counts) -> Counts:
        """Return these with the most frequent groups only: an item has room for a few, and a few say all."""
        there = {group for _, group in known.failed}
        groups = [group for group, _ in self._by_group().most_common() if len(there) < MOST_GROUPS or group in there]
        shared = frozenset(groups[:_SHARED_GROUPS])
        return Counts(self.ran, {part: count for part, count in self.failed.items() if part[1] in shared})

    def _by_group(self) -> Counter[str]:
        by_group: Counter[str] = Counter()
        for (_, group), count in self.failed.items():
            by_group[group] += count
        return by_group


@dataclass(frozen=True, slots=True)
class Hold:
    """A release whose failures are held back from the dead letters (kill switch)."""

    function: str
    release: str
    group: str
    failed: int
    ran: int
    since: datetime


@dataclass(frozen=True, slots=True)
class ReleaseStanding:
    """What all workers know of a release of their function."""

    since: datetime
    """When it was first seen."""
    counts: Counts = field(default_factory=Counts)
    held_group: str = ""
    """The failures that are held back from the dead letters; empty if none are, or a person has let them go."""
    is_let_go: bool = False
    """Whether a person has let it go on: it is never held again."""

    def is_young(self, now: datetime) -> bool:
        """Return whether the release is new."""
        return now - self.since < YOUNG

    def alike(self, now: datetime) -> Alike | None:
        """Return the failures that most messages of a new release end with, as long as nobody has decided about it."""
        if self.held_group or self.is_let_go or not self.is_young(now):
            return None
        found = self.counts.recent(now).alike()
        return found if found.ran >= LEAST and found.are_most else None


class ReleaseStore(Protocol):
    """Keeps what is known of releases. Each method raises StoreUnavailable where the store does not answer."""

    def add(self, function: str, release: str, counts: Counts, now: datetime) -> ReleaseStanding:
        """Add counts to a release's, and return what is known then; a release that nobody knew begins now."""

    def hold(self, hold: Hold, by: str) -> bool:
        """Hold a release's failures back; False if that, or the contrary, was decided already."""
