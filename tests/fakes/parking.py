"""Where events are parked, in memory: what `backstop.aws.parked.ParkedTable` keeps in DynamoDB, call by call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime

from backstop.errors import StoreUnavailable
from backstop.parking import CannotPark, Census, LeaseLost, Lock, Parked, Place, Placed, Seen, State
from backstop.trail import ATTRIBUTE
from tests.fakes.faults import Faults

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
        self.kept_events: defaultdict[str, dict[int, Parked]] = defaultdict(dict)
        self.kept_aside: set[Place] = set()
        self._most = most
        self._around = around
        self._counted = 0

    def look(self, keys: Sequence[str], again: Sequence[Place] = ()) -> Seen:
        """Return which keys wait, and which events were put aside."""
        with self._around("look"):
            found = {key: self.kept_locks[key] for key in keys if key in self.kept_locks}
            return Seen(found, frozenset(), self._counted, frozenset(again) & self.kept_aside)

    def lock(self, key: str) -> Lock | None:
        """Return the lock of a key; None where it does not wait."""
        with self._around("lock"):
            return self.kept_locks.get(key)

    def park_head(self, lock: Lock, event: Parked) -> Placed:
        """Make a key wait, with its first event: both or neither."""
        with self._around("park_head"):
            if lock.key in self.kept_locks:
                return Placed.KEY_WAITS
            self.kept_locks[lock.key] = _kept(lock)
            self.kept_events[lock.key][int(event.sequence)] = event
            return Placed.PARKED

    def park_behind(self, key: str, event: Parked) -> Placed:
        """Park an event behind the others of its key."""
        with self._around("park_behind"):
            lock = self.kept_locks.get(key)
            if int(event.sequence) in self.kept_events[key]:
                return Placed.PARKED
            if lock is not None and lock.waiting < self._most:
                self.kept_locks[key] = replace(lock, waiting=lock.waiting + 1)
                self.kept_events[key][int(event.sequence)] = event
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

    def remove(self, lock: Lock, event: Parked) -> None:
        """Forget an event."""
        with self._around("remove"):
            self._remove(lock, event)

    def put_aside(self, lock: Lock, event: Parked, now: datetime) -> None:
        """Forget an event, but for the fact that its key goes on without it."""
        with self._around("put_aside"):
            self._remove(lock, event)
            self.kept_aside.add((lock.key, event.sequence))

    def mark_aside(self, place: Place, now: datetime) -> None:
        """Know of an event that its key goes on without it."""
        with self._around("mark_aside"):
            self.kept_aside.add(place)

    def postpone(self, lock: Lock, head: Parked, state: State, due: datetime) -> None:
        """Give the lease back and keep what befell the head."""
        with self._around("postpone"):
            current = self._require_mine(lock)
            events = self.kept_events[lock.key]
            if int(head.sequence) in events:
                events[int(head.sequence)] = replace(_with_trail(events[int(head.sequence)], head), blocked_by="")
                self._change(current, state=state, due=due, head=head.name)
                return
        self.give_back(lock, State.WAITING, due)

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

    def _remove(self, lock: Lock, event: Parked) -> None:
        current = self._require_mine(lock)
        if self.kept_events[lock.key].pop(int(event.sequence), None) is not None:
            self._change(current, waiting=current.waiting - 1)

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
        changed = _kept(replace(lock, **changes))  # type: ignore[arg-type]  # fields of a lock, each by its own name
        self.kept_locks[lock.key] = changed
        return changed


def _kept(lock: Lock) -> Lock:
    """Return a lock as the table tells it: its times in whole milliseconds."""
    return replace(lock, due=_to_millis(lock.due), since=_to_millis(lock.since))


def _to_millis(moment: datetime) -> datetime:
    return datetime.fromtimestamp(round(moment.timestamp() * 1000) / 1000, moment.tzinfo)


def _with_trail(event: Parked, head: Parked) -> Parked:
    attributes = dict(event.record["messageAttributes"])
    if ATTRIBUTE in head.record["messageAttributes"]:
        attributes[ATTRIBUTE] = head.record["messageAttributes"][ATTRIBUTE]
    return replace(event, record={**event.record, "messageAttributes": attributes})
