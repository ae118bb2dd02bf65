from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.backoff import Backoff, Shape

EXPONENTIAL = Backoff(base=timedelta(seconds=5), limit=timedelta(seconds=900))
FIXED = Backoff(base=timedelta(seconds=5), limit=timedelta(seconds=900), shape=Shape.FIXED)
LARGEST_DICE = 1 - 2**-53

dices = st.floats(0, 1, exclude_max=True)
seconds = st.integers(1, 900).map(lambda value: timedelta(seconds=value))


@pytest.mark.parametrize(
    ("failures", "bound"),
    [(1, 5), (2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 320), (8, 640), (9, 900), (10, 900), (10**9, 900)],
)
def test_exponential_delays_lie_between_nothing_and_a_bound_that_doubles(failures: int, bound: int) -> None:
    assert EXPONENTIAL.delay(failures, 0.0) == timedelta(0)
    assert EXPONENTIAL.delay(failures, 0.5) == timedelta(seconds=bound / 2)
    assert EXPONENTIAL.delay(failures, LARGEST_DICE) <= timedelta(seconds=bound)


@pytest.mark.parametrize("failures", [1, 2, 6, 10**9])
@pytest.mark.parametrize("dice", [0.0, 0.5, LARGEST_DICE])
def test_fixed_delays_are_all_the_same(failures: int, dice: float) -> None:
    assert FIXED.delay(failures, dice) == timedelta(seconds=5)


@pytest.mark.parametrize("shape", Shape)
def test_no_delay_exceeds_a_limit_below_the_base(shape: Shape) -> None:
    backoff = Backoff(base=timedelta(seconds=60), limit=timedelta(seconds=10), shape=shape)
    assert backoff.delay(1, LARGEST_DICE) <= timedelta(seconds=10)
    assert backoff.deferral(timedelta(days=1), LARGEST_DICE) == timedelta(seconds=10)


@settings(deadline=None)
@given(base=seconds, limit=seconds, shape=st.sampled_from(Shape), failures=st.integers(1, 10**12), dice=dices)
def test_a_delay_is_never_negative_nor_over_the_limit(
    base: timedelta, limit: timedelta, shape: Shape, failures: int, dice: float
) -> None:
    assert timedelta(0) <= Backoff(base, limit, shape).delay(failures, dice) <= limit


@pytest.mark.parametrize(
    ("age", "least", "most"),
    [
        pytest.param(timedelta(0), 5, 5, id="just failed"),
        pytest.param(timedelta(seconds=-60), 5, 5, id="a clock that is behind"),
        pytest.param(timedelta(seconds=8), 5, 8, id="the base at least"),
        pytest.param(timedelta(seconds=100), 50, 100, id="half of it to all of it"),
        pytest.param(timedelta(hours=1), 900, 900, id="the limit at most"),
        pytest.param(timedelta(days=365), 900, 900, id="a year"),
    ],
)
def test_a_deferral_grows_with_the_time_that_it_lasts(age: timedelta, least: int, most: int) -> None:
    assert EXPONENTIAL.deferral(age, 0.0) == timedelta(seconds=least)
    assert EXPONENTIAL.deferral(age, LARGEST_DICE) <= timedelta(seconds=most)


@settings(deadline=None, max_examples=50)
@given(dice=st.lists(dices, min_size=120, max_size=120))
def test_tries_thin_out_while_an_outage_lasts(dice: list[float]) -> None:
    """A wait is half of the time so far or more, so that grows by half each time: 13 tries to reach the limit of 900 s.

    After that there are 96 to 108 in a day, where one every 5 s would be 17,280.
    """
    age, tries = timedelta(0), 0
    while age < timedelta(days=1):
        age += EXPONENTIAL.deferral(age, dice[tries])
        tries += 1
    assert tries <= 115
