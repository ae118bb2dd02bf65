"""What is known of a group of failures, and what its store must be able to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from backstop.budget import Slots, Window
from backstop.kinds import Kind
from backstop.occurrence import Severity, Tally

MAX_RELEASES: Final = 20
"""Releases that a group is known to have been seen in: more say nothing more."""


class State(StrEnum):
    """What people have decided about a group."""

    OPEN = "open"
    ACKED = "acked"
    """Somebody works on it: nothing more is told until it is over."""
    SILENCED = "silenced"
    """Nothing is told until a time."""
    RESOLVED = "resolved"
    """It is taken for mended: if it comes back, that is said."""


@dataclass(frozen=True, slots=True)
class Group:
    """Failures with the same fingerprint: one bug or one outage.

    `last_seen` is the last occurrence's time, `counted_at` when a watcher last counted one. Texts are a sample's,
    redacted. `releases` are those that it was seen in, up to 20.
    """

    group: str
    first_seen: datetime
    last_seen: datetime
    counted_at: datetime
    occurrences: int
    severity: Severity
    kind: Kind = Kind.UNKNOWN
    error_type: str = ""
    error: str = ""
    where: str = ""
    function: str = ""
    stage: str = ""
    release: str = ""
    verdict: str = ""
    event_id: str = ""
    queue: str = ""
    releases: frozenset[str] = frozenset()
    parts: tuple[tuple[str, str], ...] = ()
    acked_at: datetime | None = None
    silenced_until: datetime | None = None
    resolved_at: datetime | None = None
    note: str = ""

    def state(self, now: datetime) -> State:
        """Return what holds now. What has occurred since it was resolved has opened it again."""
        if self.silenced_until is not None and self.silenced_until > now:
            return State.SILENCED
        if self.resolved_at is not None and self.resolved_at >= self.counted_at:
            return State.RESOLVED
        return State.OPEN if self.acked_at is None else State.ACKED


def with_tally(known: Group | None, tally: Tally, now: datetime) -> Group:
    """Return a group with a tally added to it: the first one if `known` is None."""
    sample = tally.sample
    releases = frozenset() if known is None else known.releases
    if sample.release and len(releases) < MAX_RELEASES:
        releases |= {sample.release}
    return Group(
        group=tally.group,
        first_seen=tally.first_at if known is None else known.first_seen,
        last_seen=tally.last_at,
        counted_at=now,
        occurrences=tally.count + (0 if known is None else known.occurrences),
        severity=tally.severity,
        kind=sample.kind,
        error_type=sample.error_type,
        error=sample.error,
        where=sample.where,
        function=sample.function,
        stage=sample.stage,
        release=sample.release,
        verdict=sample.verdict,
        event_id=sample.event_id,
        queue=sample.queue,
        releases=releases,
        parts=sample.parts,
        acked_at=None if known is None else known.acked_at,
        silenced_until=None if known is None else known.silenced_until,
        resolved_at=None if known is None else known.resolved_at,
        note="" if known is None else known.note,
    )


class Counted(NamedTuple):
    """A tally that was counted: the group and its window as they are now, and what they were before.

    `before` is the window's count without it. `replaced` is the window that was over and gave way to this one,
    `seen_before` when the group had last been seen, None if never. `is_repeat` says that the batch was counted already.
    """

    group: Group
    window: Window
    before: int
    replaced: Window | None = None
    seen_before: datetime | None = None
    was_resolved: bool = False
    is_repeat: bool = False


class Store(Protocol):
    """Where groups and their windows are kept. Each method raises StoreUnavailable where the store does not answer."""

    def count(self, tally: Tally, now: datetime) -> Counted:
        """Add a tally to its group and its window, and open a window where none is, or the last one is over.

        All at once, however many watchers do so; the same batch is counted once.
        """

    def look(self, group: str) -> tuple[Group, Window] | None:
        """Return a group and its window as they are now; None where nothing is known of it."""

    def replace(self, window: Window, slots: Slots) -> bool:
        """Put other slots in the place of the window's; False where window or slots are others by now."""

    def open_windows(self) -> Iterator[Window]:
        """Return the windows that are not closed."""

    def close(self, window: Window) -> None:
        """Take a window out of the open ones, if it still is as it was: it is over, and so is an `ack`."""

    def add_firsts(self, count: int, now: datetime) -> int:
        """Add to the groups that began in the current five minutes; returns how many these are now."""
