"""A circuit in several processes: when it opens and closes, who hears of it, and what it costs while nothing fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from backstop.circuits.breaker import Call, Circuits
from backstop.circuits.state import CircuitState, Standing, Thresholds, Transition
from backstop.errors import CircuitOpen, PermanentError, StoreUnavailable, SystemFault, TransientError
from tests.backstop.circuits.circuit_stands import NAME
from tests.backstop.circuits.circuit_world import Health, ShakenStore, a_circuits
from tests.fakes.circuits import FakeCircuits
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.parking import failing_by

DOWN = TransientError("down")
OPEN_FOR = timedelta(seconds=30)
A_SECOND = timedelta(seconds=1)


@dataclass
class Town:
    """Processes that share a store."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    told: list[Transition] = field(default_factory=list)
    thresholds: Thresholds = field(default_factory=Thresholds)

    def __post_init__(self) -> None:
        self.store = ShakenStore(FakeCircuits(failing_by(Faults())), lambda *_: None)
        self.one = self.process("one")
        self.two = self.process("two")

    def process(self, environment: str, function: str = "shop", left: timedelta | None = None) -> Circuits:
        return a_circuits(self.store, environment, self.clock, self.told, function=function, remaining=lambda: left)

    def enter(self, process: Circuits, *, has_fallback: bool = False) -> Call:
        return process.breaker(NAME, self.thresholds).enter(has_fallback=has_fallback)

    def call(self, process: Circuits, *errors: BaseException | None, has_fallback: bool = False) -> None:
        for error in errors:
            self.enter(process, has_fallback=has_fallback).end(error)

    def open(self, *, has_fallback: bool = False) -> None:
        self.call(self.one, *[DOWN] * 5, has_fallback=has_fallback)
        self.store.calls.clear()

    @property
    def standing(self) -> Standing:
        return self.store.now()


@pytest.fixture
def town() -> Town:
    return Town()


class TestFailuresInARow:
    def test_open_the_circuit_at_the_fifth(self, town: Town) -> None:
        town.call(town.one, *[DOWN] * 4)
        assert town.standing.state is CircuitState.CLOSED
        town.call(town.one, DOWN)
        at = town.clock.now()
        closed, opened = CircuitState.CLOSED, CircuitState.OPEN
        assert town.told == [Transition(NAME, closed, opened, 1, at, "5 failures in a row")]
        assert town.standing.openings[0][:] == (at, "one", "shop")

    @pytest.mark.parametrize("between", [None, PermanentError("declined"), ValueError("declined")])
    def test_are_none_with_an_answer_in_between(self, between: Exception | None) -> None:
        town = Town(thresholds=Thresholds(rate=1.0))
        town.call(town.one, *[DOWN] * 4, between, *[DOWN] * 4)
        assert town.standing.state is CircuitState.CLOSED

    @pytest.mark.parametrize("between", [SystemFault("no permission"), RuntimeError("who knows"), KeyboardInterrupt()])
    def test_go_on_after_what_says_nothing(self, town: Town, between: BaseException) -> None:
        town.call(town.one, *[DOWN] * 4, between, DOWN)
        assert town.standing.state is CircuitState.OPEN

    @pytest.mark.parametrize(
        "error",
        [
            PermanentError("declined"),
            SystemFault("no permission"),
            RuntimeError("who knows"),
            CircuitOpen("carriers", retry_after=A_SECOND, open_for=OPEN_FOR),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_are_never_other_than_transient(self, town: Town, error: Exception) -> None:
        town.call(town.one, *[error] * 30)
        assert town.standing == Standing(NAME)

    def test_of_several_processes_do_not_add_up(self) -> None:
        town = Town(thresholds=Thresholds(calls=50))
        for _ in range(2):
            town.call(town.one, DOWN, DOWN)
            town.call(town.two, DOWN, DOWN)
        assert town.standing.state is CircuitState.CLOSED

    def test_from_before_it_opened_do_not_count(self, town: Town) -> None:
        """Four calls began while it was closed, and end with a failure when it is closed again."""
        old = [town.enter(town.two) for _ in range(5)]
        town.open()
        town.store.steady.force_close(NAME, town.clock.now())
        town.clock.advance(timedelta(seconds=6))
        town.call(town.two, None)
        for call in old:
            call.end(DOWN)
        assert town.standing.state is CircuitState.CLOSED
        assert town.standing.window == {}


class TestTheRate:
    def test_opens_at_60_percent_of_all_processes_although_no_five_failures_follow_each_other(self, town: Town) -> None:
        processes = [town.process(f"environment {number}") for number in range(8)]
        calls = 0
        while town.standing.state is CircuitState.CLOSED and calls < 200:
            fails = calls // 8 % 5 < 3  # each process: three failures, two successes
            town.call(processes[calls % 8], DOWN if fails else None)
            town.clock.advance(timedelta(seconds=0.2))
            calls += 1
        assert calls < 40
        assert town.told[0].why.endswith("calls within 60 s failed")

    def test_opens_for_one_process_at_the_tenth_call(self, town: Town) -> None:
        town.call(town.one, *[DOWN, None] * 4, None)
        assert town.standing.state is CircuitState.CLOSED
        town.call(town.one, DOWN)
        assert town.told[0].why == "5 of 10 calls within 60 s failed"

    def test_stays_closed_below_its_rate(self, town: Town) -> None:
        for _ in range(20):
            town.call(town.one, DOWN, None, None)
            town.clock.advance(A_SECOND)
        assert town.standing.state is CircuitState.CLOSED

    def test_knows_the_successes_before_the_first_failure(self, town: Town) -> None:
        town.call(town.one, *[None] * 100, DOWN, None, DOWN, None, *[DOWN] * 4)
        town.clock.advance(A_SECOND)
        town.call(town.one, None)
        assert town.standing.state is CircuitState.CLOSED
        counted = [sum(column) for column in zip(*town.standing.window.values(), strict=True)]
        assert counted == [109, 6]

    def test_forgets_what_left_the_window(self, town: Town) -> None:
        for _ in range(30):
            town.call(town.one, DOWN, None)
            town.clock.advance(timedelta(seconds=15))
        assert town.standing.state is CircuitState.CLOSED
        assert len(town.standing.window) <= 6


class TestTheHealthyPath:
    def test_writes_nothing_and_reads_once_in_five_seconds(self, town: Town) -> None:
        for _ in range(100):
            town.call(town.one, None, PermanentError("declined"))
            town.clock.advance(timedelta(seconds=0.1))
        assert town.store.calls == ["read", "read"]

    def test_writes_once_a_second_while_some_calls_fail(self, town: Town) -> None:
        for number in range(100):
            town.call(town.one, DOWN if number % 10 == 0 else None)
            town.clock.advance(timedelta(seconds=0.1))
        assert town.store.calls.count("add") <= 11


class TestAnOpenCircuit:
    def test_refuses_with_what_is_left_of_its_time(self, town: Town) -> None:
        town.open()
        town.clock.advance(timedelta(seconds=12))
        with pytest.raises(CircuitOpen, match="the circuit payments is open") as refused:
            town.enter(town.two)
        assert refused.value.retry_after == timedelta(seconds=18)
        assert (refused.value.open_for, refused.value.fingerprint) == (OPEN_FOR, "circuit payments")

    def test_makes_the_function_that_opened_it_a_dependent_before_anything_is_refused(self, town: Town) -> None:
        town.open()
        assert town.standing.dependents == {"shop"}

    def test_makes_each_function_that_is_refused_a_dependent_once(self, town: Town) -> None:
        town.open(has_fallback=True)
        billing = town.process("three", "billing")
        for process in (town.one, town.two, billing) * 3:
            with pytest.raises(CircuitOpen):
                town.enter(process)
        assert town.standing.dependents == {"shop", "billing"}
        assert town.store.calls.count("depend") == 2

    def test_has_no_dependents_with_a_fallback(self, town: Town) -> None:
        town.open(has_fallback=True)
        for process in (town.one, town.two):
            with pytest.raises(CircuitOpen):
                town.enter(process, has_fallback=True)
        assert town.standing.dependents == frozenset()

    def test_lets_one_probe_through_after_its_time(self, town: Town) -> None:
        town.open()
        town.clock.advance(OPEN_FOR)
        probe = town.enter(town.one)
        assert probe.is_probe
        for process in (town.one, town.two):
            with pytest.raises(CircuitOpen) as refused:
                town.enter(process)
            assert refused.value.retry_after == A_SECOND

    def test_closes_after_three_probes_by_whomever(self, town: Town) -> None:
        town.open()
        town.clock.advance(OPEN_FOR)
        town.call(town.one, None)
        town.call(town.two, PermanentError("declined"), None)
        assert town.standing.state is CircuitState.CLOSED
        assert [(one.before, one.after, one.generation, one.why) for one in town.told[1:]] == [
            (CircuitState.OPEN, CircuitState.HALF_OPEN, 2, "its open time is over"),
            (CircuitState.HALF_OPEN, CircuitState.CLOSED, 5, "3 probes succeeded"),
        ]

    @pytest.mark.parametrize("error", [RuntimeError("who knows"), SystemFault("no permission"), SystemExit()])
    def test_is_probed_at_once_again_after_a_probe_that_showed_nothing(self, town: Town, error: BaseException) -> None:
        town.open()
        town.clock.advance(OPEN_FOR)
        town.call(town.one, error)
        assert town.enter(town.two).is_probe

    @pytest.mark.parametrize(
        ("left", "lease"), [(None, 10), (3, 10), (8, 10), (20, 22), (890, 892)], ids=lambda value: f"{value} s"
    )
    def test_gives_a_prober_what_is_left_of_its_invocation(self, town: Town, left: int | None, lease: int) -> None:
        town.open()
        town.clock.advance(OPEN_FOR)
        process = town.process("three", left=None if left is None else timedelta(seconds=left))
        town.enter(process)
        assert town.standing.lease_until == town.clock.now() + timedelta(seconds=lease)


class TestAnOperator:
    def test_holds_a_circuit_open_for_processes_that_know_of_it_within_five_seconds(self, town: Town) -> None:
        town.call(town.one, None)
        until = town.clock.now() + timedelta(minutes=10)
        town.store.steady.force_open(NAME, until, "held open by ada", town.clock.now())
        town.clock.advance(timedelta(seconds=5))
        with pytest.raises(CircuitOpen) as refused:
            town.enter(town.one)
        assert refused.value.retry_after == timedelta(minutes=9, seconds=55)
        assert town.told == []

    def test_closes_a_circuit(self, town: Town) -> None:
        town.open()
        town.store.steady.force_close(NAME, town.clock.now())
        town.clock.advance(timedelta(seconds=5))
        town.call(town.one, *[DOWN] * 4)
        assert town.standing.state is CircuitState.CLOSED


class TestAStoreThatDoesNotAnswer:
    def test_lets_calls_through_and_is_not_asked_again_for_five_seconds(self, town: Town) -> None:
        town.open()
        town.store.health = Health.DOWN
        town.clock.advance(timedelta(seconds=5))
        for _ in range(20):
            town.call(town.two, DOWN)
            town.clock.advance(timedelta(seconds=0.2))
        assert town.store.calls == ["read"]
        town.store.health = Health.UP
        town.clock.advance(A_SECOND)
        with pytest.raises(CircuitOpen):
            town.enter(town.two)

    def test_is_told_of_once_in_five_seconds(self, town: Town) -> None:
        heard: list[StoreUnavailable] = []
        town.one.tell_silence = heard.append
        town.store.health = Health.DOWN
        for _ in range(4):
            for name in (NAME, "carriers"):
                town.one.breaker(name, town.thresholds).enter().end(None)
            town.clock.advance(timedelta(seconds=2.5))
        assert len(heard) == 2

    @pytest.mark.parametrize("until", [timedelta(seconds=5), timedelta(minutes=1)], ids=["soon", "later"])
    def test_that_elected_a_prober_lets_it_probe(self, until: timedelta) -> None:
        town = Town()
        town.open()
        town.clock.advance(OPEN_FOR)
        town.call(town.one, None)
        town.store.health = Health.LOSES_ANSWERS
        assert not town.enter(town.one).is_probe
        town.store.health = Health.UP
        town.clock.advance(until)
        probe = town.enter(town.one)
        assert probe.is_probe
        with pytest.raises(CircuitOpen):
            town.enter(town.one)
        probe.end(None)
        assert town.standing.successes == 2

    def test_that_lost_the_end_of_a_probe_lets_its_prober_probe_again(self, town: Town) -> None:
        town.open()
        town.clock.advance(OPEN_FOR)
        probe = town.enter(town.one)
        town.store.health = Health.DOWN
        probe.end(None)
        town.store.health = Health.UP
        town.clock.advance(timedelta(seconds=5))
        assert town.enter(town.one).is_probe


@pytest.mark.parametrize("change", [{"failures": 4}, {"window": timedelta(seconds=30)}])
def test_one_name_has_the_same_parameters_everywhere_in_a_process(town: Town, change: dict[str, object]) -> None:
    make: Callable[..., Thresholds] = Thresholds
    town.one.breaker(NAME, Thresholds())
    with pytest.raises(ValueError, match="circuit payments: it has other parameters elsewhere"):
        town.one.breaker(NAME, make(**change))
