"""Where events are parked, in memory: what `backstop.aws.parked.ParkedTable` keeps in DynamoDB, call by call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime

from backstop.errors import StoreUnavailable
from backstop.parking import CannotPark, Census, LeaseLost, Lock, Parked, Place, Placed, Seen, State
from backstop.placing import found_in_place, in_order, was_put_back
from tests.fakes.faults import Faults
from tests.fakes.parking_kept import kept, with_trail

PAGE = 10

Around = Callable[[str], AbstractContextManager[object]]
"""What surrounds a call of that name. What it raises on entering keeps the call from taking effect."""


def failing_by(faults: Faults) -> Around:
    """Let calls fail by these rules, before they take effect or after."""

    @contextmanager
    def around(call: str) -> Iterator[None]:
        fault = faults.next(call, {})
        if fault is not None and not fault.takes_effect:
            raise StoreUnavailable(fault)
        yield
        if fault is not None:
            raise StoreUnavailable(fault)

    return around


class FakeParking:
    """Locks and events in memory. A key takes `most` events; `around` surrounds each call to the table.

    Calls go by their method's name; where a method takes a second call, it is `reread` (a lock) or `events`.
    """

    def __init__(self, most: int, around: Around) -> None:
        self.kept_locks: dict[str, Lock] = {}
        self.kept_events: defaultdict[str, dict[str, Parked]] = defaultdict(dict)
        self.kept_aside: dict[Place, int] = {}
        """The events that were put aside, and how often they had been put back before."""
        self._most = most
        self._around = around
        self._counted = 0

    def look(self, keys: Sequence[str], again: Sequence[Place] = ()) -> Seen:
        """Return which keys wait, and which events were put aside."""
        with self._around("look"):
            found = {key: self.kept_locks[key] for key in keys if key in self.kept_locks}
            aside = frozenset(place for place in again if (place[0], in_order(place[1])) in self.kept_aside)
            return Seen(found, frozenset(), self._counted, aside)

    def lock(self, key: str) -> Lock | None:
        """Return the lock of a key; None where it does not wait."""
        with self._around("lock"):
            return self.kept_locks.get(key)

    def park_head(self, lock: Lock, event: Parked) -> Placed:
        """Make a key wait, with its first event: both or neither."""
        with self._around("park_head"):
            if lock.key in self.kept_locks:
                return Placed.KEY_WAITS
            self.kept_locks[lock.key] = kept(lock)
            self.kept_events[lock.key][in_order(event.sequence)] = event
            return Placed.PARKED

    def park_behind(self, key: str, event: Parked) -> Placed:
        """Park an event behind the others of its key."""
        with self._around("park_behind"):
            lock = self.kept_locks.get(key)
            if in_order(event.sequence) in self.kept_events[key]:
                return Placed.PARKED
            if lock is not None and lock.waiting < self._most:
                self.kept_locks[key] = replace(lock, waiting=lock.waiting + 1)
                self.kept_events[key][in_order(event.sequence)] = event
                return Placed.PARKED
        with self._around("reread"):
            if key not in self.kept_locks:
                return Placed.KEY_IS_FREE
        raise CannotPark(f"{self._most} events of its key may be parked")

    def lease(self, key: str, now: datetime, until: datetime) -> Lock | None:
        """Take the lease of a key that is due."""
        with self._around("lease"):
            lock = self.kept_locks.get(key)
            if lock is None or lock.state is State.HELD or lock.due > now:
                return None
            return self._change(lock, generation=lock.generation + 1, state=State.RUNNING, due=until)

    def claim(self, lock: Lock, now: datetime, until: datetime) -> Lock:
        """Take the lease of a key that is held, and stays so, or waits for its time."""
        with self._around("claim"):
            current = self.kept_locks.get(lock.key)
            if current is None or (current.generation, current.state) != (lock.generation, lock.state):
                raise LeaseLost
            if current.state is State.HELD:
                return self._change(current, generation=current.generation + 1)
            if current.state is State.RUNNING and current.due > now:
                raise LeaseLost
            return self._change(current, generation=current.generation + 1, state=State.RUNNING, due=until)

    def first(self, lock: Lock) -> tuple[Lock, Sequence[Parked]]:
        """Return the lock as it is, and then the first of its events, in their order."""
        with self._around("first"):
            current = self._require_mine(lock)
        with self._around("events"):
            return current, self._in_order(lock.key)[:PAGE]

    def remove(self, lock: Lock, event: Parked) -> bool:
        """Forget an event."""
        with self._around("remove"):
            return self._remove(lock, event)

    def put_aside(self, lock: Lock, event: Parked, now: datetime) -> bool:
        """Forget an event, but for the fact that its key goes on without it."""
        with self._around("put_aside"):
            are_next = self._remove(lock, event)
            self.kept_aside[lock.key, in_order(event.sequence)] = event.redrives(now)
            return are_next

    def mark_aside(self, place: Place, now: datetime) -> None:
        """Know of an event that its key goes on without it."""
        with self._around("mark_aside"):
            self.kept_aside[place[0], in_order(place[1])] = 0

    def return_to_place(self, lock: Lock, event: Parked) -> Placed:
        """Put an event that was put aside back into its place."""
        with self._around("return_to_place"):
            number, current = in_order(event.sequence), self.kept_locks.get(lock.key)
            there = self.kept_events[lock.key].get(number)
            if was_put_back(event.redrives(lock.since), self.kept_aside.get((lock.key, number), 0)):
                return Placed.PARKED
            if there is not None:
                return found_in_place(there, event, lock.since)
            if current is not None and current.state is State.HELD:
                return Placed.KEY_IS_HELD
            if current is None:
                self.kept_locks[lock.key] = kept(lock)
            elif current.waiting >= self._most:
                raise CannotPark(f"{self._most} events of its key may be parked")
            else:
                self._change(current, waiting=current.waiting + 1, returned=current.returned + 1)
                event = replace(event, blocked_by=current.head)
            self.kept_events[lock.key][number] = event
            return Placed.PARKED

    def postpone(self, lock: Lock, head: Parked, state: State, due: datetime) -> bool:
        """Give the lease back and keep what befell the head, unless it is the head no more."""
        with self._around("postpone"):
            current = self._require_mine(lock)
            events, number = self.kept_events[lock.key], in_order(head.sequence)
            if current.returned != lock.returned:
                if current.state is not State.RUNNING:
                    raise LeaseLost
                if min(events, default="") != number:
                    return False
            if number in events:
                events[number] = replace(with_trail(events[number], head), blocked_by="")
                self._change(current, state=state, due=due, head=head.name)
                return True
        self.give_back(lock, State.WAITING, due)
        return True

    def give_back(self, lock: Lock, state: State, due: datetime) -> None:
        """Give the lease back."""
        with self._around("give_back"):
            self._change(self._require_mine(lock), state=state, due=due)

    def unlock(self, lock: Lock) -> bool:
        """Let the key go, unless an event was parked since the lock was read."""
        with self._around("unlock"):
            current = self.kept_locks.get(lock.key)
            if current is None or (current.generation, current.waiting) != (lock.generation, lock.waiting):
                return False
            del self.kept_locks[lock.key]
            return True

    def due(self, now: datetime, most: int) -> Sequence[str]:
        """Return keys that wait and are due, those first that have been for longest."""
        with self._around("due"):
            due = [lock for lock in self._by_due() if lock.due <= now and lock.state is not State.HELD]
            return [lock.key for lock in due[:most]]

    def count(self, now: datetime) -> Census:
        """Count the keys that wait, and keep their number for `look`."""
        with self._around("count"):
            locks = self._by_due()
            going = [lock for lock in locks if lock.state is not State.HELD]
            self._counted = len(locks)
            since = going[0].due if going and going[0].due <= now else None
            return Census(len(locks), len(locks) - len(going), since)

    def locks(self) -> Iterator[Lock]:
        """Return every key that waits, those first that are due next; held ones last."""
        with self._around("locks"):
            locks = self._by_due()
        yield from locks

    def events(self, key: str) -> Iterator[Parked]:
        """Return the parked events of a key, in their order."""
        with self._around("events"):
            events = self._in_order(key)
        yield from events

    def _remove(self, lock: Lock, event: Parked) -> bool:
        current = self._require_mine(lock)
        if self.kept_events[lock.key].pop(in_order(event.sequence), None) is not None:
            self._change(current, waiting=current.waiting - 1)
        return current.returned == lock.returned

    def _in_order(self, key: str) -> list[Parked]:
        return [event for _, event in sorted(self.kept_events[key].items())]

    def _by_due(self) -> list[Lock]:
        return sorted(self.kept_locks.values(), key=lambda lock: (lock.state is State.HELD, lock.due))

    def _require_mine(self, lock: Lock) -> Lock:
        current = self.kept_locks.get(lock.key)
        if current is None or current.generation != lock.generation:
            raise LeaseLost
        return current

    def _change(self, lock: Lock, **changes: object) -> Lock:
        changed = kept(replace(lock, **changes))  # type: ignore[arg-type]  # fields of a lock, each by its own name
        self.kept_locks[lock.key] = changed
        return changed
