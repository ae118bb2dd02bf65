"""A key that waits in: its events are run in their order until none is left, one must wait, or time is short."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum, auto
from typing import Final

from backstop.message import Record
from backstop.parking import LeaseLost, Lock, Parked, State
from backstop.sequence import PAUSE, Lane, Pace, Standing, bury, keep, letter, report, run, wake

LEASE_SLACK: Final = timedelta(seconds=5)
"""How far a lease outlasts the invocation that has it: more than clocks differ."""

MOST_SWEPT: Final = 1000
"""Keys that a sweep wakes at most: what was due for longest. The others are due a minute later, too."""


def drain(key: str, wake_up: Record, lane: Lane) -> None:
    """Run the parked events of a key in their order. Raises StoreUnavailable: then its lease runs out.

    A key that is not due, is held, or that another worker drains is left alone. `wake_up` is the message that asked
    for it: it comes again soon after the lease, if this worker dies.
    """
    now = lane.circumstances.now()
    end = now + timedelta(milliseconds=lane.flow.remaining_millis())
    lock = lane.parking.lease(key, now, end + LEASE_SLACK)
    if lock is None:
        return
    keep([wake_up], LEASE_SLACK, lane)
    try:
        _drain(lock, lane)
    except LeaseLost:
        return  # it is another worker's by now
    finally:
        lane.effects.count()


def sweep(lane: Lane) -> None:
    """Wake the keys that are due and that nobody drains, and tell how many keys wait. Raises StoreUnavailable."""
    now = lane.circumstances.now()
    lost = lane.parking.due(now, MOST_SWEPT)
    if lost:
        lane.effects.wake(lost, 0)
    census = lane.parking.count(now)
    overdue = timedelta(0) if census.due_since is None else now - census.due_since
    lane.effects.measure(
        ParkedKeys=census.keys,
        HeldKeys=census.held,
        ParkedKeysPercent=100 * census.keys / lane.limits.keys,
        OverdueSeconds=max(overdue.total_seconds(), 0.0),
    )


def _drain(lock: Lock, lane: Lane) -> None:
    pace = Pace(lane.flow.remaining_millis)
    while True:
        lock, events = lane.parking.first(lock)
        if not events and lane.parking.unlock(lock):
            return
        for event in events:
            if not pace.allows_another():
                _yield(lock, lane)
                return
            after = _settle(event, lock, lane)
            if after is _After.STOP:
                return
            if after is _After.LOOK_AGAIN:
                break


class _After(Enum):
    """What comes after an event."""

    GO_ON = auto()
    """The next of those that were read."""
    LOOK_AGAIN = auto()
    """What is first now: an earlier event was put back meanwhile."""
    STOP = auto()
    """Nothing: the key waits."""


def _settle(event: Parked, lock: Lock, lane: Lane) -> _After:
    """Run the first event of a key and do what comes of it."""
    standing = run(event.record, lane)
    if standing is None:
        return _next(are_next=lane.parking.remove(lock, event))
    now = lane.circumstances.now()
    sent = letter(standing, lane)
    if sent is None:
        return _postpone(event, standing, lock, lane)
    if bury(sent, standing, lane):
        return _next(are_next=lane.parking.put_aside(lock, event, now))
    lane.parking.give_back(lock, State.WAITING, now + PAUSE)
    return _After.STOP


def _next(*, are_next: bool) -> _After:
    return _After.GO_ON if are_next else _After.LOOK_AGAIN


def _postpone(head: Parked, standing: Standing, lock: Lock, lane: Lane) -> _After:
    """Let the key wait, for its head's time or for a person.

    Where an earlier event was put back while the head ran, that one is next; what befell the other is forgotten, as if
    it had not been run: a key waits for its first event, and is held for no other one.
    """
    state, due = standing.state(), standing.due(lane.circumstances.now())
    if not lane.parking.postpone(lock, head.after(standing.trail), state, due):
        return _After.LOOK_AGAIN
    report(standing, lane)
    if state is State.WAITING:
        wake(lock.key, due, lane)
    return _After.STOP


def _yield(lock: Lock, lane: Lane) -> None:
    """Let another worker go on."""
    now = lane.circumstances.now()
    lane.parking.give_back(lock, State.WAITING, now)
    wake(lock.key, now, lane)
