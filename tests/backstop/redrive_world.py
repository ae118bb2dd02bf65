"""Dead letters, a mover and the workers behind it, on one clock: queues and jobs are in memory, all else is real."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, cast

from backstop.aws.letters import LetterQueue
from backstop.aws.redrive_sends import send_back
from backstop.letter import Letter
from backstop.moving import Addressed, Answer, Jobs, Moving, Place
from backstop.redrive import LEASE, REST, Batch, Job, Progress, State
from backstop.selection import Selection
from backstop.trail import ATTRIBUTE, Trail
from backstop.turn import Redrive, take_turn
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.queue import QueuedMessage
from tests.fakes.source import WorkerDied
from tests.support import make_queues

TURN: Final = timedelta(seconds=300)
WATCH: Final = timedelta(seconds=60)
A: Final = "a" * 16
B: Final = "b" * 16
DEAD: Final = "shop-dead"
EVENTS: Final = "shop-events"
QUEUES: Final = frozenset({EVENTS})


class Killer:
    """Counts calls, and kills whoever makes one of them: before it has an effect, or after."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.at: tuple[int, str] | None = None

    def around(self, one: Any) -> Any:
        """Return the same thing, each call of which is a place to die at."""
        return _Killable(one, self)

    def call(self, name: str, call: Callable[[], Any]) -> Any:
        self.calls.append(name)
        number = len(self.calls) - 1
        self._die(number, "before")
        found = call()
        self._die(number, "after")
        return found

    def _die(self, number: int, moment: str) -> None:
        if self.at == (number, moment):
            self.at = None
            raise WorkerDied(f"killed {moment} {self.calls[number]}")


class _Killable:
    def __init__(self, one: Any, killer: Killer) -> None:
        self._one = one
        self._killer = killer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._one, name)
        if not callable(found):
            return found
        return lambda *words, **named: self._killer.call(name, lambda: found(*words, **named))


class MemoryJobs:
    """Jobs and batches in memory."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.written: dict[tuple[str, int], Batch] = {}
        self.leases: dict[str, tuple[str, datetime]] = {}

    def look(self, job_id: str) -> Job | None:
        return self.jobs.get(job_id)

    def batches(self, job_id: str) -> list[Batch]:
        return [batch for (of, _), batch in sorted(self.written.items()) if of == job_id]

    def change(self, job: Job, mover: str) -> bool:
        if self.jobs[job.id].state is not State.RUNNING or self.leases.get(job.id, ("",))[0] != mover:
            return False
        self.jobs[job.id] = job
        return True

    def lease(self, job_id: str, mover: str, now: datetime) -> bool:
        holder, until = self.leases.get(job_id, (mover, now))
        if self.jobs[job_id].state is not State.RUNNING or (holder != mover and now < until):
            return False
        self.leases[job_id] = (mover, now + LEASE)
        return True

    def release(self, job_id: str, mover: str) -> None:
        if self.leases.get(job_id, ("", None))[0] == mover:
            del self.leases[job_id]

    def begin(self, job_id: str, batch: Batch) -> bool:
        if (job_id, batch.number) in self.written:
            return self.written[job_id, batch.number] == batch
        self.written[job_id, batch.number] = batch
        return True

    def write(self, job_id: str, batch: Batch) -> None:
        self.written[job_id, batch.number] = batch

    def forget(self, job_id: str, batch: Batch) -> None:
        self.written.pop((job_id, batch.number), None)


@dataclass
class RedriveWorld:
    """A stack with dead letters."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    faults: Faults = field(default_factory=Faults)
    killer: Killer = field(default_factory=Killer)
    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    fails: Callable[[str], bool] = lambda _: False
    """Which events fail again."""
    heard: dict[tuple[str, str], bool] = field(default_factory=dict)
    """What the log has told of events since they were redriven: whether they failed."""
    open_circuit: str = ""
    """A circuit that is open: workers hand nothing on, and nothing is heard."""
    arrived: Counter[str] = field(default_factory=Counter)
    """The events that came to a worker, and how often."""
    told: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    paused: float = 0.0
    turns: int = 0
    movers: int = 0

    def __post_init__(self) -> None:
        self.sqs = make_queues(self.clock, self.faults, seed=0, is_shuffled=True)

    def bury(self, event_id: str, group: str = A, **known: Any) -> None:
        """Let a worker have sent an event to the dead letters."""
        trail = replace(
            Trail(
                attempt=6,
                event_id=event_id,
                first_failed_at=self.clock.now() - timedelta(minutes=30),
                last_failed_at=self.clock.now(),
                source_queue=EVENTS,
                verdict="dead",
                dead_because="exhausted",
                kind="transient",
                error_type="Unreachable",
                group=group,
                reason="no answer",
                release="1.0",
            ),
            **known,
        )
        attributes = {
            ATTRIBUTE: {"DataType": "String", "StringValue": trail.serialise()},
            "tenant": {"DataType": "String", "StringValue": f"of {event_id}"},
        }
        body = json.dumps({"id": event_id, "note": "ü"})
        self.sqs.queue(DEAD).put(body, attributes, {})

    def move_by_sqs(self, body: str) -> None:
        """Let SQS itself have moved a message to the dead letters: it carries no history."""
        self.sqs.queue(DEAD).put(body, {}, {})

    def begin(self, job_id: str = "r1", *, is_canary: bool = True, rate: float = 100_000, **chosen: Any) -> Job:
        """Begin a job, of what is dead by now."""
        selection = Selection(**{"frozen_at": self.clock.now()} | chosen)
        step = 0 if is_canary else REST
        job = Job(job_id, selection, (DEAD,), rate, is_canary, self.clock.now(), step=step)
        self.jobs.jobs[job_id] = job
        return job

    def turn(self, job_id: str = "r1") -> Job:
        """Let one turn be taken, and time pass until the next one is due."""
        self.turns += 1
        began = self.clock.now()
        turn = take_turn(self.jobs.jobs[job_id], self.redrive(lambda: TURN - (self.clock.now() - began)))
        self.clock.advance(turn.wait)
        return turn.job

    def run(self, job_id: str = "r1", most: int = 500) -> Job:
        """Take turns until the job is over, the workers running meanwhile."""
        for _ in range(most):
            job = self.turn(job_id)
            self.work()
            if job.is_over:
                return job
        raise AssertionError("the job comes to no end")

    def run_killed(self, call: int, moment: str, job_id: str = "r1") -> Job:
        """Do so, with a mover that dies at a call; what it had taken is seen again when its time is over."""
        self.killer.calls.clear()
        self.killer.at = (call, moment)
        try:
            return self.run(job_id)
        except WorkerDied:
            self.work()
            self.clock.advance(timedelta(seconds=2))
            return self.run(job_id)

    def work(self) -> None:
        """Let workers take what has arrived: it is done, or a dead letter again; the log tells of it."""
        if self.open_circuit:
            return
        queue = self.sqs.queue(EVENTS)
        while messages := queue.receive(10):
            for message in messages:
                self._work(message)
                queue.delete(message.receipt_handle)

    def _work(self, message: QueuedMessage) -> None:
        trail = Trail.written(message.attributes[ATTRIBUTE]["StringValue"], QUEUES, self.clock.now())
        self.arrived[trail.event_id] += 1
        is_failing = self.fails(trail.event_id)
        self.heard[trail.event_id, trail.redrive_id] = is_failing
        if is_failing:
            again = replace(trail, verdict="dead", last_failed_at=self.clock.now())
            attributes = {**message.attributes, ATTRIBUTE: {"DataType": "String", "StringValue": again.serialise()}}
            self.sqs.queue(DEAD).put(message.body, attributes, {})

    def redrive(self, remaining: Callable[[], timedelta]) -> Redrive:
        """Return what a turn needs."""
        client: Any = self.sqs
        place = LetterQueue(client, self.sqs.queue(DEAD).url, QUEUES, self.clock.now)
        self.movers += 1
        moving = Moving(
            mover=f"mover {self.movers}",
            jobs=cast(Jobs, self.killer.around(self.jobs)),
            places={DEAD: cast(Place, self.killer.around(place))},
            destination=lambda letter: letter.source_queue or EVENTS,
            send=self._send,
            put_back=lambda letters, _: Answer({}, (), {letter.message_id: "no order here" for letter in letters}),
            tell=lambda letter, _: self.told.append(letter.name),
            leave=lambda letter, _, why: self.left.append((letter.name, why)),
            remaining=remaining,
            now=self.clock.now,
            pause=self._pause,
        )
        return Redrive(moving, self._heard_of, WATCH, lambda: self.open_circuit)

    def _send(self, queue: str, addressed: Sequence[Addressed]) -> Answer:
        client: Any = self.sqs
        sent: Answer = self.killer.call("send", lambda: send_back(client, self.sqs.queue(queue).url, addressed))
        return sent

    def _heard_of(self, event_ids: Sequence[str], redrive_id: str) -> Mapping[str, bool]:
        heard = {event_id: self.heard.get((event_id, redrive_id)) for event_id in event_ids}
        return {event_id: failed for event_id, failed in heard.items() if failed is not None}

    def _pause(self, seconds: float) -> None:
        self.paused += seconds
        self.clock.advance(timedelta(seconds=seconds))

    def letters(self) -> list[QueuedMessage]:
        """Return the dead letters."""
        return list(self.sqs.queue(DEAD).messages)

    def dead(self) -> set[str]:
        """Return the events that are dead letters."""
        return {json.loads(message.body)["id"] for message in self.letters()}

    def progress(self, job_id: str = "r1") -> Progress:
        """Return how far a job is."""
        return Progress(self.jobs.batches(job_id))

    @contextmanager
    def untouched(self, *event_ids: str) -> Iterator[None]:
        """See that dead letters are as they were, and that nobody hides them."""
        before = self._kept(event_ids)
        yield
        assert self._kept(event_ids) == before
        assert all(message.visible_at <= self.clock.now() for message in self.letters())

    def _kept(self, event_ids: Sequence[str]) -> list[tuple[str, str, str, str]]:
        return sorted(
            (message.message_id, message.body, json.dumps(message.attributes, sort_keys=True), str(message.enqueued_at))
            for message in self.letters()
            if json.loads(message.body)["id"] in event_ids
        )


def letter_in(world: RedriveWorld) -> Letter:
    """Return one of the dead letters, as a place hands it out."""
    client: Any = world.sqs
    [found] = LetterQueue(client, world.sqs.queue(DEAD).url, QUEUES, world.clock.now).take(0, 1)
    return found
