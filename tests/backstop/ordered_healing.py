"""What must hold of the ordered lane's small world at any time, and how it must be once everything has healed."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from backstop.parking import State
from tests.backstop.ordered_order import of_held_keys
from tests.backstop.ordered_world import VISIBILITY, World

MOST_ROUNDS: Final = 60
"""Rounds of healing after which everything is quiet: each event has a few runs before it."""


def require_right(world: World) -> None:
    """Require what holds at any time."""
    assert world.wrong == []
    events = [event for sent in world.sent.values() for event in sent]
    assert [event for event in events if not world.is_safe(event)] == [], "lost"
    parked_events = {key: world.parked(key) for key in world.sent}
    assert of_held_keys(world.parking.kept_locks, parked_events) == [], "held for what is not their head"
    for key, parked in parked_events.items():
        lock = world.lock(key)
        assert (0 if lock is None else lock.waiting) == len(parked), "a lock counts the events that wait for it"
        if lock is not None and lock.state is State.HELD:
            assert world.runner.scripts[lock.head].may_be_dead(), "held, for no fault of its own"


def heal(world: World) -> None:
    """Let every worker die, and then deliver, sweep and drain until there is nothing left to do."""
    for left in list(world.workers):
        world.kill(left)
    for _ in range(MOST_ROUNDS):
        world.clock.advance(VISIBILITY + timedelta(seconds=1))
        for _ in world.runner.scripts:  # more batches than there are events, there are none
            world.finish(world.start_ingest())
        world.finish(world.start_sweep())
        world.drain_woken()
        if not world.going() and not may_leave(world):
            return
    raise AssertionError(f"not quiet: {world.queued()} in the queue, {world.parking.kept_locks}")


def may_leave(world: World) -> list[str]:
    """Return the events in the queue that may leave it: all but those of a full key that is held."""
    full = {key for key, lock in world.parking.kept_locks.items() if lock.waiting >= world.most}
    return [event for event in world.queued() if event[0] not in full]


def require_settled(world: World) -> None:
    """Require that every event is where it belongs."""
    require_right(world)
    for key in world.sent:
        require_key_settled(world, key)


def require_key_settled(world: World, key: str) -> None:
    """Require that a key's events are done or put aside; where it is held, all from its dead head on wait.

    Where the head was put back, later ones may have been done before.
    """
    sent, lock = world.sent[key], world.lock(key)
    if lock is None:
        assert world.parked(key) == []
        assert [event for event in sent if not (world.is_done(event) or world.was_put_aside(event))] == []
        return
    waiting = [*world.parked(key), *(event for event in world.queued() if event[0] == key)]
    from_head = sent[sent.index(lock.head) :]
    if lock.head in world.order.returned:
        from_head = [event for event in from_head if not (world.is_done(event) or world.was_put_aside(event))]
    assert [event for event in from_head if event not in waiting] == []
    assert [event for event in from_head if world.is_done(event)] == []
