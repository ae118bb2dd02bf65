"""Whatever calls, workers, the store, operators and time do: one probe at a time, nothing else, and never for ever."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.backstop.circuits.circuit_stands import NAME, OperatorsStore, circuit_table
from tests.backstop.circuits.circuit_world import ERRORS, WORKERS, Health, World
from tests.fakes.circuits import FakeCircuits
from tests.fakes.faults import Faults
from tests.fakes.parking import failing_by

workers = st.integers(0, WORKERS - 1)
places = st.integers(0, 50)
endings = st.sampled_from(["transient", "transient", "success", *ERRORS])
seconds = st.sampled_from([0.2, 1, 2, 4.9, 5, 10, 12, 22, 30, 60])


class Workers(RuleBasedStateMachine):
    """Eight workers and a circuit, against what must hold of it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.steady())

    def steady(self) -> OperatorsStore:
        """Return a store that does not fail by itself."""
        return FakeCircuits(failing_by(Faults()))

    @rule(worker=workers)
    def begin(self, worker: int) -> None:
        self.world.begin(self.world.workers[worker])

    @precondition(lambda self: self.world.running)
    @rule(place=places, ending=endings)
    def end(self, place: int, ending: str) -> None:
        running = self.world.running
        self.world.end(running[place % len(running)], ending)

    @rule(worker=workers, endings=st.lists(endings, min_size=1, max_size=12), apart=st.sampled_from([0, 0, 0.5, 1, 5]))
    def call(self, worker: int, endings: list[str], apart: float) -> None:
        """Let calls of a worker follow each other."""
        for ending in endings:
            running = self.world.begin(self.world.workers[worker])
            self.world.clock.advance(timedelta(seconds=apart))
            if running is not None:
                self.world.end(running, ending)

    @rule(worker=workers)
    def goes_down(self, worker: int) -> None:
        """Let the downstream fail for so long that the circuit opens."""
        self.call(worker, ["transient"] * 5, 0)

    @rule()
    def all_call_at_once(self) -> None:
        for worker in self.world.workers:
            self.world.begin(worker)

    @rule()
    def the_open_time_passes(self) -> None:
        self.world.clock.advance(timedelta(seconds=31))

    @rule(worker=workers)
    def die(self, worker: int) -> None:
        self.world.die(self.world.workers[worker])

    @precondition(lambda self: any(one.call.is_probe for one in self.world.running))
    @rule()
    def the_prober_dies(self) -> None:
        self.world.die(next(one.worker for one in self.world.running if one.call.is_probe))

    @precondition(lambda self: any(one.call.is_probe for one in self.world.running))
    @rule(ending=endings)
    def the_prober_ends(self, ending: str) -> None:
        self.world.end(next(one for one in self.world.running if one.call.is_probe), ending)

    @rule(health=st.sampled_from([Health.UP, Health.UP, Health.DOWN, Health.LOSES_ANSWERS]))
    def the_store_is(self, health: Health) -> None:
        self.world.store.health = health

    @rule(by=seconds)
    def time_passes(self, by: float) -> None:
        self.world.clock.advance(timedelta(seconds=by))

    @precondition(lambda self: self.world.store.health is Health.UP)
    @rule(by=st.sampled_from([10, 60, 120]))
    def an_operator_opens(self, by: float) -> None:
        now = self.world.clock.now()
        self.world.store.force_open(NAME, now + timedelta(seconds=by), "held open", now)

    @precondition(lambda self: self.world.store.health is Health.UP)
    @rule()
    def an_operator_closes(self) -> None:
        self.world.store.force_close(NAME, self.world.clock.now())

    @invariant()
    def what_must_hold_does(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        self.world.heal()
        self.world.check()


class WorkersWithTable(Workers):
    """The same, with the table as DynamoDB keeps it."""

    def steady(self) -> OperatorsStore:
        self.stack = ExitStack()
        return self.stack.enter_context(circuit_table())

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.stack.close()


Workers.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None, derandomize=True)
WorkersWithTable.TestCase.settings = settings(
    max_examples=5,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestWorkers = Workers.TestCase
TestWorkersWithTable = WorkersWithTable.TestCase
