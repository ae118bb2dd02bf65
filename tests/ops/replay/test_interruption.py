"""Killed at any point, again and again: nothing is sent twice unasked, nothing is lost, what is in doubt is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops.replay.run import Outcome
from tests.fakes.faults import Fault
from tests.ops.replay.ground import Ground, ground_of, numbered
from tests.ops.replay.interruptions import Killed, Killer, clients

pytestmark = pytest.mark.usefixtures("small_calls")


class Kept(NamedTuple):
    """A ground, and the records of its error objects by their keys."""

    ground: Ground
    records: dict[str, list[bytes]]


def kept(s3: Any, counts: Sequence[int]) -> Kept:
    ground = ground_of(s3)
    records = {f"errors/{number}": numbered(count, f"of-{number}") for number, count in enumerate(counts)}
    for key, data in records.items():
        ground.keep(key, *data)
    return Kept(ground, records)


def replay_until(ground: Ground, last: int | None, **options: Any) -> bool:
    """Replay and kill it at a point; return whether that point was reached."""
    try:
        ground.replay(**clients(ground, Killer(last)), **options)
    except Killed:
        return True
    return False


def replay_to_the_end(ground: Ground) -> Outcome:
    """Replay until nothing stops it."""
    outcome = ground.replay()
    for _ in range(50):
        if not outcome.stopped:
            return outcome
        outcome = ground.replay()
    raise AssertionError(outcome.stopped)


def require_each_once_or_in_doubt(ground: Ground, records: dict[str, list[bytes]], outcome: Outcome) -> None:
    times = Counter(ground.unmarked())
    assert set(times) <= set(chain.from_iterable(records.values()))
    assert all(count == 1 for count in times.values())
    for key, data in records.items():
        missing = sum(one not in times for one in data)
        assert missing <= outcome.in_doubt.get(key, 0) <= len(data)
    assert (outcome.rounds_used_up, outcome.too_large, outcome.unreadable) == (0, 0, {})


def require_resending_settles_it(ground: Ground, records: dict[str, list[bytes]], outcome: Outcome) -> None:
    before = Counter(ground.unmarked())
    resent = ground.replay(resend_doubtful=True)
    assert resent.is_complete
    assert resent.sent == sum(outcome.in_doubt.values())
    times = Counter(ground.unmarked())
    for key, data in records.items():
        assert sum((times - before)[one] for one in data) == outcome.in_doubt.get(key, 0)
        assert all(times[one] in {1, 2} for one in data)
    assert ground.replay(resend_doubtful=True).sent == 0


def require_sound(s3: Any, counts: Sequence[int], *points: int) -> bool:
    """Kill a replay at these points, one after the other; return whether the last point was reached."""
    ground, records = kept(s3, counts)
    was_killed = [replay_until(ground, point) for point in points]
    outcome = replay_to_the_end(ground)
    require_each_once_or_in_doubt(ground, records, outcome)
    require_resending_settles_it(ground, records, outcome)
    return was_killed[-1]


def test_killed_at_any_one_point(s3: Any) -> None:
    point = 1
    while require_sound(s3, [7, 1, 4], point):
        point += 1
    assert point > 30  # it was killed before and after each of its calls


@pytest.mark.parametrize("first", range(1, 19))
def test_killed_at_any_two_points(s3: Any, first: int) -> None:
    second = 1
    while require_sound(s3, [4], first, second):
        second += 1


def test_killed_before_each_call_it_still_comes_to_an_end(s3: Any) -> None:
    """Every replay comes further by the call that it began, and that is in doubt, whether it was made or not."""
    ground, records = kept(s3, [10, 2])
    for _ in range(5):
        with pytest.raises(Killed):
            ground.replay(firehose=clients(ground, Killer(1))["firehose"])
    outcome = ground.replay()
    assert (outcome.sent, outcome.in_doubt) == (0, {"errors/0": 10, "errors/1": 2})
    assert ground.replay(resend_doubtful=True).is_complete
    assert ground.unmarked() == [*records["errors/0"], *records["errors/1"]]


@pytest.mark.parametrize("point", range(1, 5))
def test_killed_where_nothing_was_begun_nothing_is_in_doubt(s3: Any, point: int) -> None:
    """Until it has written that it begins: it reads the object, asks for the checkpoint, and is about to write one."""
    ground, records = kept(s3, [4])
    assert replay_until(ground, point)
    assert replay_to_the_end(ground).is_complete
    assert ground.unmarked() == records["errors/0"]


@pytest.mark.parametrize(
    ("point", "was_sent"),
    [
        pytest.param(5, False, id="after the checkpoint"),
        pytest.param(6, False, id="before the call"),
        pytest.param(7, True, id="after the call"),
        pytest.param(8, True, id="before the next checkpoint"),
    ],
)
def test_killed_in_a_call_only_that_call_is_in_doubt(s3: Any, point: int, was_sent: bool) -> None:
    ground, records = kept(s3, [7])
    assert replay_until(ground, point)
    outcome = replay_to_the_end(ground)
    assert outcome.in_doubt == {"errors/0": 3}
    assert ground.unmarked() == records["errors/0"][0 if was_sent else 3 :]


FAULTS = st.sampled_from([None, None, None, *Fault])


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.integers(1, 8), min_size=1, max_size=3),
    points=st.lists(st.integers(1, 30), max_size=5),
    faults=st.lists(FAULTS, max_size=15),
    seed=st.integers(0, 1000),
    refusals=st.sampled_from([0.0, 0.2, 0.5]),
)
def test_killed_refused_throttled_and_unanswered_at_random(
    s3: Any, counts: list[int], points: list[int], faults: list[Fault | None], seed: int, refusals: float
) -> None:
    ground, records = kept(s3, counts)
    dice = Random(seed)
    ground.stream.refuses = lambda _: dice.random() < refusals
    ground.stream.faults.fail("PutRecordBatch", *faults)
    for point in points:
        replay_until(ground, point)
        require_none_twice(ground)
    outcome = replay_to_the_end(ground)
    require_each_once_or_in_doubt(ground, records, outcome)
    ground.stream.refuses = lambda _: False
    ground.stream.faults.clear()
    require_resending_settles_it(ground, records, outcome)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.integers(1, 8), min_size=1, max_size=2),
    points=st.lists(st.integers(1, 20), min_size=1, max_size=4),
)
def test_killed_while_it_sends_the_doubtful_again_nothing_is_lost(
    s3: Any, counts: list[int], points: list[int]
) -> None:
    ground, records = kept(s3, counts)
    for point in points:
        replay_until(ground, point)
        replay_until(ground, point, resend_doubtful=True)
    outcome = replay_to_the_end(ground)
    times = Counter(ground.unmarked())
    for key, data in records.items():
        assert sum(one not in times for one in data) <= outcome.in_doubt.get(key, 0)
    assert ground.replay(resend_doubtful=True).is_complete
    assert set(ground.unmarked()) == set(chain.from_iterable(records.values()))


def require_none_twice(ground: Ground) -> None:
    arrived = ground.unmarked()
    assert len(arrived) == len(set(arrived))
