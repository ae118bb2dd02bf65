"""Events in, into their places in ParkedTable, each counted by the lock of its key: both or neither."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from backstop.aws import parked_changes as changes
from backstop.aws.parked_calls import Calls
from backstop.aws.parked_items import Item, aside_key, event_key, lock_item, lock_key, lock_of, number, only_if
from backstop.aws.parked_record import ParkedRecords, place_of, without_record
from backstop.errors import StoreUnavailable
from backstop.parking import CannotPark, Lock, Parked, Placed, State
from backstop.placing import found_in_place, was_put_back

_TRIES: Final = 5
"""How often an event is put back while its key begins or ends to wait in just that moment."""


class Places:
    """How events come into the table. A key takes `most` of them."""

    def __init__(self, calls: Calls, records: ParkedRecords, most: int) -> None:
        self._calls = calls
        self._records = records
        self._most = most

    def lock(self, key: str) -> Lock | None:
        """Return the lock of a key, as of now; None where it does not wait."""
        item = self._calls.get(lock_key(key))
        return None if item is None else lock_of(item)

    def take_first(self, lock: Lock, event: Parked) -> Placed:
        """Make a key wait, with its first event."""
        item = self._event_item(lock.key, event)
        refused = self._calls.transact(
            {"Put": {"Item": lock_item(lock)} | only_if("attribute_not_exists(#sort)")}, {"Put": {"Item": item}}
        )
        if not any(refused):
            return Placed.PARKED
        self._records.forget(place_of(item))
        return Placed.KEY_WAITS

    def take_behind(self, key: str, event: Parked) -> Placed:
        """Park an event behind the others of its key. Raises CannotPark where they are too many."""
        is_refused, was_there = self._add(key, event, changes.one_more(key, self._most))
        if was_there or not is_refused:
            return Placed.PARKED
        lock = self.lock(key)
        if lock is None:
            return Placed.KEY_IS_FREE
        raise self._full(lock)

    def take_back(self, lock: Lock, event: Parked) -> Placed:
        """Put an event that was put aside back into its place; `lock` is that of a key which does not wait yet."""
        mark = self._calls.get(aside_key(lock.key, event.sequence)) or {}
        if was_put_back(event.redrives(lock.since), int(mark.get("redrives", number(0))["N"])):
            return Placed.PARKED  # by this letter: it was put aside again since, and has another one
        for _ in range(_TRIES):
            current = self.lock(lock.key)
            placed = self.take_first(lock, event) if current is None else self._take_among(current, lock.since, event)
            if placed in {Placed.PARKED, Placed.KEY_IS_HELD, Placed.NOT_ASIDE}:
                return placed
        raise StoreUnavailable("its key began or ceased to wait each time that it was put back")

    def _take_among(self, seen: Lock, now: datetime, event: Parked) -> Placed:
        """Put an event back among those of a key that waits; KEY_IS_FREE where its lock is not as it was seen."""
        there = self._calls.get(event_key(seen.key, event.sequence))
        if there is not None:
            return found_in_place(without_record(there, event.sequence), event, now)
        blocked = replace(event, blocked_by=seen.head)
        is_refused, was_there = self._add(seen.key, blocked, changes.one_returned(seen.key, self._most))
        if not (is_refused or was_there):
            return Placed.PARKED
        if was_there:
            return Placed.KEY_IS_FREE
        if seen.state is State.HELD:
            return Placed.KEY_IS_HELD
        if seen.waiting >= self._most:
            raise self._full(seen)
        return Placed.KEY_IS_FREE

    def _add(self, key: str, event: Parked, counted: Item) -> tuple[bool, bool]:
        """Park an event and count it: both, or neither where its key refuses it, or its place is taken."""
        item = self._event_item(key, event)
        put = {"Put": {"Item": item} | only_if("attribute_not_exists(#sort)")}
        is_refused, was_there = self._calls.transact({"Update": counted}, put)
        if is_refused or was_there:
            self._records.forget(place_of(item))
        return is_refused, was_there

    def _full(self, lock: Lock) -> CannotPark:
        return CannotPark(f"{lock.waiting} events of its key are parked, and {self._most} may be")

    def _event_item(self, key: str, event: Parked) -> Item:
        return event_key(key, event.sequence) | self._records.attributes(key, event)
