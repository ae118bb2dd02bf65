"""The ordered lane's real flows in a small world: a FIFO queue, a place to park, workers that stand still and die."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Final

from backstop.drain import LEASE_SLACK, drain, sweep
from backstop.errors import StoreUnavailable
from backstop.ingest import ingest
from backstop.message import Outgoing, Record
from backstop.parking import LeaseLost, Lock, OnDeadHead, State
from tests.backstop import record as a_record
from tests.backstop.ordered_lane import lane_of
from tests.backstop.ordered_operator import decide
from tests.backstop.ordered_order import Order, wrong_about_beginning
from tests.backstop.ordered_redrive import DeadLetters, redrive
from tests.backstop.ordered_runner import Runner, Script
from tests.backstop.ordered_worker import Worker
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault
from tests.fakes.parking import FakeParking
from tests.fakes.queue import FakeQueue, HandleInvalid, QueueSettings
from tests.fakes.source import A_MOMENT, record_of

TIMEOUT: Final = timedelta(seconds=30)
VISIBILITY: Final = 6 * TIMEOUT
IN_HAND: Final = TIMEOUT + LEASE_SLACK
WAKE_UP: Final = a_record("wake-up", queue="drain")


@dataclass
class World:
    """Everything that happens, and what was wrong with it."""

    on_dead_head: OnDeadHead = OnDeadHead.HOLD
    most: int = 100
    clock: VirtualClock = field(default_factory=VirtualClock)
    workers: list[Worker] = field(default_factory=list)
    sent: dict[str, list[str]] = field(default_factory=dict)
    effects: list[str] = field(default_factory=list)
    """The events whose effect has happened, in the order in which it did."""
    order: Order = field(default_factory=Order)
    discarded: set[str] = field(default_factory=set)
    woken: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """What must not be: an assertion in a worker would only be one more failure of its event."""
    _generations: itertools.count[int] = field(default_factory=lambda: itertools.count(1000, 1000))
    _current: Worker | None = None

    def __post_init__(self) -> None:
        settings = QueueSettings(VISIBILITY, timedelta(days=14), is_fifo=True)
        self.queue = FakeQueue("ordered.fifo", self.clock, Random(0), settings)
        self.runner = Runner(self.clock, lambda: self.current, self)
        self.parking = FakeParking(self.most, self._around)
        self.dead_letters = DeadLetters(self.clock)

    # What happens

    def send(self, key: str, *acts: str) -> str:
        """Send an event and return its id."""
        event_id = f"{key}{len(self.sent.setdefault(key, [])) + 1}"
        self.sent[key].append(event_id)
        self.runner.scripts[event_id] = Script(list(acts))
        system = {"MessageGroupId": key, "MessageDeduplicationId": event_id}
        self.queue.put(json.dumps({"id": event_id, "key": key}), {}, system)
        return event_id

    def start_ingest(self, limit: int = 10) -> Worker | None:
        """Let a worker take a batch; None where there is none."""
        messages = self.queue.receive(limit)
        records: list[Record] = [record_of(message, self.queue.arn) for message in messages]
        return self._start("ingest", lambda worker: self._ingest(records, worker)) if records else None

    def start_drain(self, key: str) -> Worker:
        """Wake a worker for a key."""
        return self._start(
            f"drain {key}", lambda worker: self._quietly(lambda: drain(key, WAKE_UP, lane_of(self, worker)))
        )

    def drain_woken(self) -> None:
        """Let workers drain the keys that were woken, one after the other; each takes a moment at least."""
        while self.woken:
            self.clock.advance(A_MOMENT)
            self.finish(self.start_drain(self.woken.pop()))

    def start_sweep(self) -> Worker:
        """Wake a worker for a sweep."""
        return self._start("sweep", lambda worker: self._quietly(lambda: sweep(lane_of(self, worker))))

    def start_operator(self, act: str, key: str) -> Worker:
        """Let a person `retry`, `skip` or `discard` the dead head of a key that is held."""
        return self._start(f"{act} {key}", lambda worker: self._quietly(lambda: decide(self, act, key)))

    def start_redrive(self, redrive_id: str) -> Worker:
        """Let a mover put the dead letters back into their places."""
        return self._start(
            f"redrive {redrive_id}",
            lambda worker: self._quietly(lambda: redrive(self, worker, redrive_id, self.new_generation, IN_HAND)),
        )

    def go_on(self, worker: Worker, fault: Fault | None = None) -> None:
        """Let a worker make its next call, which may fail."""
        self._end_overdue(but=worker)
        with self._running(worker):
            worker.go_on(fault)

    def finish(self, worker: Worker | None) -> None:
        """Let a worker make all calls that are left."""
        while worker is not None and not worker.is_over:
            self.go_on(worker)

    def kill(self, worker: Worker) -> None:
        """Let a worker die before its next call."""
        with self._running(worker):
            worker.kill()

    def _end_overdue(self, but: Worker | None = None) -> None:
        """Let those die whose time is up."""
        for worker in [one for one in self.workers if one is not but and self.clock.now() >= one.deadline]:
            self.kill(worker)

    @contextmanager
    def _running(self, worker: Worker) -> Iterator[None]:
        self._current = worker
        try:
            yield
        finally:
            self._current = None
            if worker.is_over:
                self.workers.remove(worker)

    @property
    def current(self) -> Worker:
        """The worker that runs now."""
        assert self._current is not None
        return self._current

    # What is

    def is_safe(self, event_id: str) -> bool:
        """Whether an event is somewhere."""
        return (
            self.is_done(event_id)
            or self.was_put_aside(event_id)
            or event_id in self.queued()
            or any(event_id in self.parked(key) for key in self.sent)
        )

    def is_done(self, event_id: str) -> bool:
        """Whether an event is known to be done."""
        return self.runner.is_done(event_id)

    def was_put_aside(self, event_id: str) -> bool:
        """Whether the others of its key go on without it: it is a dead letter, or a person discarded it."""
        is_out = self.dead_letters.has(event_id) or event_id in self.discarded
        return is_out and event_id not in self.parked(event_id[0])

    def queued(self) -> list[str]:
        """Return the events in the queue."""
        return [json.loads(message.body)["id"] for message in self.queue.messages]

    def parked(self, key: str) -> list[str]:
        """Return the parked events of a key, in their order."""
        return [event.event_id for _, event in sorted(self.parking.kept_events[key].items())]

    def held(self) -> list[str]:
        """Return the keys that are held."""
        return [key for key, lock in self.parking.kept_locks.items() if lock.state is State.HELD]

    def going(self) -> list[Lock]:
        """Return the locks of the keys that wait for their time, or for who has their lease."""
        return [lock for lock in self.parking.kept_locks.values() if lock.state is not State.HELD]

    def lock(self, key: str) -> Lock | None:
        """Return the lock of a key."""
        return self.parking.kept_locks.get(key)

    # What workers do

    def _start(self, name: str, flow: Callable[[Worker], None]) -> Worker:
        self._end_overdue()
        worker = Worker(name, flow, self.clock, self.clock.now() + TIMEOUT)
        self.workers.append(worker)
        return worker

    def _ingest(self, records: Sequence[Record], worker: Worker) -> None:
        staying = ingest(records, lane_of(self, worker))
        worker.stand("answer")
        for record in records:
            if record["messageId"] not in staying:
                with suppress(HandleInvalid):  # it answered too late: they come again
                    self.queue.delete(record["receiptHandle"])

    def _quietly(self, flow: Callable[[], None]) -> None:
        with suppress(StoreUnavailable, LeaseLost):  # its wake-up comes again, or the sweep finds its key
            flow()

    def new_generation(self) -> int:
        """Return a number that no lock began with."""
        return next(self._generations)

    def dies(self, letter: Outgoing) -> None:
        """Take a dead letter, which must be one for its own fault."""
        event_id = letter.message.event_id
        if not self.runner.scripts[event_id].may_be_dead():
            self.wrong.append(f"{event_id} is buried, for no fault of its own")
        self.dead_letters.take(letter)

    @contextmanager
    def _around(self, call: str) -> Iterator[None]:
        with self.current.around(call):
            before = {key: self.parked(key) for key in self.sent} if call == "return_to_place" else {}
            yield
            for key, parked in before.items():
                for event_id in set(self.parked(key)) - set(parked):
                    self.order.was_put_back(event_id, self.workers)

    # What must not be

    def begins(self, event_id: str) -> None:
        """Note where an event runs before an earlier one of its key is out of the way, or while its key is held."""
        self.wrong += wrong_about_beginning(self, event_id)

    def ends(self) -> None:
        """Note that what the current worker ran is over."""
        self.order.ends(self.current)

    def takes_effect(self, event_id: str) -> None:
        """Note where a later event of its key had its effect before it. What was put aside has lost its place.

        The effect is conditional on the event's token, as the sample's is.
        """
        if event_id in self.effects:
            return
        if event_id in self.order.returned:
            self.effects.append(event_id)
            return
        sent = self.sent[event_id[0]]
        later = [other for other in sent[sent.index(event_id) + 1 :] if other in self.effects]
        if later:
            self.wrong.append(f"the effect of {event_id} comes after that of {later}")
        self.effects.append(event_id)
