"""A person who decides about the dead head of a key that is held, as the operator's command does: call by call."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Final, Protocol

from backstop.parking import State
from tests.fakes.clock import VirtualClock
from tests.fakes.parking import FakeParking

LEASE: Final = timedelta(seconds=30)


class Desk(Protocol):
    """What a person sees and writes on."""

    clock: VirtualClock
    parking: FakeParking
    dead_letters: Counter[str]
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
            desk.dead_letters[head.event_id] += 1
        else:
            desk.discarded.add(head.event_id)
        desk.parking.put_aside(claimed, head, desk.clock.now())
    desk.parking.give_back(claimed, State.WAITING, desk.clock.now())
