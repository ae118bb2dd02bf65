"""Two replays of the same bucket at the same time: no record is sent twice, and one of them stops with a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from threading import Semaphore, Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ops.replay.run import Outcome
from tests.fakes.faults import Fault
from tests.ops.replay.ground import KEY, Ground, ground_of, numbered
from tests.ops.replay.interruptions import Killer, clients

pytestmark = pytest.mark.usefixtures("small_calls")

STOPPED = f"another replay is at work on {KEY}: this one stops"


class At:
    """A point, counted from 1, at which something is done once."""

    def __init__(self, point: int, act: Callable[[], Outcome]) -> None:
        self.returned: list[Outcome] = []
        self._left = point
        self._act = act

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.returned.append(self._act())


def points_of(ground: Ground) -> int:
    """Replay and return how many points it passes."""
    killer = Killer()
    ground.replay(**clients(ground, killer))
    return killer.passed


def require_none_twice_and_none_lost(ground: Ground, records: Sequence[bytes]) -> None:
    times = Counter(ground.unmarked())
    assert all(count == 1 for count in times.values())
    outcome = ground.replay()
    arrived = ground.unmarked()
    assert len(set(arrived)) == len(arrived)
    assert set(arrived) <= set(records)
    assert len(records) - len(arrived) <= sum(outcome.in_doubt.values())
    ground.replay(resend_doubtful=True)
    assert set(ground.unmarked()) == set(records)


def test_one_that_runs_while_another_stands_still_at_any_point(s3: Any) -> None:
    records = numbered(7)
    alone = ground_of(s3)
    alone.keep(KEY, *records)
    for point in range(1, points_of(alone) + 1):
        ground = ground_of(s3)
        ground.keep(KEY, *records)
        run_other = At(point, ground.replay)
        outcome = ground.replay(**clients(ground, run_other))
        [other] = run_other.returned
        assert other.stopped == ""
        assert outcome.stopped in {"", STOPPED}
        assert outcome.stopped or not (outcome.sent and other.sent), "both sent, and neither has noticed"
        require_none_twice_and_none_lost(ground, records)


def test_the_one_that_was_overtaken_stops_with_a_sentence_before_it_sends(ground: Ground) -> None:
    ground.keep(KEY, *numbered(4))
    ground.keep(f"{KEY}-later", b"later")
    overtaking = At(4, ground.replay)  # it has read that nothing was sent, and is about to write that it begins
    outcome = ground.replay(**clients(ground, overtaking))
    assert (outcome.stopped, outcome.sent, outcome.is_complete) == (STOPPED, 0, False)
    assert ground.unmarked() == [*numbered(4), b"later"]


def test_objects_that_another_has_replayed_meanwhile_are_not_sent_again(ground: Ground) -> None:
    ground.keep(KEY, *numbered(2))
    ground.keep(f"{KEY}-later", *numbered(2, "later"))
    overtaking = At(12, ground.replay)  # it has read the second object, and is about to ask for its checkpoint
    outcome = ground.replay(**clients(ground, overtaking))
    assert (outcome.sent, outcome.sent_before, outcome.is_complete) == (2, 2, True)
    assert ground.unmarked() == [*numbered(2), *numbered(2, "later")]


class Turns:
    """Lets replays in threads of their own take turns: one runs, from one point to the next, and all others stand."""

    def __init__(self) -> None:
        self._stands = Semaphore(0)
        self._goes_on: list[Semaphore] = []
        self._threads: list[Thread] = []
        self._is_over: list[bool] = []
        self.outcomes: list[Outcome] = []

    def add(self, replay: Callable[[Callable[[], None]], Outcome]) -> None:
        """Start a replay, which stands before its first point."""
        number, goes_on = len(self._threads), Semaphore(0)

        def point() -> None:
            self._stands.release()
            goes_on.acquire()

        def run() -> None:
            goes_on.acquire()
            try:
                self.outcomes.append(replay(point))
            finally:
                self._is_over[number] = True
                self._stands.release()

        self._goes_on.append(goes_on)
        self._is_over.append(False)
        self._threads.append(Thread(target=run, daemon=True))
        self._threads[-1].start()

    def take(self, turns: Sequence[int]) -> None:
        """Let them run in this order, and then, one after the other, to their ends."""
        for number in turns:
            self._step(number)
        for number, thread in enumerate(self._threads):
            while not self._is_over[number]:
                self._step(number)
            thread.join()

    def _step(self, number: int) -> None:
        if not self._is_over[number]:
            self._goes_on[number].release()
            self._stands.acquire()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turns=st.lists(st.integers(0, 1), max_size=50),
    count=st.integers(1, 10),
    faults=st.lists(st.sampled_from([None, None, Fault.THROTTLED, Fault.ANSWER_LOST]), max_size=8),
)
@example(turns=[0, 1] * 30, count=10, faults=[])
@example(turns=[0, 0, 0, 0, 1, 1, 1, 1, 0, 1] * 5, count=10, faults=[])
def test_however_their_calls_alternate(s3: Any, turns: list[int], count: int, faults: list[Fault | None]) -> None:
    ground, records = ground_of(s3), numbered(count)
    ground.keep(KEY, *records)
    ground.stream.faults.fail("PutRecordBatch", *faults)
    both = Turns()
    for _ in range(2):
        both.add(lambda point: ground.replay(**clients(ground, point)))
    both.take(turns)
    assert len(both.outcomes) == 2
    ground.stream.faults.clear()
    require_none_twice_and_none_lost(ground, records)
    sent = [outcome for outcome in both.outcomes if outcome.sent]
    assert len(sent) < 2 or any(outcome.stopped or outcome.sent_before for outcome in sent)
