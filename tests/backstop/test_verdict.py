from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.backoff import Backoff, Shape
from backstop.kinds import Kind
from backstop.verdict import Dead, Failure, Policy, Reason, Refusal, Retry, decide
from tests.backstop import EVERY_5_S, NOW

TRANSIENT, PERMANENT, SYSTEM, UNKNOWN = Kind.TRANSIENT, Kind.PERMANENT, Kind.SYSTEM, Kind.UNKNOWN
DEAD = Dead(Reason.PERMANENT)
EXHAUSTED = Dead(Reason.EXHAUSTED)
EXPONENTIAL = Policy()
HALF = 0.5


def failure(kind: Kind, attempt: int, age: timedelta = timedelta(0), retry_after: timedelta | None = None) -> Failure:
    return Failure(kind, attempt, NOW - age, retry_after)


def again(seconds: float, *, is_counted: bool = True) -> Retry:
    return Retry(NOW + timedelta(seconds=seconds), is_counted)


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


KILLER = Failure(PERMANENT, 1, NOW, has_killed_workers=True)
A_DAY = timedelta(days=1)


def refused(remaining: float, open_for: float = 30, attempt: int = 1, age: timedelta = timedelta(0)) -> Failure:
    return failure(TRANSIENT, attempt, age, s(remaining))._replace(refusal=Refusal(s(remaining), s(open_for)))


def excused(
    kind: Kind, attempt: int = 1, age: timedelta = timedelta(0), retry_after: timedelta | None = None
) -> Failure:
    return failure(kind, attempt, age, retry_after)._replace(is_excused=True)


TABLE: Mapping[str, tuple[Failure, Policy, Retry | Dead]] = {
    "permanent, first attempt": (failure(PERMANENT, 1), EXPONENTIAL, DEAD),
    "permanent, asks for time": (failure(PERMANENT, 1, retry_after=s(60)), EXPONENTIAL, DEAD),
    "permanent, last attempt": (failure(PERMANENT, 6), EXPONENTIAL, DEAD),
    "killed its workers": (KILLER, EXPONENTIAL, Dead(Reason.CRASHED)),
    "transient, attempt 1 of 6": (failure(TRANSIENT, 1), EXPONENTIAL, again(2.5)),
    "transient, attempt 2 of 6": (failure(TRANSIENT, 2), EXPONENTIAL, again(5)),
    "transient, attempt 5 of 6": (failure(TRANSIENT, 5), EXPONENTIAL, again(40)),
    "transient, attempt 6 of 6": (failure(TRANSIENT, 6), EXPONENTIAL, EXHAUSTED),
    "transient, attempt 7 of 6": (failure(TRANSIENT, 7), EXPONENTIAL, EXHAUSTED),
    "transient, one attempt given": (failure(TRANSIENT, 1), Policy(max_attempts=1), EXHAUSTED),
    "transient, fixed": (failure(TRANSIENT, 5), EVERY_5_S, again(5)),
    "unknown, attempt 2 of 3": (failure(UNKNOWN, 2), EXPONENTIAL, again(5)),
    "unknown, attempt 3 of 3": (failure(UNKNOWN, 3), EXPONENTIAL, EXHAUSTED),
    "unknown, attempt 4 of 3": (failure(UNKNOWN, 4), EXPONENTIAL, EXHAUSTED),
    "unknown, never more than the transient": (failure(UNKNOWN, 2), Policy(max_attempts=2), EXHAUSTED),
    "just within 24 h": (failure(TRANSIENT, 2, timedelta(hours=24) - s(5)), EVERY_5_S, again(5)),
    "just over 24 h": (failure(TRANSIENT, 2, timedelta(hours=24) - s(4.999999)), EVERY_5_S, EXHAUSTED),
    "another limit of time": (
        failure(TRANSIENT, 2, timedelta(hours=1)),
        Policy(max_age=timedelta(hours=1)),
        EXHAUSTED,
    ),
    "asks for longer than the backoff": (failure(TRANSIENT, 1, retry_after=s(60)), EVERY_5_S, again(60)),
    "asks for less than the backoff": (failure(TRANSIENT, 1, retry_after=s(1)), EVERY_5_S, again(5)),
    "asks for nothing": (failure(TRANSIENT, 1, retry_after=s(0)), EVERY_5_S, again(5)),
    "asks for longer than SQS delays": (failure(TRANSIENT, 1, retry_after=s(7200)), EVERY_5_S, again(7200)),
    "asks for longer than there is": (failure(TRANSIENT, 1, retry_after=timedelta(days=2)), EVERY_5_S, EXHAUSTED),
    "system, first": (failure(SYSTEM, 1), EXPONENTIAL, again(5, is_counted=False)),
    "system, attempts used up": (failure(SYSTEM, 1000), EXPONENTIAL, again(5, is_counted=False)),
    "system, ten days": (failure(SYSTEM, 1, timedelta(days=10)), EXPONENTIAL, again(900, is_counted=False)),
    "system, asks for longer": (failure(SYSTEM, 1, retry_after=s(60)), EXPONENTIAL, again(60, is_counted=False)),
    "system, asks for nothing": (failure(SYSTEM, 1, retry_after=s(0)), EXPONENTIAL, again(5, is_counted=False)),
    "system, asks for less than it has to wait": (
        failure(SYSTEM, 1, timedelta(hours=1), retry_after=s(1)),
        EXPONENTIAL,
        again(900, is_counted=False),
    ),
    "refused: what is left, and half of its open time": (refused(20), EXPONENTIAL, again(35, is_counted=False)),
    "refused, about to be probed": (refused(0), EXPONENTIAL, again(15, is_counted=False)),
    "refused, open for longer": (refused(100, 300), EXPONENTIAL, again(250, is_counted=False)),
    "refused, attempts used up": (refused(20, attempt=1000), EXPONENTIAL, again(35, is_counted=False)),
    "refused, ten days": (refused(20, age=10 * A_DAY), EXPONENTIAL, again(35, is_counted=False)),
    "refused, held open for a day": (refused(86_400), EXPONENTIAL, again(915, is_counted=False)),
    "excused, permanent": (excused(PERMANENT), EXPONENTIAL, again(5, is_counted=False)),
    "excused, unknown, attempts used up": (excused(UNKNOWN, 3), EXPONENTIAL, again(5, is_counted=False)),
    "excused for an hour": (excused(PERMANENT, age=timedelta(hours=1)), EXPONENTIAL, again(900, is_counted=False)),
    "excused for ten days": (excused(UNKNOWN, 3, 10 * A_DAY), EXPONENTIAL, again(900, is_counted=False)),
    "excused, asks for longer": (excused(UNKNOWN, 1, retry_after=s(60)), EXPONENTIAL, again(60, is_counted=False)),
    "excused, killed its workers": (KILLER._replace(is_excused=True), EXPONENTIAL, Dead(Reason.CRASHED)),
}


@pytest.mark.parametrize(("failure", "policy", "verdict"), TABLE.values(), ids=TABLE)
def test_a_failure_is_judged(failure: Failure, policy: Policy, verdict: Retry | Dead) -> None:
    assert decide(failure, policy, NOW, HALF) == verdict


ages = st.timedeltas(timedelta(0), timedelta(days=365))
refusals = st.builds(
    Refusal, st.timedeltas(timedelta(0), timedelta(days=30)), st.timedeltas(timedelta(seconds=1), timedelta(hours=1))
)
failures = st.builds(
    Failure,
    kind=st.sampled_from(Kind),
    attempt=st.integers(1, 1001),
    first_failed_at=ages.map(lambda age: NOW - age),
    retry_after=st.none() | st.timedeltas(timedelta(0), timedelta(days=3650)),
    has_killed_workers=st.just(False),
    refusal=st.none() | refusals,
    is_excused=st.booleans(),
)
policies = st.builds(
    Policy,
    backoff=st.builds(
        Backoff,
        base=st.timedeltas(timedelta(seconds=1), timedelta(seconds=900)),
        limit=st.timedeltas(timedelta(seconds=1), timedelta(seconds=900)),
        shape=st.sampled_from(Shape),
    ),
    max_attempts=st.integers(1, 100),
    max_age=st.timedeltas(timedelta(hours=1), timedelta(hours=168)),
)
dices = st.floats(0, 1, exclude_max=True)


@settings(deadline=None)
@given(failure=failures, policy=policies, dice=dices)
def test_a_message_is_tried_within_its_limits_and_never_in_the_past(
    failure: Failure, policy: Policy, dice: float
) -> None:
    verdict = decide(failure, policy, NOW, dice)
    if isinstance(verdict, Retry):
        assert verdict.at >= NOW
        assert not verdict.is_counted or verdict.at <= failure.first_failed_at + policy.max_age
        assert not verdict.is_counted or failure.attempt < policy.max_attempts


@settings(deadline=None)
@given(attempt=st.integers(1, 1001), age=ages, policy=policies, dice=dices)
def test_a_message_never_dies_of_a_fault_that_is_ours(
    attempt: int, age: timedelta, policy: Policy, dice: float
) -> None:
    verdict = decide(failure(SYSTEM, attempt, age), policy, NOW, dice)
    assert isinstance(verdict, Retry)
    assert not verdict.is_counted


@settings(deadline=None)
@given(failure=failures, refusal=refusals, policy=policies, dice=dices)
def test_a_message_never_dies_of_a_circuit_and_comes_back_spread_over_its_open_time(
    failure: Failure, refusal: Refusal, policy: Policy, dice: float
) -> None:
    verdict = decide(failure._replace(refusal=refusal), policy, NOW, dice)
    assert isinstance(verdict, Retry)
    assert not verdict.is_counted
    least = min(refusal.remaining, policy.backoff.limit)
    assert NOW + least <= verdict.at <= NOW + least + refusal.open_for
