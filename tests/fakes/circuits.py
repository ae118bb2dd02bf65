"""Circuits in memory: what `backstop.aws.circuits.CircuitTable` keeps in DynamoDB, call by call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from backstop.circuits.changes import closed, elected, failed, forced_open, given_up, opened, succeeded
from backstop.circuits.state import Calls, CircuitState, Opening, Standing, Thresholds
from backstop.circuits.window import live, merged
from tests.fakes.parking import Around


class FakeCircuits:
    """Standings in memory. `around` surrounds each call, by its method's name."""

    def __init__(self, around: Around) -> None:
        self.kept: dict[str, Standing] = {}
        self._around = around

    def read(self, name: str) -> Standing:
        """Return what is known of a circuit."""
        with self._around("read"):
            return self.kept.get(name, Standing(name))

    def add(self, seen: Standing, calls: Mapping[int, Calls], now: datetime) -> Standing:
        """Add calls to the window of a circuit that is as it was seen."""
        with self._around("add"):
            current = self._current(seen)
            if current.generation == seen.generation and current.state is CircuitState.CLOSED:
                window = live(merged(current.window, calls), max(calls))
                self.kept[seen.name] = current = replace(current, window=window)
            return current

    def open(self, seen: Standing, why: str, opening: Opening, open_for: timedelta) -> Standing | None:
        """Open a circuit that is closed."""
        with self._around("open"):
            if self._current(seen).state is not CircuitState.CLOSED:
                return None
            return self._change(seen, opened(seen, why, opening, open_for))

    def elect(self, seen: Standing, prober: str, lease_until: datetime, now: datetime) -> Standing | None:
        """Make `prober` the only one that probes."""
        with self._around("elect"):
            if not self._current(seen).may_be_probed(now):
                return None
            return self._change(seen, elected(seen, prober, lease_until))

    def succeed(self, held: Standing, thresholds: Thresholds, now: datetime) -> Standing | None:
        """Count a probe that succeeded."""
        with self._around("succeed"):
            return self._end_turn(held, succeeded(held, thresholds))

    def fail(self, held: Standing, now: datetime) -> Standing | None:
        """Open the circuit again."""
        with self._around("fail"):
            return self._end_turn(held, failed(held, now))

    def give_up(self, held: Standing, now: datetime) -> None:
        """End a turn that showed nothing."""
        with self._around("give_up"):
            self._end_turn(held, given_up(held))

    def depend(self, name: str, function: str) -> None:
        """Remember that a function's messages wait for the circuit."""
        with self._around("depend"):
            if name in self.kept:
                current = self.kept[name]
                self.kept[name] = replace(current, dependents=current.dependents | {function})

    def all(self) -> list[Standing]:
        """Return all circuits, by their names."""
        with self._around("all"):
            return [self.kept[name] for name in sorted(self.kept)]

    def force_open(self, name: str, until: datetime, why: str, now: datetime) -> Standing:
        """Hold a circuit open until a time."""
        with self._around("force_open"):
            return self._force(forced_open(self.kept.get(name, Standing(name)), until, why, now))

    def force_close(self, name: str, now: datetime) -> Standing:
        """Close a circuit."""
        with self._around("force_close"):
            return self._force(closed(self.kept.get(name, Standing(name))))

    def _force(self, after: Standing) -> Standing:
        self.kept[after.name] = after
        return after

    def _current(self, seen: Standing) -> Standing:
        return self.kept.get(seen.name, Standing(seen.name))

    def _end_turn(self, held: Standing, after: Standing) -> Standing | None:
        if self._current(held).prober != held.prober:
            return None
        return self._change(held, after)

    def _change(self, seen: Standing, after: Standing) -> Standing | None:
        """Change a circuit that is as it was seen; who depends on it may have come since."""
        current = self._current(seen)
        if current.generation != seen.generation:
            return None
        if current.state is not CircuitState.CLOSED:
            after = replace(after, dependents=current.dependents)
        self.kept[seen.name] = after
        return after
