"""A store of groups that lives as long as its process: alerts keep to a limit where the real one does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import Final

from backstop.budget import STORM, Budget, Slots, Window, next_slots
from backstop.groups import Counted, Group, State, with_tally
from backstop.occurrence import Tally

MAX_GROUPS: Final = 1000
"""More of them forget those that were counted longest ago, so that memory has a limit, too."""
_MAX_BATCHES: Final = 32


class MemoryStore:
    """The interface `Store`, kept in dictionaries; threads may share it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._groups: dict[str, Group] = {}
        self._windows: dict[str, Window] = {}
        self._batches: dict[str, list[str]] = {}
        self._open: dict[str, None] = {}
        self._firsts: tuple[int, int] = (0, 0)
        self._lock = Lock()

    def count(self, tally: Tally, now: datetime) -> Counted:
        """Count a tally."""
        with self._lock:
            return self._count(tally, now)

    def look(self, group: str) -> tuple[Group, Window] | None:
        """Return a group and its window."""
        with self._lock:
            found = self._groups.get(group)
            return None if found is None else (found, self._windows[group])

    def replace(self, window: Window, slots: Slots) -> bool:
        """Put other slots in place."""
        with self._lock:
            found = self._windows.get(window.group)
            if found is None or (found.opened, found.slots) != (window.opened, window.slots):
                return False
            self._windows[window.group] = replace(found, slots=slots)
            return True

    def open_windows(self) -> Iterator[Window]:
        """Return the windows that are not closed."""
        with self._lock:
            found = [self._windows[group] for group in self._open]
        yield from found

    def close(self, window: Window) -> None:
        """Take a window out of the open ones."""
        with self._lock:
            if self._windows.get(window.group) != window:
                return
            self._open.pop(window.group, None)
            self._groups[window.group] = replace(self._groups[window.group], acked_at=None)

    def add_firsts(self, count: int, now: datetime) -> int:
        """Add to the groups that began in the current five minutes."""
        span = int(now.timestamp() // STORM.total_seconds())
        with self._lock:
            known = self._firsts[1] if self._firsts[0] == span else 0
            self._firsts = (span, known + count)
            return known + count

    def _count(self, tally: Tally, now: datetime) -> Counted:
        known, window = self._groups.get(tally.group), self._windows.get(tally.group)
        batches = self._batches.get(tally.group, [])
        if known is not None and window is not None and tally.batch in batches:
            return Counted(known, window, window.count, is_repeat=True)
        self._batches[tally.group] = [*batches, tally.batch][-_MAX_BATCHES:]
        self._groups.pop(tally.group, None)  # it is the last to be forgotten now
        group = self._groups[tally.group] = with_tally(known, tally, now)
        is_current = window is not None and not window.is_past(now, self._budget)
        before = window.count if window is not None and is_current else 0
        counted = self._windows[tally.group] = _grown(window, tally, now, self._budget)
        self._open[tally.group] = None
        self._forget()
        return Counted(
            group,
            counted,
            before,
            replaced=None if is_current else window,
            seen_before=None if known is None else known.last_seen,
            was_resolved=known is not None and known.state(now) is State.RESOLVED,
        )

    def _forget(self) -> None:
        while len(self._groups) > MAX_GROUPS:
            oldest = next(iter(self._groups))
            for kept in (self._groups, self._windows, self._batches, self._open):
                kept.pop(oldest, None)


def _grown(window: Window | None, tally: Tally, now: datetime, budget: Budget) -> Window:
    if window is None:
        return Window(tally.group, now, now, tally.count)
    if window.is_past(now, budget):
        return Window(tally.group, now, now, tally.count, next_slots(window, now, budget))
    return replace(window, counted_at=now, count=window.count + tally.count)
