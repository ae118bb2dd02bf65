from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace

import pytest
import stamina  # a test has no cold start

from backstop import retry
from backstop.invocation import running
from tests.backstop import MARKER


class Flaky(Exception):
    """What a call may raise for a moment."""


@pytest.fixture
def without_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@dataclass
class Clock:
    """Time that passes only when somebody waits or works."""

    seconds: float = 0.0

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("tenacity.time", SimpleNamespace(monotonic=lambda: clock.seconds))
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=clock.pass_by))
    return clock


class Call:
    """A call that fails as often as is said, with the number of the try in its error, and takes its time."""

    def __init__(self, failures: int, error: type[Exception] = Flaky, clock: Clock | None = None, takes: float = 0):
        self.tries = 0
        self._failures = failures
        self._error = error
        self._clock = clock or Clock()
        self._takes = takes

    def __call__(self, answer: str = "done", *, end: str = "") -> str:
        self.tries += 1
        self._clock.pass_by(self._takes)
        if self.tries <= self._failures:
            raise self._error(f"try {self.tries}")
        return answer + end


ALWAYS = 10**9


@pytest.mark.usefixtures("without_waits")
class TestTries:
    def test_a_call_that_works_is_made_once(self) -> None:
        call = Call(failures=0)

        @retry(on=Flaky)
        def flaky(answer: str, *, end: str) -> str:
            """Say it."""
            return call(answer, end=end)

        assert flaky("yes", end="!") == "yes!"
        assert call.tries == 1
        assert (flaky.__name__, flaky.__doc__) == ("flaky", "Say it.")

    def test_a_call_that_fails_for_a_moment_works(self) -> None:
        call = Call(failures=2)
        assert retry(on=Flaky)(call.__call__)() == "done"
        assert call.tries == 3

    def test_the_last_error_is_raised_when_the_tries_are_used_up(self) -> None:
        call = Call(failures=ALWAYS)
        with pytest.raises(Flaky, match="try 5"):
            retry(on=Flaky, attempts=5)(call.__call__)()
        assert call.tries == 5

    @pytest.mark.parametrize(
        ("error", "tries"),
        [
            pytest.param(Flaky, 3, id="named"),
            pytest.param(type("Derived", (Flaky,), {}), 3, id="derived"),
            pytest.param(TimeoutError, 3, id="one of two"),
            pytest.param(ValueError, 1, id="not named"),
        ],
    )
    def test_only_what_is_named_is_tried_again(self, error: type[Exception], tries: int) -> None:
        call = Call(ALWAYS, error)
        with pytest.raises(error):
            retry(on=(Flaky, TimeoutError))(call.__call__)()
        assert call.tries == tries

    def test_a_question_can_name_it(self) -> None:
        call = Call(ALWAYS)
        with pytest.raises(Flaky, match="try 2"):
            retry(on=lambda error: str(error) == "try 1")(call.__call__)()

    def test_each_call_has_tries_of_its_own(self) -> None:
        call = Call(failures=2)
        flaky = retry(on=Flaky, attempts=3)(call.__call__)
        assert flaky() == flaky() == "done"
        assert call.tries == 4


class TestTime:
    """What the tries may cost. The clock is ours; nothing waits."""

    def test_no_try_is_begun_when_half_of_what_was_left_is_used(self, clock: Clock) -> None:
        call = Call(ALWAYS, clock=clock, takes=2)
        with running(lambda: 6000), pytest.raises(Flaky, match="try 2"):
            retry(on=Flaky, attempts=100)(call.__call__)()

    def test_waiting_takes_no_more_than_half_of_what_was_left(self, clock: Clock) -> None:
        with running(lambda: 200), pytest.raises(Flaky):
            retry(on=Flaky, attempts=100)(Call(ALWAYS).__call__)()
        assert clock.seconds <= 0.1

    def test_a_call_is_made_even_when_nothing_is_left(self, clock: Clock) -> None:
        call = Call(ALWAYS)
        with running(lambda: 0), pytest.raises(Flaky, match="try 1"):
            retry(on=Flaky)(call.__call__)()
        assert (call.tries, clock.seconds) == (1, 0)

    def test_outside_of_an_invocation_it_gives_up_after_5_s(self, clock: Clock) -> None:
        call = Call(ALWAYS, clock=clock, takes=2)
        with pytest.raises(Flaky):
            retry(on=Flaky, attempts=100)(call.__call__)()
        assert 4 <= clock.seconds <= 8

    def test_waits_stay_between_the_first_and_their_limit(self, clock: Clock) -> None:
        moments: list[float] = []

        @retry(on=Flaky, attempts=5, wait_initial=0.25, wait_max=0.5)
        def flaky() -> None:
            moments.append(clock.seconds)
            raise Flaky

        with pytest.raises(Flaky):
            flaky()
        waits = [after - before for before, after in pairwise(moments)]
        assert len(waits) == 4
        a_rounding = 1e-9
        assert all(0.25 - a_rounding <= wait <= 0.5 + a_rounding for wait in waits)


@pytest.mark.usefixtures("without_waits")
def test_no_log_line_quotes_what_was_called_with_or_what_it_raised(caplog: pytest.LogCaptureFixture) -> None:
    """Lambda's own JSON lines carry whatever a log record carries, `extra` included."""
    caplog.set_level(logging.DEBUG)

    @retry(on=Flaky)
    def flaky(order: dict[str, str], *, note: str) -> None:
        raise Flaky(f"cannot place {order}: {note}")

    with pytest.raises(Flaky):
        flaky({"customer": MARKER}, note=MARKER)
    assert MARKER not in repr([vars(line) for line in caplog.records])
