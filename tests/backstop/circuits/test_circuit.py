"""What a handler's author writes around a call: as a context manager, as a decorator, with a fallback, in threads."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

import backstop
from backstop.circuit import install
from backstop.circuits.breaker import Circuits
from backstop.circuits.state import CircuitState, Transition
from backstop.errors import CircuitOpen, TransientError, was_refused
from tests.backstop.circuits.circuit_stands import NAME
from tests.backstop.circuits.circuit_world import a_circuits
from tests.fakes.circuits import FakeCircuits
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.parking import failing_by

DOWN = TransientError("down")


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Circuits]:
    """Let this be a process that has used no circuit yet."""
    monkeypatch.setattr(sys.modules["backstop.circuit"], "_thresholds", {})  # its package has a function of that name
    told: list[Transition] = []
    circuits = a_circuits(FakeCircuits(failing_by(Faults())), "one", VirtualClock(), told)
    install(circuits)
    yield circuits
    install(None)


def state(process: Circuits) -> CircuitState:
    return process.store.read(NAME).state


def fail(times: int = 5) -> None:
    for _ in range(times):
        with pytest.raises(TransientError, match="down"), backstop.circuit(NAME):
            raise DOWN


def wait(process: Circuits, seconds: float) -> None:
    clock: VirtualClock = process.now.__self__  # type: ignore[attr-defined]  # it is the clock's own
    clock.advance(timedelta(seconds=seconds))


class TestAContextManager:
    def test_lets_calls_through_and_what_they_raise(self) -> None:
        error = ValueError("declined")
        with pytest.raises(ValueError, match="declined") as raised, backstop.circuit(NAME):
            raise error
        assert raised.value is error

    def test_refuses_calls_while_the_circuit_is_open(self, process: Circuits) -> None:
        fail()
        ran = False
        with pytest.raises(CircuitOpen), backstop.circuit(NAME):
            ran = True
        assert not ran
        assert process.store.read(NAME).dependents == {"shop"}

    def test_is_used_again_and_again(self, process: Circuits) -> None:
        guard = backstop.circuit(NAME)
        for _ in range(5):
            with pytest.raises(TransientError), guard:
                raise DOWN
        assert state(process) is CircuitState.OPEN

    def test_takes_no_fallback(self) -> None:
        guard = backstop.circuit(NAME, fallback=lambda: None)
        with pytest.raises(TypeError, match=r"circuit payments: a fallback .* use it as a decorator"), guard:
            pass


class TestADecorator:
    def test_returns_and_is_called_what_it_decorates(self) -> None:
        @backstop.circuit(NAME)
        def charge(amount: int, *, currency: str) -> str:
            """Charge."""
            return f"{amount} {currency}"

        assert charge(3, currency="EUR") == "3 EUR"
        assert (charge.__name__, charge.__doc__) == ("charge", "Charge.")

    def test_calls_its_fallback_while_the_circuit_is_open(self, process: Circuits) -> None:
        @backstop.circuit(NAME, fallback=lambda amount: f"later: {amount}")
        def charge(amount: int) -> str:
            raise DOWN

        for _ in range(5):
            with pytest.raises(TransientError, match="down"):
                charge(1)
        assert charge(3) == "later: 3"
        assert process.store.read(NAME).dependents == frozenset()

    def test_hands_on_the_refusal_of_another_circuit(self, process: Circuits) -> None:
        fail()

        @backstop.circuit("carriers", fallback=lambda: "later")
        def ship() -> None:
            with backstop.circuit(NAME):
                pass

        for _ in range(9):
            with pytest.raises(CircuitOpen, match=NAME):
                ship()
        assert process.store.read("carriers").state is CircuitState.CLOSED

    def test_refuses_what_runs_after_it_returned(self) -> None:
        async def later() -> None: ...

        def some() -> Iterator[int]:
            yield 1

        functions: list[Callable[..., Any]] = [later, some]
        for function in functions:
            with pytest.raises(TypeError, match="circuit payments: what it decorates returns before it has run"):
                backstop.circuit(NAME)(function)


class TestNesting:
    def test_counts_a_call_within_a_call_once(self, process: Circuits) -> None:
        for _ in range(4):
            with pytest.raises(TransientError), backstop.circuit(NAME), backstop.circuit(NAME):
                raise DOWN
        assert state(process) is CircuitState.CLOSED

    def test_lets_a_probe_call_what_it_calls(self, process: Circuits) -> None:
        fail()
        wait(process, 30)
        charge = backstop.circuit(NAME)(lambda: "charged")
        for _ in range(3):
            with backstop.circuit(NAME):
                assert charge() == "charged"
        assert state(process) is CircuitState.CLOSED

    def test_of_two_circuits_counts_for_each(self, process: Circuits) -> None:
        for _ in range(5):
            with pytest.raises(TransientError), backstop.circuit(NAME), backstop.circuit("carriers"):
                raise DOWN
        assert [process.store.read(name).state for name in (NAME, "carriers")] == [CircuitState.OPEN] * 2

    def test_is_over_when_the_call_is(self, process: Circuits) -> None:
        with backstop.circuit(NAME):
            pass
        fail()
        assert state(process) is CircuitState.OPEN


class TestThreads:
    def test_share_a_guard(self, process: Circuits) -> None:
        together = Barrier(8)

        @backstop.circuit(NAME, failures=8)
        def charge(_: int) -> None:
            together.wait(10)
            raise DOWN

        with ThreadPoolExecutor(8) as pool:
            ends = [one.exception(10) for one in [pool.submit(charge, number) for number in range(8)]]
        assert ends == [DOWN] * 8
        assert state(process) is CircuitState.OPEN

    def test_let_one_of_them_probe(self, process: Circuits) -> None:
        fail()
        wait(process, 30)
        together = Barrier(8)

        def charge(_: int) -> bool:
            together.wait(10)
            try:
                with backstop.circuit(NAME):
                    together.wait(10)
            except CircuitOpen:
                together.wait(10)
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(charge, range(8))) == 1

    def test_and_coroutines_do_not_mix_their_calls_up(self, process: Circuits) -> None:
        async def charge(error: Exception | None) -> None:
            with backstop.circuit(NAME):
                await asyncio.sleep(0)
                if error is not None:
                    raise error

        async def all_at_once() -> None:
            await asyncio.gather(*[charge(DOWN) for _ in range(5)], return_exceptions=True)

        asyncio.run(all_at_once())
        assert state(process) is CircuitState.OPEN


def test_all_calls_go_through_outside_of_a_worker() -> None:
    install(None)
    fail(20)


@pytest.mark.parametrize("name", ["payments", "a", "Stock-2.eu_west", "x" * 64])
def test_a_name_has_letters_digits_and_three_signs(name: str) -> None:
    with backstop.circuit(name):
        pass


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"name": ""}, ValueError, "1 to 64 letters"),
        ({"name": "x" * 65}, ValueError, "1 to 64 letters"),
        ({"name": "release#shop#1"}, ValueError, "1 to 64 letters"),
        ({"name": "zahlung é"}, ValueError, "1 to 64 letters"),
        ({"name": 3}, TypeError, "a circuit's name is a text, not 3"),
        ({"failures": 0}, ValueError, "circuit payments: failures is 1 to 1000, not 0"),
        ({"failures": True}, TypeError, "circuit payments: failures is a whole number, not True"),
        ({"failures": 2.5}, TypeError, "circuit payments: failures is a whole number, not 2.5"),
        ({"calls": 0}, ValueError, "circuit payments: calls is 1 to 100000, not 0"),
        ({"successes": 101}, ValueError, "circuit payments: successes is 1 to 100, not 101"),
        ({"rate": 0}, ValueError, "circuit payments: rate is above 0, and 1 at most, not 0"),
        ({"rate": 50}, ValueError, "circuit payments: rate is above 0, and 1 at most, not 50"),
        ({"rate": float("nan")}, ValueError, "circuit payments: rate is above 0, and 1 at most, not nan"),
        ({"rate": "half"}, TypeError, "circuit payments: rate is a number, not 'half'"),
        ({"window": 9}, ValueError, "circuit payments: window is 10 to 3600 seconds, not 9"),
        ({"window": timedelta(days=1)}, ValueError, "circuit payments: window is 10 to 3600 seconds, not 1 day"),
        ({"open_for": 0.5}, ValueError, "circuit payments: open_for is 1 to 3600 seconds, not 0.5"),
        ({"open_for": None}, TypeError, "circuit payments: open_for is seconds or a timedelta, not None"),
        ({"fallback": "later"}, TypeError, "circuit payments: fallback is a function"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_does_not_fit_is_told_by_name_with_what_would(
    wrong: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        backstop.circuit(**{"name": NAME, **wrong})


def test_one_name_has_the_same_parameters_everywhere_in_a_process() -> None:
    backstop.circuit(NAME, open_for=30)
    backstop.circuit(NAME, open_for=timedelta(seconds=30))
    with pytest.raises(ValueError, match="circuit payments: failures is 3 here, and 5 elsewhere in this process"):
        backstop.circuit(NAME, failures=3)


def test_a_refusal_is_found_behind_what_it_caused() -> None:
    refusal = CircuitOpen(NAME, retry_after=timedelta(seconds=3), open_for=timedelta(seconds=30))
    outer = RuntimeError("no label")
    outer.__cause__ = refusal
    assert was_refused(refusal) is was_refused(outer) is refusal
    assert was_refused(DOWN) is None
