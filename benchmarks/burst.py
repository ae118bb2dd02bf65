"""One burst of ordered events through the real flows on a virtual clock, with failures and dying workers or without."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, Final

from backstop.backoff import Backoff
from backstop.drain import drain, sweep
from backstop.effects import Circumstances
from backstop.errors import Crashed, NotYet, TransientError
from backstop.event import parser
from backstop.ingest import ingest
from backstop.message import Message, Record
from backstop.parking import Limits, OnDeadHead
from backstop.process import Flow
from backstop.sequence import Lane, wanted
from backstop.verdict import Policy
from benchmarks.burst_acts import BurstActs
from benchmarks.outcome import Outcome
from tests.backstop.ordered_worker import Worker
from tests.fakes.clock import VirtualClock
from tests.fakes.parking import FakeParking
from tests.fakes.queue import FakeQueue, QueueSettings
from tests.fakes.source import record_of

KEYS: Final = 50
EVENTS: Final = 200
CALM_KEYS: Final = KEYS // 3
"""The keys of which no event fails."""
TRANSIENT: Final = 0.05
KILL_SECONDS: Final = 2.0
"""On average: in step with the queue's own times, the same batch would be hit again and again."""

_MILLIS: Final = {"handle": 10, "start": 1, "answer": 8}
_CALL_MILLIS: Final = 5
"""What calls take: about what a handler with a write or two, and DynamoDB and SQS, take in one region."""
_COLD_START_MILLIS: Final = 1000
_WINDOW: Final = 10
_TAKERS: Final = 10
_DRAINERS: Final = 5
_TIMEOUT: Final = timedelta(seconds=3)  # the template's Timing=local
_POLICY: Final = Policy(Backoff(timedelta(seconds=1), timedelta(seconds=16)))


@dataclass
class _Slot:
    """A worker's place: it takes batches of a queue, one after the other."""

    queue: FakeQueue
    worker: Worker | None = None


@dataclass
class Burst:
    """All events sent at once, and the workers that run them."""

    fails: bool
    seed: int = 1
    clock: VirtualClock = field(default_factory=VirtualClock)
    applied: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    _records: dict[str, tuple[datetime, int, bool]] = field(default_factory=dict)
    _agenda: list[tuple[datetime, int, _Slot]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _current: Worker | None = None
    _filled: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.began = self.clock.now()
        self.random = Random(self.seed)
        hidden = 6 * _TIMEOUT
        self.queue = FakeQueue("b.fifo", self.clock, self.random, QueueSettings(hidden, is_fifo=True))
        self.drains = FakeQueue("drain", self.clock, self.random, QueueSettings(hidden))
        self.parking = FakeParking(1000, lambda call: self._worker.around(call))
        self.parse = parser({})
        self.killed = 0
        self.transient = {
            f"{key}-{number}"
            for key in range(CALM_KEYS, KEYS)
            for number in range(EVENTS)
            if self.fails and self.random.random() < TRANSIENT * KEYS / (KEYS - CALM_KEYS)
        }
        self.slots = [_Slot(self.queue) for _ in range(_TAKERS)] + [_Slot(self.drains) for _ in range(_DRAINERS)]

    def run(self) -> Outcome:
        self._fill()
        for slot in self.slots:
            self._at(self.clock.now(), slot)
        next_kill = next_sweep = self.clock.now()
        while self.queue.messages or any(lock.key not in self.held for lock in self.parking.kept_locks.values()):
            moment, _, slot = heappop(self._agenda)
            self.clock.advance_to(moment)
            if self.fails and moment >= next_kill:
                self._kill()
                next_kill = moment + timedelta(seconds=KILL_SECONDS * self.random.uniform(0.5, 1.5))
            if moment >= next_sweep + timedelta(seconds=60):
                next_sweep = moment
                self.drains.put('{"sweep": true}', {}, {})
            self._step(slot)
        return self._outcome()

    def _fill(self) -> None:
        """Let the queue hold the next few events of each key: all are sent, but it looks no further, and scans them."""
        queued = Counter(message.group for message in self.queue.messages)
        for _ in range(_WINDOW):
            for key in map(str, range(KEYS)):
                number = self._filled[key]
                if queued[key] < _WINDOW and number < EVENTS:
                    queued[key] += 1
                    self._filled[key] += 1
                    event_id = f"{key}-{number}"
                    system = {"MessageGroupId": key, "MessageDeduplicationId": event_id}
                    self.queue.put(json.dumps({"id": event_id}), {}, system)

    def _at(self, moment: datetime, slot: _Slot) -> None:
        heappush(self._agenda, (moment, next(self._order), slot))

    def _step(self, slot: _Slot) -> None:
        """Let a worker make its call, or take a batch where it has none."""
        now = self.clock.now()
        if slot.worker is None:
            messages = slot.queue.receive(10 if slot.queue is self.queue else 1)
            if not messages:
                self._at(now + timedelta(milliseconds=20), slot)
                return
            records = [record_of(message, slot.queue.arn) for message in messages]
            flow = self._ingest if slot.queue is self.queue else self._drain
            slot.worker = Worker("worker", lambda worker: flow(records, worker), self.clock, now + _TIMEOUT)
        else:
            self._go_on(slot.worker)
        if slot.worker.is_over:
            slot.worker = None
            self._at(now, slot)
        else:
            call = slot.worker.calls[-1] if slot.worker.calls else "start"
            self._at(now + timedelta(milliseconds=_MILLIS.get(call, _CALL_MILLIS)), slot)

    def _go_on(self, worker: Worker) -> None:
        self._current = worker
        worker.go_on()

    def _kill(self) -> None:
        busy = [slot for slot in self.slots if slot.worker is not None]
        if not busy:
            return
        slot = self.random.choice(busy)
        assert slot.worker is not None
        self._current = slot.worker
        slot.worker.kill()
        slot.worker = None
        self.killed += 1
        self._agenda = sorted(entry for entry in self._agenda if entry[2] is not slot)
        self._at(self.clock.now() + timedelta(milliseconds=_COLD_START_MILLIS), slot)

    @property
    def _worker(self) -> Worker:
        assert self._current is not None
        return self._current

    def _ingest(self, records: Sequence[Record], worker: Worker) -> None:
        staying = ingest(records, self._lane(worker))
        worker.stand("answer")
        for record in records:
            if record["messageId"] not in staying:
                self.queue.delete(record["receiptHandle"])
        self._fill()

    def _drain(self, records: Sequence[Record], worker: Worker) -> None:
        (record,) = records
        key = wanted(record["body"])
        sweep(self._lane(worker)) if key is None else drain(key, record, self._lane(worker))
        worker.stand("answer")
        self.drains.delete(record["receiptHandle"])

    def _lane(self, worker: Worker) -> Lane:
        flow = Flow(
            parse=self.parse,
            run=self._run,
            were_running=self._were_running,
            remaining_millis=lambda: int((worker.deadline - self.clock.now()) / timedelta(milliseconds=1)),
            now=self.clock.now,
            dice=self.random.random,
            policy=_POLICY,
            kinds={},
            queues=frozenset({"b.fifo"}),
        )
        circumstances = Circumstances("/var/task", "r1", _POLICY, self.clock.now)
        acts = BurstActs(worker, self.queue, self.drains, self.held)
        limits = Limits(1000, 10_000)
        return Lane(
            flow, self.parking, acts, circumstances, limits, OnDeadHead.HOLD, lambda: self.random.getrandbits(53)
        )

    def _run(self, _: Any, message: Message) -> None:
        """Run an event once, as the idempotency table has it: in progress until its worker's time is up, or done."""
        worker, event_id = self._worker, message.event_id
        worker.stand("begin")
        until, crashes, is_done = self._records.get(event_id, (self.began, 0, False))
        if is_done:
            return
        if until > self.clock.now():
            raise NotYet(until)
        if event_id in self._records:
            crashes += 1
        if crashes >= 2:
            raise Crashed
        self._records[event_id] = (worker.deadline, crashes, False)
        worker.stand("handle")
        if event_id in self.transient and message.attempt == 1:
            del self._records[event_id]
            raise TransientError("for a moment")
        self._apply(event_id)
        worker.stand("done")
        self._records[event_id] = (worker.deadline, crashes, True)

    def _apply(self, event_id: str) -> None:
        """Have the effect, once: it is conditional, as the sample's is."""
        key, _, number = event_id.partition("-")
        history = self.applied.setdefault(key, [])
        if int(number) not in [one for one, _ in history]:
            history.append((int(number), (self.clock.now() - self.began).total_seconds()))

    def _were_running(self, event_ids: Sequence[str]) -> frozenset[str]:
        self._worker.stand("were running")
        now = self.clock.now()
        found = {one: self._records[one] for one in event_ids if one in self._records}
        return frozenset(one for one, (until, _, is_done) in found.items() if not is_done and until <= now)

    def _outcome(self) -> Outcome:
        numbers = {key: [number for number, _ in history] for key, history in self.applied.items()}
        calm = sorted(delay for key, found in self.applied.items() if int(key) < CALM_KEYS for _, delay in found)
        parked = {event.event_id for events in self.parking.kept_events.values() for event in events.values()}
        applied = {f"{key}-{number}" for key, found in numbers.items() for number in found}
        return Outcome(
            p99=calm[int(0.99 * len(calm))],
            violations=sum(found != list(range(len(found))) for found in numbers.values()),
            lost=KEYS * EVENTS - len(applied | parked),
            twice=sum(len(found) - len(set(found)) for found in numbers.values()),
            killed=self.killed,
            held=len(self.held),
        )
