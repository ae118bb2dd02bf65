"""Keys that wait and their events in and out of ParkedTable.

Items of a key: the lock (`sort` is `lock`); each parked event (`event#` and its number, so that they sort as they were
sent); and for a while, a mark of each event that was put aside (`aside#` and its number). The index `due` finds the
locks by the time at which somebody acts next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from backstop.aws import parked_changes as changes
from backstop.aws.parked_calls import Calls
from backstop.aws.parked_items import (
    EVENT,
    HELD_DUE,
    LOCK,
    TOTALS,
    Item,
    aside_item,
    aside_key,
    asked,
    event_key,
    lock_key,
    lock_of,
    millis,
    moment,
    number,
    only_if,
    sequence_of,
    text,
    update,
)
from backstop.aws.parked_places import Places
from backstop.aws.parked_record import ParkedRecords
from backstop.parking import (
    KEPT_ASIDE,
    Census,
    LeaseLost,
    Lock,
    Parked,
    Place,
    Placed,
    Seen,
    State,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX: Final = "due"
_PAGE: Final = 10
_KEYS: Final = 99
"""Keys that are looked up in one call: it takes 100 (DynamoDB quotas), and the totals are one of them."""


class ParkedTable:
    """Where events are parked (see `backstop.parking.Parking`). A key takes `most` of them."""

    def __init__(self, client: DynamoDBClient, table: str, records: ParkedRecords, most: int) -> None:
        self._calls = Calls(client, table)
        self._records = records
        self._places = Places(self._calls, records, most)

    def look(self, keys: Sequence[str], again: Sequence[Place] = ()) -> Seen:
        """Return which keys wait, and which events were put aside, up to 99 together, as of now: one call."""
        items, missed = self._calls.get_all([*map(lock_key, keys), *(aside_key(*place) for place in again), TOTALS])
        locks = [lock_of(item) for item in items if item["sort"]["S"] == LOCK]
        totals = [int(item["waiting_keys"]["N"]) for item in items if item["sort"] == TOTALS["sort"]]
        unknown = frozenset(key["key"]["S"] for key in missed if key["sort"] != TOTALS["sort"])
        marks = {(item["key"]["S"], item["sort"]["S"]) for item in items}
        aside = frozenset(place for place in again if (place[0], aside_key(*place)["sort"]["S"]) in marks)
        return Seen({lock.key: lock for lock in locks}, unknown, sum(totals), aside)

    def lock(self, key: str) -> Lock | None:
        """Return the lock of a key, as of now; None where it does not wait."""
        return self._places.lock(key)

    def park_head(self, lock: Lock, event: Parked) -> Placed:
        """Make a key wait, with its first event: both or neither."""
        return self._places.take_first(lock, event)

    def park_behind(self, key: str, event: Parked) -> Placed:
        """Park an event behind the others of its key. Raises CannotPark where they are too many."""
        return self._places.take_behind(key, event)

    def return_to_place(self, lock: Lock, event: Parked) -> Placed:
        """Put an event that was put aside back into its place among those of its key. Raises CannotPark."""
        return self._places.take_back(lock, event)

    def lease(self, key: str, now: datetime, until: datetime) -> Lock | None:
        """Take the lease of a key that is due. None where it does not wait, is held, or another one has it."""
        return self._take(changes.leased(key, now, until))

    def claim(self, lock: Lock, now: datetime, until: datetime) -> Lock:
        """Take the lease of a key that is held, or waits for its time. Raises LeaseLost where it changed meanwhile."""
        taken = self._take(changes.claimed(lock, now, until))
        if taken is None:
            raise LeaseLost
        return taken

    def first(self, lock: Lock) -> tuple[Lock, Sequence[Parked]]:
        """Return the lock as it is, and then the first of its events, in their order. Raises LeaseLost."""
        current = self.lock(lock.key)
        if current is None or current.generation != lock.generation:
            raise LeaseLost
        items = self._calls.query(_events_of(lock.key) | {"Limit": _PAGE})["Items"]
        return current, [self._records.event(item, sequence_of(item)) for item in items]

    def remove(self, lock: Lock, event: Parked) -> bool:
        """Forget an event that is done; returns whether none was put back since. Raises LeaseLost."""
        return self._remove(lock, event)

    def put_aside(self, lock: Lock, event: Parked, now: datetime) -> bool:
        """Forget an event without which its key goes on, but for that: its message may come again. Raises LeaseLost."""
        mark = aside_item(lock.key, event.sequence, now + KEPT_ASIDE, event.redrives(now))
        return self._remove(lock, event, {"Put": {"Item": mark}})

    def mark_aside(self, place: Place, now: datetime) -> None:
        """Know of an event that was never parked that its key goes on without it."""
        self._calls.put(aside_item(*place, now + KEPT_ASIDE))

    def postpone(self, lock: Lock, head: Parked, state: State, due: datetime) -> bool:
        """Give the lease back and keep what befell the head, unless it is the head no more. Raises LeaseLost."""
        kept = update(
            event_key(lock.key, head.sequence),
            "SET #trail = :trail REMOVE #blocked_by",
            "attribute_exists(#sort)",
            {":trail": text(head.trail)},
        )
        while True:
            given_back = changes.postponed(lock, head.name, state, due)
            is_gone, is_refused = self._calls.transact({"Update": kept}, {"Update": given_back})
            if not is_refused:
                break
            lock, events = self.first(lock)
            if lock.state is not State.RUNNING:
                raise LeaseLost
            if not events or events[0].sequence != head.sequence:
                return False
        if is_gone:  # by somebody else's hand: the others go on
            self.give_back(lock, State.WAITING, due)
        return True

    def give_back(self, lock: Lock, state: State, due: datetime) -> None:
        """Give the lease back. Raises LeaseLost."""
        if self._calls.change(changes.given_back(lock, state, due)) is None:
            raise LeaseLost

    def unlock(self, lock: Lock) -> bool:
        """Let the key go. False where an event was parked since the lock was read, or the lease is lost."""
        return self._calls.delete_if(lock_key(lock.key), *changes.let_go(lock))

    def due(self, now: datetime, most: int) -> list[str]:
        """Return keys that wait and are due, those first that have been for longest."""
        items = self._calls.query(_locks_until(millis(now)) | {"Limit": most})["Items"]
        return [item["key"]["S"] for item in items]

    def count(self, now: datetime) -> Census:
        """Count the keys that wait, and keep their number for `look`."""
        keys = self._count(_locks_until(number(HELD_DUE)))
        held = keys - self._count(_locks_until(number(HELD_DUE - 1)))
        first = self._calls.query(_locks_until(millis(now)) | {"Limit": 1})["Items"]
        self._calls.put(TOTALS | {"waiting_keys": number(keys), "counted_at": millis(now)})
        return Census(keys, held, moment(first[0]["due"]) if first else None)

    def locks(self) -> Iterator[Lock]:
        """Return every key that waits, those first that are due next, as of a moment ago; held ones last."""
        for page in self._calls.pages(_locks_until(number(HELD_DUE)) | {"Limit": _KEYS}):
            keys = [item["key"]["S"] for item in page["Items"]]
            seen = self.look(keys) if keys else Seen({}, frozenset(), 0)
            found = {key: self.lock(key) for key in seen.unknown} | dict(seen.locks)
            yield from (lock for lock in map(found.get, keys) if lock is not None)

    def events(self, key: str) -> Iterator[Parked]:
        """Return the parked events of a key, in their order."""
        for page in self._calls.pages(_events_of(key)):
            yield from (self._records.event(item, sequence_of(item)) for item in page["Items"])

    def _remove(self, lock: Lock, event: Parked, *more: Item) -> bool:
        gone = {"Delete": {"Key": event_key(lock.key, event.sequence)} | only_if("attribute_exists(#sort)")}
        for is_unchanged in (True, False):
            counted = changes.one_less(lock, is_unchanged=is_unchanged)
            _, is_refused, *_ = self._calls.transact(gone, {"Update": counted}, *more)
            if not is_refused:
                self._records.forget(event.place)
                return is_unchanged
        raise LeaseLost

    def _count(self, query: Item) -> int:
        return sum(page["Count"] for page in self._calls.pages(query | {"Select": "COUNT"}))

    def _take(self, taken: Item) -> Lock | None:
        item = self._calls.change(taken)
        return None if item is None else lock_of(item)


def _events_of(key: str) -> Item:
    condition = "#key = :key AND begins_with(#sort, :event)"
    return {"ConsistentRead": True} | asked(condition, {":key": text(key), ":event": text(EVENT)})


def _locks_until(due: Item) -> Item:
    condition = "#sort = :lock AND #due <= :due"
    return {"IndexName": INDEX} | asked(condition, {":lock": text(LOCK), ":due": due})
