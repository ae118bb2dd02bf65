"""A key that waits in: its events are run in their order until none is left, one must wait, or time is short."""

from __future__ import annotations

from datetime import timedelta
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
            standing = run(event.record, lane)
            if standing is None:
                lane.parking.remove(lock, event)
            elif not _is_put_aside(standing, lock, event, lane):
                return


def _yield(lock: Lock, lane: Lane) -> None:
    """Let another worker go on."""
    now = lane.circumstances.now()
    lane.parking.give_back(lock, State.WAITING, now)
    wake(lock.key, now, lane)


def _is_put_aside(standing: Standing, lock: Lock, head: Parked, lane: Lane) -> bool:
    """Keep what befell the head; returns whether it is out of the way, so that the others go on without it."""
    now = lane.circumstances.now()
    sent = letter(standing, lane)
    if sent is not None:
        if bury(sent, standing, lane):
            lane.parking.put_aside(lock, head, now)
            return True
        lane.parking.give_back(lock, State.WAITING, now + PAUSE)
        return False
    lane.parking.postpone(lock, head.after(standing.trail), standing.state(), standing.due(now))
    report(standing, lane)
    if standing.state() is State.WAITING:
        wake(lock.key, standing.due(now), lane)
    return False
