"""A clock that stands still until it is moved: hours pass in a test without a wait."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class VirtualClock:
    """The time of everything in a test that takes part in it."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._followers: list[Callable[[datetime], object]] = []

    def now(self) -> datetime:
        """Return the time it is."""
        return self._now

    def epoch_millis(self) -> int:
        """Return the time it is as SQS writes it: milliseconds since 1970."""
        return round(self._now.timestamp() * 1000)

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.advance_to(self._now + by)

    def advance_to(self, moment: datetime) -> None:
        """Let time pass until `moment`; a moment that is past changes nothing."""
        if moment > self._now:
            self._now = moment
            for move in self._followers:
                move(moment)

    def follow(self, move: Callable[[datetime], object]) -> None:
        """Call `move` with the time it is, now and whenever it has changed."""
        move(self._now)
        self._followers.append(move)
