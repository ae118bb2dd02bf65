"""What is known of releases, in memory: what workers count, and whether a release is held."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from backstop.errors import StoreUnavailable
from backstop.release_counts import Counts, Hold, ReleaseStanding


class FakeReleases:
    """The interface `ReleaseStore`, in a dictionary."""

    def __init__(self) -> None:
        self.standings: dict[tuple[str, str], ReleaseStanding] = {}
        self.holders: dict[tuple[str, str], str] = {}
        self.asked: list[datetime] = []
        """When it was asked."""
        self.is_down = False

    def add(self, function: str, release: str, counts: Counts, now: datetime) -> ReleaseStanding:
        """Add counts to a release's."""
        self.asked.append(now)
        self._answer()
        known = self.standings.get((function, release), ReleaseStanding(now))
        known = self.standings[function, release] = replace(known, counts=known.counts.plus(counts))
        return known

    def hold(self, hold: Hold, by: str) -> bool:
        """Hold a release's failures back."""
        self._answer()
        key = hold.function, hold.release
        known = self.standings.get(key, ReleaseStanding(hold.since))
        if known.held_group or known.is_let_go:
            return self.holders.get(key) == by
        self.standings[key] = replace(known, held_group=hold.group)
        self.holders[key] = by
        return True

    def let_go(self, function: str, release: str) -> None:
        """Let a release go on."""
        known = self.standings[function, release]
        self.standings[function, release] = replace(known, held_group="", is_let_go=True)

    def _answer(self) -> None:
        if self.is_down:
            raise StoreUnavailable("the store is down")
