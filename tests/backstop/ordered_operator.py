"""A person who decides about the dead head of a key that is held, as the operator's command does: call by call."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

from backstop.message import outgoing, read
from backstop.parking import Lock, Parked, State
from backstop.trail import Trail
from tests.backstop.ordered_redrive import QUEUES, DeadLetters
from tests.fakes.clock import VirtualClock
from tests.fakes.parking import FakeParking

LEASE: Final = timedelta(seconds=30)


class Desk(Protocol):
    """What a person sees and writes on."""

    clock: VirtualClock
    parking: FakeParking
    dead_letters: DeadLetters
    discarded: set[str]


def decide(desk: Desk, act: str, key: str) -> None:
    """Do what was decided: `retry`, `skip` or `discard`. Raises StoreUnavailable and LeaseLost."""
    lock = desk.parking.lock(key)
    if lock is None or lock.state is not State.HELD:
        return
    claimed = desk.parking.claim(lock, desk.clock.now(), desk.clock.now() + LEASE)
    _, events = desk.parking.first(claimed)
    head = next((event for event in events if event.name == lock.head), None)
    if head is not None and act != "retry":
        if act == "skip":
            _bury(desk, claimed, head)
        else:
            desk.discarded.add(head.event_id)
        desk.parking.put_aside(claimed, head, desk.clock.now())
    desk.parking.give_back(claimed, State.WAITING, desk.clock.now())


def _bury(desk: Desk, lock: Lock, head: Parked) -> None:
    trail = Trail.written(head.trail, QUEUES, desk.clock.now())
    dead = replace(trail, verdict="dead", key=lock.key, source_queue="ordered.fifo", sequence=head.sequence)
    sent = outgoing(read(head.record, head.event_id, QUEUES, desk.clock.now()), dead, 0)
    assert sent is not None
    desk.dead_letters.take(sent)
