"""What one process counted of a circuit's calls, and when others must know of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from backstop.circuits.state import Calls, Thresholds
from backstop.circuits.window import Window, fails_too_often, live, merged, plus, slot_of, total

BETWEEN_SHARES: Final = timedelta(seconds=1)


class Counts:
    """The calls of a process since the circuit changed last; those that were shared are in everybody's window."""

    def __init__(self, thresholds: Thresholds) -> None:
        self.row = 0
        """Failures in a row."""
        self._thresholds = thresholds
        self._unshared: dict[int, Calls] = {}
        self._shared_at: datetime | None = None

    def add(self, is_failure: bool, now: datetime) -> None:
        """Count one call."""
        self.row = self.row + 1 if is_failure else 0
        slot = slot_of(now, self._thresholds)
        self._unshared = live(self._unshared, slot)
        self._unshared[slot] = plus(self._unshared.get(slot, Calls()), Calls(1, int(is_failure)))

    def are_due(self, window: Window, now: datetime) -> bool:
        """Whether others must know of the calls counted here: while none failed, here or elsewhere, they need not.

        Once a second is enough, unless the circuit may have to open.
        """
        known = total(merged(window, self._unshared), now, self._thresholds)
        if not known.failures:
            return False
        is_time = self._shared_at is None or now - self._shared_at >= BETWEEN_SHARES
        return is_time or fails_too_often(known, self._thresholds)

    def taken(self, now: datetime) -> Window:
        """Take what is to be shared. Where no answer comes to that it may be known, so it is not shared again."""
        unshared, self._unshared = self._unshared, {}
        self._shared_at = now
        return unshared
