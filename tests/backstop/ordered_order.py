"""Who may run what when, in the ordered lane's small world: what was wrong about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from backstop.parking import Lock, State
from tests.backstop.ordered_worker import Worker

if TYPE_CHECKING:
    from tests.backstop.ordered_world import World

LOOKS: Final = frozenset({"first", "remove", "put_aside", "postpone"})
"""The calls by which whoever has a key's lease learns that an event was put back."""


@dataclass
class Order:
    """What is known of the events that were put back, and of those that run."""

    returned: set[str] = field(default_factory=set)
    """The events that were put back into their places, ever: their first place in the order is lost."""
    _in_hand: dict[tuple[str, Worker], int] = field(default_factory=dict)
    _running: dict[Worker, str] = field(default_factory=dict)

    def was_put_back(self, event_id: str, workers: Sequence[Worker]) -> None:
        """Note an event that was put back just now, and who may not know of it yet."""
        self.returned.add(event_id)
        for worker in workers:
            self._in_hand[(event_id[0], worker)] = len(worker.calls)

    def begins(self, event_id: str, worker: Worker, others: Sequence[Worker]) -> list[str]:
        """Note an event that is run; returns what else of its key is run at the same time."""
        running = [self._running[other] for other in others if other in self._running]
        self._running[worker] = event_id
        return [other for other in running if other[0] == event_id[0]]

    def ends(self, worker: Worker) -> None:
        """Note that what a worker ran is over."""
        self._running.pop(worker, None)

    def is_in_hand(self, key: str, worker: Worker) -> bool:
        """Whether a worker cannot know yet that an event of a key was put back.

        One that takes a batch in looks once; one that drains looks after each event.
        """
        calls = self._in_hand.get((key, worker))
        if calls is None:
            return False
        return worker.name == "ingest" or not LOOKS & set(worker.calls[max(calls - 1, 0) :])


def of_held_keys(locks: Mapping[str, Lock], parked: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the keys that are held for another event than their first."""
    held = [lock for lock in locks.values() if lock.state is State.HELD and lock.head in parked[lock.key]]
    return [lock.key for lock in held if parked[lock.key][0] != lock.head]


def wrong_about_beginning(world: World, event_id: str) -> list[str]:
    """Note an event that the current worker runs; returns what is wrong about that.

    An earlier one of its key is not out of the way, its key is held, or another worker runs one of its key. What was
    put back since this worker looked, it need not know of.
    """
    key, sent, worker = event_id[0], world.sent[event_id[0]], world.current
    lock, wrong = world.lock(key), list[str]()
    earlier = sent[: sent.index(event_id)]
    waiting = [one for one in earlier if not (world.is_done(one) or world.was_put_aside(one))]
    is_in_hand = world.order.is_in_hand(key, worker)
    if waiting and not (is_in_hand and set(waiting) <= world.order.returned):
        wrong.append(f"{worker.name} runs {event_id} before {waiting}")
    if lock is not None and (lock.state is State.HELD or (worker.name == "ingest" and not is_in_hand)):
        wrong.append(f"{worker.name} runs {event_id} while {key} is {lock.state} for {lock.head}")
    others = world.order.begins(event_id, worker, [one for one in world.workers if one is not worker])
    return [*wrong, f"{worker.name} runs {event_id} while {others} are run"] if others else wrong
