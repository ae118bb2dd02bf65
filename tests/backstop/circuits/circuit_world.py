"""Eight workers, one circuit, a clock, and a store that fails: everything that happens to it is watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from typing import Any, Final

from backstop.circuits.breaker import Breaker, Call, Circuits
from backstop.circuits.state import CircuitState, Standing, Thresholds, Transition
from backstop.errors import CircuitOpen, PermanentError, StoreUnavailable, TransientError
from tests.backstop.circuits.circuit_stands import NAME, OperatorsStore
from tests.fakes.clock import VirtualClock

WORKERS: Final = 8
THRESHOLDS: Final = Thresholds()
LEFT: Final = timedelta(seconds=20)
"""What is left of each invocation."""

ERRORS: Final[dict[str, BaseException | None]] = {
    "success": None,
    "transient": TransientError("down"),
    "permanent": PermanentError("declined"),
    "unknown": RuntimeError("who knows"),
    "refused elsewhere": CircuitOpen("carriers", retry_after=timedelta(0), open_for=timedelta(0)),
}


class Health(Enum):
    """How the store is."""

    UP = auto()
    DOWN = auto()
    LOSES_ANSWERS = auto()


Watch = Callable[[str, Standing, Standing, bool], None]
"""Is given each call to the store, the circuit before and after it, and whether its answer was lost."""


class ShakenStore:
    """A store that answers as it is healthy, and tells what each call did to the circuit."""

    def __init__(self, store: OperatorsStore, watch: Watch) -> None:
        self.steady = store
        self.health = Health.UP
        self.calls: list[str] = []
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.calls.append(name)
            if self.health is Health.DOWN:
                raise StoreUnavailable("down")
            before = self.now()
            answer = getattr(self.steady, name)(*arguments)
            is_lost = self.health is Health.LOSES_ANSWERS
            self._watch(name, before, self.now(), is_lost)
            if is_lost:
                raise StoreUnavailable("answer lost")
            return answer

        return call

    def now(self) -> Standing:
        """Return the circuit as it is."""
        return self.steady.read(NAME)


@dataclass(eq=False)
class Worker:
    """A process. `row` are the failures in a row that it must know of, as long as the circuit is of `generation`."""

    environment: str
    circuits: Circuits
    breaker: Breaker
    row: int = 0
    generation: int = 0


@dataclass(eq=False)
class Running:
    """A call that goes on."""

    worker: Worker
    call: Call


def a_circuits(store: Any, environment: str, clock: VirtualClock, told: list[Transition], **details: Any) -> Circuits:
    """Return the circuits of a process."""
    known: dict[str, Any] = {"function": "shop", "kinds": {}, "remaining": lambda: LEFT} | details
    return Circuits(store=store, environment=environment, now=clock.now, tell=told.append, **known)


@dataclass
class World:
    """Whatever happens, with what must have come of it."""

    steady: OperatorsStore
    clock: VirtualClock = field(default_factory=VirtualClock)
    told: list[Transition] = field(default_factory=list)
    changed: list[tuple[CircuitState, CircuitState, int]] = field(default_factory=list)
    """The transitions that somebody must tell."""
    untold: set[int] = field(default_factory=set)
    """The generations of those that nobody has to: their answers were lost."""
    running: list[Running] = field(default_factory=list)
    leases: list[Call] = field(default_factory=list)
    """The turns of probers that nobody has heard of again."""
    successes: int = 0
    failures: int = 0
    hired: int = 0

    def __post_init__(self) -> None:
        self.store = ShakenStore(self.steady, self._watch)
        self.workers = [self.hire() for _ in range(WORKERS)]
        self.changed_at = {is_closed: self.clock.now() - timedelta(days=1) for is_closed in (True, False)}
        """When it last ceased to be closed, and to be anything else."""

    def hire(self) -> Worker:
        """Return a worker that knows nothing yet."""
        self.hired += 1
        environment = f"environment {self.hired}"
        circuits = a_circuits(self.store, environment, self.clock, self.told)
        return Worker(environment, circuits, circuits.breaker(NAME, THRESHOLDS))

    def begin(self, worker: Worker) -> Running | None:
        """Let a worker begin a call; what is let through must be allowed to."""
        try:
            call = worker.breaker.enter()
        except CircuitOpen as refusal:
            self._check_refusal(refusal)
            return None
        if call.seen is None:
            assert worker.circuits.are_silent()
        elif call.is_probe:
            self._check_turn(call)
        else:
            assert self._was(is_closed=True)
        running = Running(worker, call)
        self.running.append(running)
        return running

    def end(self, running: Running, ending: str) -> None:
        """Let a call end."""
        self.running.remove(running)
        worker, call = running.worker, running.call
        is_heard = call.seen is not None and not worker.circuits.are_silent()
        if call.is_probe and is_heard and self.store.health is not Health.DOWN:
            self._expect_of_probe(call, ending)
        must_open = not call.is_probe and is_heard and self._has_failed_too_often(worker, call, ending)
        if call in self.leases:
            self.leases.remove(call)
        call.end(ERRORS[ending])
        if must_open:
            assert self.store.now().state is CircuitState.OPEN

    def die(self, worker: Worker) -> None:
        """Let a worker die with all its calls, and another one take its place."""
        self.running = [one for one in self.running if one.worker is not worker]
        self.workers[self.workers.index(worker)] = self.hire()

    def heal(self) -> None:
        """Let the store answer, and the downstream: given time, the circuit must close."""
        self.store.health = Health.UP
        self.clock.advance(timedelta(minutes=3))
        for _ in range(10):
            for worker in list(self.workers):
                running = self.begin(worker)
                if running is not None:
                    self.end(running, "success")
            self.clock.advance(timedelta(seconds=5))
        assert self.store.now().state is CircuitState.CLOSED

    def check(self) -> None:
        """Check that each transition was told once, and the successes since the last failure were counted."""
        told = [(one.before, one.after, one.generation) for one in self.told]
        assert told == self.changed
        standing = self.store.now()
        if standing.state is not CircuitState.CLOSED:
            assert standing.successes == self.successes

    def _watch(self, call: str, before: Standing, after: Standing, is_lost: bool) -> None:
        """Judge what a call did to the circuit."""
        assert after.generation >= before.generation
        if before.state is after.state:
            return
        assert after.generation == before.generation + 1
        if (before.state is CircuitState.CLOSED) != (after.state is CircuitState.CLOSED):
            self.changed_at[before.state is CircuitState.CLOSED] = self.clock.now()
        if call in ("force_open", "force_close"):
            self.successes = self.failures = 0
            return
        if not is_lost:
            self.changed.append((before.state, after.state, after.generation))
        self._judge(before, after)

    def _judge(self, before: Standing, after: Standing) -> None:
        if after.state is CircuitState.CLOSED:
            assert self.successes == THRESHOLDS.successes
            self.failures = 0
        elif after.state is CircuitState.HALF_OPEN:
            due = before.opens_again_at()
            assert due is not None
            assert due <= self.clock.now()
        elif before.state is CircuitState.CLOSED:
            assert self.failures >= THRESHOLDS.failures
            self.successes = 0

    def _was(self, *, is_closed: bool) -> bool:
        """Whether the circuit is so, or was so recently that a process may not know better."""
        is_so = (self.store.now().state is CircuitState.CLOSED) is is_closed
        return is_so or self.clock.now() - self.changed_at[is_closed] < timedelta(seconds=5)

    def _check_refusal(self, refusal: CircuitOpen) -> None:
        assert refusal.retry_after is not None
        assert refusal.retry_after >= timedelta(seconds=1)
        assert self._was(is_closed=False)

    def _check_turn(self, call: Call) -> None:
        """Check that nobody else has a turn that lasts."""
        standing = self.store.now()
        assert call.seen is not None
        assert standing.generation == call.seen.generation
        assert standing.lease_until is not None
        assert standing.lease_until > self.clock.now()
        for other in self.leases:
            assert other.seen is not None
            assert other.seen.lease_until is not None
            assert other.seen.lease_until <= self.clock.now()
        self.leases.append(call)

    def _expect_of_probe(self, call: Call, ending: str) -> None:
        """Count what the end of a probe must change; nothing if it is not its turn any more."""
        standing = self.store.now()
        assert call.seen is not None
        if (standing.generation, standing.prober) != (call.seen.generation, call.seen.prober):
            return
        if ending in ("success", "permanent"):
            self.successes += 1
        elif ending == "transient":
            self.successes = 0

    def _has_failed_too_often(self, worker: Worker, call: Call, ending: str) -> bool:
        """Count a call, and say whether the circuit must open by it."""
        standing = self.store.now()
        assert call.seen is not None
        if call.seen.generation != standing.generation:
            return False
        if worker.generation != standing.generation:
            worker.row, worker.generation = 0, standing.generation
        if ending in ("success", "permanent"):
            worker.row = 0
        elif ending == "transient":
            self.failures += 1
            worker.row += 1
        is_closed = standing.state is CircuitState.CLOSED
        return is_closed and worker.row >= THRESHOLDS.failures and self.store.health is not Health.DOWN
