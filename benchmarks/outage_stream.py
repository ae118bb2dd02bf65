"""A stream of orders whose downstream fails for a while, through workers of one kind or another, on a virtual clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, Final

from backstop.circuits.breaker import Circuits
from backstop.circuits.state import CircuitState, Thresholds, Transition
from backstop.effects import Circumstances, process
from backstop.errors import CircuitOpen, TransientError
from backstop.event import parser
from backstop.message import Message, Outgoing, Record
from backstop.process import Flow
from backstop.verdict import Policy
from benchmarks.outage_acts import OutageActs
from benchmarks.outage_downstream import MILLIS, Downstream, Fails, dead
from benchmarks.outage_mapping import FUNCTION, NORMAL, Mapping
from benchmarks.outage_queue import PatientQueue
from tests.backstop.ordered_worker import Worker
from tests.fakes.circuits import FakeCircuits
from tests.fakes.clock import VirtualClock
from tests.fakes.source import record_of

EVENTS: Final = 5000
A_TENTH: Final = timedelta(seconds=10)
"""How long after the first order the outage begins, unless it is there from the beginning."""

_APART: Final = 10 * A_TENTH / EVENTS
"""An order each: most of those that an outage meets come while it lasts."""
_TIMEOUT: Final = timedelta(seconds=30)
_HIDDEN: Final = 6 * _TIMEOUT  # as the template has it
_RETRIERS: Final = 2
_IDLE: Final = timedelta(milliseconds=200)
"""At most: which idle one takes the next batch is left to chance, so that each meets failures of its own."""
_WOKEN: Final = timedelta(seconds=5)
"""What it takes until recovery hears that a circuit opened: log, watcher, topic."""
_MINUTE: Final = timedelta(minutes=1)
_MILLIS: Final = {"start": 1, "store": 5, **MILLIS}
_POLICY: Final = Policy()


class Way(Enum):
    """How the orders are consumed."""

    NAIVE = auto()
    """What fails stays in the queue for its visibility timeout (partial batch)."""
    RETRIES = auto()
    """Backstop's retries, and no circuit."""
    CIRCUIT = auto()
    """With a circuit."""
    PAUSING = auto()
    """With a circuit, and the intake paused while it is open."""


@dataclass
class _Slot:
    """An execution environment: it takes batches of a queue, one after the other."""

    number: int
    queue: PatientQueue
    circuits: Circuits
    worker: Worker | None = None

    @property
    def running(self) -> Worker:
        """The invocation that runs in it."""
        assert self.worker is not None
        return self.worker


@dataclass
class Stream:
    """Orders that come one after the other, and the workers that take them. `begins` is when the outage does."""

    way: Way
    fails: Fails = dead
    begins: timedelta = A_TENTH
    dead: int = 0
    refused: int = 0
    """Messages that met an open circuit."""
    opened_after: int | None = None
    """Calls of the outage before the circuit opened first."""
    _agenda: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _sent: int = 0
    _current: Worker | None = None

    def __post_init__(self) -> None:
        self.clock, self.random = VirtualClock(), Random(1)
        self.began = self.clock.now()
        self.downstream = Downstream(self.clock, self.fails, self.began + self.begins)
        self.events, self.retries = (
            PatientQueue(name, self.clock, self.random, _HIDDEN) for name in ("events", "retry")
        )
        self.store = FakeCircuits(self._around)
        self.intake = Mapping()
        self.parse = parser({})
        queues = [self.events] * NORMAL + [self.retries] * _RETRIERS
        self.slots = [_Slot(number, queue, self._circuits(number)) for number, queue in enumerate(queues)]

    @property
    def has_ended(self) -> bool:
        """Whether each order is done or dead; what is not after an hour is lost."""
        is_late = self.clock.now() >= self.began + timedelta(hours=1)
        return is_late or len(self.downstream.charged) + self.dead >= EVENTS

    def run(self, until: Callable[[Stream], bool] = lambda stream: stream.has_ended) -> Stream:
        """Let time pass."""
        for slot in self.slots:
            self._at(self.began, lambda slot=slot: self._step(slot))  # type: ignore[misc]
        self._at(self.began + _MINUTE, self._each_minute)
        while not until(self):
            moment, _, act = heappop(self._agenda)
            self.clock.advance_to(moment)
            self._arrive()
            act()
        return self

    def _at(self, moment: datetime, act: Callable[[], None]) -> None:
        heappush(self._agenda, (moment, next(self._order), act))

    def _arrive(self) -> None:
        due = min((self.clock.now() - self.began) // _APART, EVENTS)
        while self._sent < due:
            self._sent += 1
            self.events.put(json.dumps({"id": f"order-{self._sent}"}), {}, timedelta(0))

    def _each_minute(self) -> None:
        self._reconcile()
        self._at(self.clock.now() + _MINUTE, self._each_minute)

    def _reconcile(self) -> None:
        if self.way is Way.PAUSING:
            self.intake.reconcile(list(self.store.kept.values()), self.clock.now())

    def _step(self, slot: _Slot) -> None:
        """Let a worker make its call, or take a batch where it has none."""
        now = self.clock.now()
        if slot.worker is None and not self._take(slot):
            self._at(now + self.random.random() * _IDLE, lambda: self._step(slot))
            return
        worker = self._current = slot.running
        worker.go_on()
        call = worker.calls[-1] if worker.calls else "start"
        if worker.is_over:
            slot.worker, call = None, "start"
        self._at(now + timedelta(milliseconds=_MILLIS[call]), lambda: self._step(slot))

    def _take(self, slot: _Slot) -> bool:
        now = self.clock.now()
        if slot.queue is self.events and slot.number >= self.intake.takers(now):
            return False
        records = [record_of(message, slot.queue.arn) for message in slot.queue.receive()]
        if records:
            flow = self._naive if self.way is Way.NAIVE else self._backstop
            slot.worker = Worker(str(slot.number), lambda _: flow(slot, records), self.clock, now + _TIMEOUT)
        return bool(records)

    def _naive(self, slot: _Slot, records: Sequence[Record]) -> None:
        for record in records:
            try:
                self.downstream.charge(slot.running, json.loads(record["body"])["id"])
            except TransientError:
                continue
            slot.queue.delete(record["receiptHandle"])

    def _backstop(self, slot: _Slot, records: Sequence[Record]) -> None:
        circumstances = Circumstances("/var/task", "r1", _POLICY, self.clock.now)
        staying = process(records, self._flow(slot), OutageActs(self._resend, self._bury), circumstances)
        for record in records:
            if record["messageId"] not in staying:
                slot.queue.delete(record["receiptHandle"])

    def _flow(self, slot: _Slot) -> Flow:
        charge = self._charge if self.way is Way.RETRIES else self._charge_through_circuit

        def run(_: Any, message: Message) -> None:
            charge(slot, message.event_id)

        return Flow(
            parse=self.parse,
            run=run,
            were_running=lambda _: frozenset(),
            remaining_millis=lambda: int(self._remaining(slot) / timedelta(milliseconds=1)),
            now=self.clock.now,
            dice=self.random.random,
            policy=_POLICY,
            kinds={},
            queues=frozenset({"events", "retry"}),
        )

    def _resend(self, outgoing: Outgoing) -> None:
        entry = outgoing.entry("0")
        delay = timedelta(seconds=entry["DelaySeconds"])
        self.retries.put(entry["MessageBody"], entry["MessageAttributes"], delay)

    def _bury(self, _: Outgoing) -> None:
        self.dead += 1

    def _charge(self, slot: _Slot, event_id: str) -> None:
        self.downstream.charge(slot.running, event_id)

    def _charge_through_circuit(self, slot: _Slot, event_id: str) -> None:
        try:
            call = slot.circuits.breaker("payments", Thresholds()).enter()
        except CircuitOpen:
            self.refused += 1
            raise
        try:
            self._charge(slot, event_id)
        except TransientError as error:
            call.end(error)
            raise
        call.end(None)

    def _circuits(self, number: int) -> Circuits:
        return Circuits(
            store=self.store,
            environment=f"environment-{number}",
            function=FUNCTION,
            kinds={},
            now=self.clock.now,
            remaining=lambda: self._remaining(self.slots[number]),
            tell=self._told,
        )

    def _told(self, transition: Transition) -> None:
        if transition.after is not CircuitState.OPEN:
            return
        if self.opened_after is None:
            self.opened_after = self.downstream.calls_in_outage
        self._at(self.clock.now() + _WOKEN, self._reconcile)

    def _remaining(self, slot: _Slot) -> timedelta:
        return slot.running.deadline - self.clock.now()

    def _around(self, _: str) -> AbstractContextManager[None]:
        assert self._current is not None
        return self._current.around("store")
