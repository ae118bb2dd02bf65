"""The table of circuits: what everybody knows of each, changed only by whoever saw it as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from backstop.aws.answers import Refused
from backstop.aws.circuits_items import ANY, CLOSED, RELEASE, addition, probed_by
from backstop.circuits.changes import closed, elected, failed, forced_open, given_up, opened, succeeded
from backstop.circuits.state import Calls, Opening, Standing, Thresholds
from backstop.errors import StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from backstop.aws.circuits_powertools import CircuitItems

_TRIES: Final = 5


class CircuitTable:
    """Keeps circuits in DynamoDB. Each method raises StoreUnavailable where it does not answer.

    Reads see all that was written before: who probes is decided by them.
    """

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._client = client
        self._table = table_name

    def read(self, name: str) -> Standing:
        """Return what is known of a circuit; one that nobody knows is closed."""
        return self._items.look(name)

    def add(self, seen: Standing, calls: Mapping[int, Calls], now: datetime) -> Standing:
        """Add calls to the window, by their slots, and return what is known then.

        They are not added if the circuit changed since it was seen. Slots older than the window are forgotten. Calls
        whose answer was lost may count twice: that is nearer to the truth than not at all.
        """
        expression, values = addition(seen, calls, self._items.expiration(seen, now))
        try:
            return self._items.update(seen, expression, values, CLOSED)
        except Refused as refused:
            return self._items.of_refused(seen, refused)

    def open(self, seen: Standing, why: str, opening: Opening, open_for: timedelta) -> Standing | None:
        """Open a circuit that is closed; its window is empty then."""
        after = opened(seen, why, opening, open_for)
        by = f"opened by {opening.environment}"
        return self._items.change(seen, after, by, opening.at, CLOSED)

    def elect(self, seen: Standing, prober: str, lease_until: datetime, now: datetime) -> Standing | None:
        """Make `prober` the only one that probes: its open time is over, or the turn of the one before is."""
        if not seen.may_be_probed(now):
            return None
        after = elected(seen, prober, lease_until)
        return self._items.change(seen, after, f"probed by {prober}", now, self._items.free(seen, now))

    def succeed(self, held: Standing, thresholds: Thresholds, now: datetime) -> Standing | None:
        """Count a probe that succeeded: the next one may probe, or the circuit closes."""
        return self._end_turn(held, succeeded(held, thresholds), "success", now)

    def fail(self, held: Standing, now: datetime) -> Standing | None:
        """Open the circuit again: a probe failed."""
        return self._end_turn(held, failed(held, now), "failure", now)

    def give_up(self, held: Standing, now: datetime) -> None:
        """End a turn that showed nothing: the next one may probe at once."""
        self._end_turn(held, given_up(held), "nothing", now)

    def depend(self, name: str, function: str) -> None:
        """Remember that a function's messages wait for the circuit; of one that is forgotten by now nobody waits."""
        with suppress(Refused):
            self._items.add_to_set(name, "dependents", function)

    def all(self) -> list[Standing]:
        """Return all circuits, by their names."""
        return sorted(self._items.look_at_all(but=RELEASE), key=lambda circuit: circuit.name)

    def force_open(self, name: str, until: datetime, why: str, now: datetime) -> Standing:
        """Hold a circuit open until a time, whatever it is now: an operator says so."""
        return self._force(name, lambda seen: forced_open(seen, until, why, now), now)

    def force_close(self, name: str, now: datetime) -> Standing:
        """Close a circuit, whatever it is now: an operator says so."""
        return self._force(name, closed, now)

    def _end_turn(self, held: Standing, after: Standing, what: str, now: datetime) -> Standing | None:
        return self._items.change(held, after, f"{what} of {held.prober}", now, probed_by(held.prober))

    def _force(self, name: str, change: Callable[[Standing], Standing], now: datetime) -> Standing:
        for _ in range(_TRIES):
            seen = self.read(name)
            after = change(seen)
            by = f"forced {after.state} at {now.isoformat()}"
            found = self._items.change(seen, after, by, now, ANY)
            if found is not None:
                return found
        raise StoreUnavailable(f"the circuit {name} changed each time that it was to be changed")

    @cached_property
    def _items(self) -> CircuitItems:
        from backstop.aws.circuits_powertools import CircuitItems  # importing it costs a cold start

        return CircuitItems(self._client, self._table)
