"""Keys that wait and their events in and out of ParkedTable.

Items of a key: the lock (`sort` is `lock`); each parked event (`event#` and its number, so that they sort as they were
sent); and for a while, a mark of each event that was put aside (`aside#` and its number). The index `due` finds the
locks by the time at which somebody acts next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

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
    due_of,
    event_key,
    lock_item,
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
from backstop.aws.parked_record import ParkedRecords, place_of
from backstop.parking import (
    KEPT_ASIDE,
    CannotPark,
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


_MINE: Final = "#generation = :mine"
_COUNT_UP: Final = "SET #generation = #generation + :one"
_RUN: Final = f"{_COUNT_UP}, #state = :running, #due = :until"
_GIVE_BACK: Final = "SET #state = :state, #due = :due"


class ParkedTable:
    """Where events are parked (see `backstop.parking.Parking`). A key takes `most` of them."""

    def __init__(self, client: DynamoDBClient, table: str, records: ParkedRecords, most: int) -> None:
        self._calls = Calls(client, table)
        self._records = records
        self._most = most

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
        item = self._calls.get(lock_key(key))
        return None if item is None else lock_of(item)

    def park_head(self, lock: Lock, event: Parked) -> Placed:
        """Make a key wait, with its first event: both or neither."""
        item = self._event_item(lock.key, event)
        refused = self._calls.transact(
            {"Put": {"Item": lock_item(lock)} | only_if("attribute_not_exists(#sort)")}, {"Put": {"Item": item}}
        )
        if not any(refused):
            return Placed.PARKED
        self._records.forget(place_of(item))
        return Placed.KEY_WAITS

    def park_behind(self, key: str, event: Parked) -> Placed:
        """Park an event behind the others of its key. Raises CannotPark where they are too many."""
        change, condition = "SET #waiting = #waiting + :one", "attribute_exists(#sort) AND #waiting < :most"
        values = {":one": number(1), ":most": number(self._most)}
        item = self._event_item(key, event)
        lock_refuses, is_parked = self._calls.transact(
            {"Update": update(lock_key(key), change, condition, values)},
            {"Put": {"Item": item} | only_if("attribute_not_exists(#sort)")},
        )
        if not (is_parked or lock_refuses):
            return Placed.PARKED
        self._records.forget(place_of(item))
        if is_parked:
            return Placed.PARKED
        lock = self.lock(key)
        if lock is None:
            return Placed.KEY_IS_FREE
        raise CannotPark(f"{lock.waiting} events of its key are parked, and {self._most} may be")

    def lease(self, key: str, now: datetime, until: datetime) -> Lock | None:
        """Take the lease of a key that is due. None where it does not wait, is held, or another one has it."""
        condition = "attribute_exists(#sort) AND #state <> :held AND #due <= :now"
        return self._take(key, _RUN, condition, {":held": text(State.HELD), ":now": millis(now)} | _running(until))

    def claim(self, lock: Lock, now: datetime, until: datetime) -> Lock:
        """Take the lease of a key that is held, or waits for its time. Raises LeaseLost where it changed meanwhile."""
        seen = {":seen": number(lock.generation), ":state": text(lock.state)}
        if lock.state is State.HELD:  # and stays so until the lease is given back: whoever has it may die
            taken = self._take(lock.key, _COUNT_UP, "#generation = :seen AND #state = :state", seen)
        else:
            condition = "#generation = :seen AND #state = :state AND (#state = :waiting OR #due <= :now)"
            values = seen | {":waiting": text(State.WAITING), ":now": millis(now)} | _running(until)
            taken = self._take(lock.key, _RUN, condition, values)
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

    def remove(self, lock: Lock, event: Parked) -> None:
        """Forget an event that is done. Raises LeaseLost."""
        self._remove(lock, event)

    def put_aside(self, lock: Lock, event: Parked, now: datetime) -> None:
        """Forget an event without which its key goes on, but for that: its message may come again. Raises LeaseLost."""
        self._remove(lock, event, {"Put": {"Item": aside_item(lock.key, event.sequence, now + KEPT_ASIDE)}})

    def mark_aside(self, place: Place, now: datetime) -> None:
        """Know of an event that was never parked that its key goes on without it."""
        self._calls.put(aside_item(*place, now + KEPT_ASIDE))

    def postpone(self, lock: Lock, head: Parked, state: State, due: datetime) -> None:
        """Give the lease back and keep what befell the head. Raises LeaseLost."""
        kept = update(
            event_key(lock.key, head.sequence),
            "SET #trail = :trail REMOVE #blocked_by",
            "attribute_exists(#sort)",
            {":trail": text(head.trail)},
        )
        values = _given_back(lock, state, due) | {":head": text(head.name)}
        given_back = update(lock_key(lock.key), f"{_GIVE_BACK}, #head = :head", _MINE, values)
        is_gone, is_lost = self._calls.transact({"Update": kept}, {"Update": given_back})
        if is_lost:
            raise LeaseLost
        if is_gone:  # by somebody else's hand: the others go on
            self.give_back(lock, State.WAITING, due)

    def give_back(self, lock: Lock, state: State, due: datetime) -> None:
        """Give the lease back. Raises LeaseLost."""
        given_back = update(lock_key(lock.key), _GIVE_BACK, _MINE, _given_back(lock, state, due))
        if self._calls.change(given_back) is None:
            raise LeaseLost

    def unlock(self, lock: Lock) -> bool:
        """Let the key go. False where an event was parked since the lock was read, or the lease is lost."""
        condition = f"{_MINE} AND #waiting = :waiting"
        values = {":mine": number(lock.generation), ":waiting": number(lock.waiting)}
        return self._calls.delete_if(lock_key(lock.key), condition, values)

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

    def _remove(self, lock: Lock, event: Parked, *more: Item) -> None:
        values = {":one": number(1), ":mine": number(lock.generation)}
        _, is_lost, *_ = self._calls.transact(
            {"Delete": {"Key": event_key(lock.key, event.sequence)} | only_if("attribute_exists(#sort)")},
            {"Update": update(lock_key(lock.key), "SET #waiting = #waiting - :one", _MINE, values)},
            *more,
        )
        if is_lost:
            raise LeaseLost
        self._records.forget(event.place)

    def _event_item(self, key: str, event: Parked) -> Item:
        return event_key(key, event.sequence) | self._records.attributes(key, event)

    def _count(self, query: Item) -> int:
        return sum(page["Count"] for page in self._calls.pages(query | {"Select": "COUNT"}))

    def _take(self, key: str, change: str, condition: str, values: Item) -> Lock | None:
        item = self._calls.change(update(lock_key(key), change, condition, values | {":one": number(1)}))
        return None if item is None else lock_of(item)


def _events_of(key: str) -> Item:
    condition = "#key = :key AND begins_with(#sort, :event)"
    return {"ConsistentRead": True} | asked(condition, {":key": text(key), ":event": text(EVENT)})


def _locks_until(due: Item) -> Item:
    condition = "#sort = :lock AND #due <= :due"
    return {"IndexName": INDEX} | asked(condition, {":lock": text(LOCK), ":due": due})


def _running(until: datetime) -> Item:
    return {":running": text(State.RUNNING), ":until": millis(until)}


def _given_back(lock: Lock, state: State, due: datetime) -> Item:
    return {":mine": number(lock.generation), ":state": text(state), ":due": due_of(state, due)}
