"""A worker's failures right after a release: when they are held back, and how seldom the store is asked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from backstop.release_counts import YOUNG, Hold, ReleaseStanding
from backstop.release_guard import ReleaseGuard
from tests.backstop import NOW
from tests.fakes.clock import VirtualClock
from tests.fakes.releases import FakeReleases

A, B = "a" * 16, "b" * 16
RELEASE = ("shop-process", "r2")
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Workers:
    """Processes of a function that share a store and a clock."""

    def __init__(self) -> None:
        self.clock = VirtualClock(NOW)
        self.store = FakeReleases()
        self.told: list[Hold] = []
        self._count = 0

    def start(self, *, is_acting: bool = True) -> ReleaseGuard:
        """Start a process."""
        self._count += 1
        now = self.clock.now
        return ReleaseGuard(self.store, *RELEASE, f"process-{self._count}", is_acting, now, self.told.append)

    def began(self, ago: timedelta) -> None:
        """Let the release have been seen first so long ago."""
        self.store.standings[RELEASE] = ReleaseStanding(NOW - ago)


@pytest.fixture
def workers() -> Workers:
    return Workers()


def run(guard: ReleaseGuard, groups: Iterable[str]) -> list[bool]:
    """Run messages, that fail with these groups, or not at all; return of the failures whether they were held back."""
    held = []
    for group in groups:
        guard.ran += 1
        if group:
            held.append(guard.holds(group))
    return held


class TestABadRelease:
    def test_buries_nineteen_messages_and_no_more(self, workers: Workers) -> None:
        held = run(workers.start(), [A] * 500)
        assert held == [False] * 19 + [True] * 481

    def test_buries_about_twenty_however_many_workers_there_are(self, workers: Workers) -> None:
        guards = [workers.start() for _ in range(25)]
        held = [run(guard, [A]) for _ in range(20) for guard in guards]
        assert held.count([False]) <= 20 + len(guards)

    def test_is_told_of_once(self, workers: Workers) -> None:
        first, second = workers.start(), workers.start()
        for _ in range(30):
            run(first, [A])
            run(second, [A])
        assert workers.told == [Hold(*RELEASE, A, 20, 20, NOW)]

    def test_is_held_for_the_failures_that_most_have_in_common_only(self, workers: Workers) -> None:
        guard = workers.start()
        run(guard, [A] * 20)
        assert run(guard, [B, A, B]) == [False, True, False]

    def test_is_held_by_workers_that_start_later(self, workers: Workers) -> None:
        run(workers.start(), [A] * 20)
        workers.clock.advance(YOUNG * 10)
        assert run(workers.start(), [A, A]) == [True, True]

    def test_is_held_by_a_worker_that_had_no_failure_while_the_release_was_new(self, workers: Workers) -> None:
        late = workers.start()
        run(late, ["", "", ""])
        run(workers.start(), [A] * 20)
        workers.clock.advance(YOUNG * 2)
        assert run(late, [A]) == [True]

    def test_is_held_until_a_person_lets_it_go_on(self, workers: Workers) -> None:
        guard = workers.start()
        run(guard, [A] * 20)
        workers.clock.advance(timedelta(days=3))
        assert run(guard, [A]) == [True]
        workers.store.let_go(*RELEASE)
        workers.clock.advance(SECOND)
        assert run(guard, [A] * 50) == [False] * 50
        assert guard.is_over

    def test_is_told_of_but_not_held_where_recovery_does_not_act(self, workers: Workers) -> None:
        guard = workers.start(is_acting=False)
        assert not any(run(guard, [A] * 500))
        assert len(workers.told) == 1
        assert guard.is_over


class TestNoBadRelease:
    @pytest.mark.parametrize(
        "groups",
        [
            pytest.param(["", A] * 250, id="half of the messages"),
            pytest.param(["", A, B, A, B] * 100, id="two groups at 40 %"),
            pytest.param([*[A] * 10, *[""] * 10], id="ten of twenty, in a row"),
            pytest.param([""] * 1000, id="none"),
        ],
    )
    def test_holds_nothing_back(self, workers: Workers, groups: list[str]) -> None:
        workers.clock.advance(MINUTE)
        assert not any(run(workers.start(), groups))
        assert workers.told == []

    def test_is_an_old_one(self, workers: Workers) -> None:
        workers.began(YOUNG)
        assert not any(run(workers.start(), [A] * 500))
        assert workers.told == []

    def test_is_what_failed_over_more_than_three_minutes(self, workers: Workers) -> None:
        guard = workers.start()
        for _ in range(40):
            guard.begin()
            assert run(guard, [A]) == [False]
            workers.clock.advance(timedelta(seconds=20))

    def test_is_the_good_ones_before_that_dilute(self, workers: Workers) -> None:
        guard = workers.start()
        run(guard, [""] * 40)
        workers.clock.advance(MINUTE)
        guard.begin()
        assert not any(run(guard, [A] * 40))

    def test_is_not_diluted_by_what_ran_long_before(self, workers: Workers) -> None:
        guard = workers.start()
        run(guard, [""] * 4000)
        workers.clock.advance(5 * MINUTE)
        guard.begin()
        assert any(run(guard, [A] * 21))


class TestTheStore:
    def test_is_not_asked_as_long_as_nothing_fails(self, workers: Workers) -> None:
        guard = workers.start()
        for _ in range(100):
            guard.begin()
            run(guard, [""] * 10)
            workers.clock.advance(SECOND)
        assert workers.store.asked == []

    def test_is_asked_once_a_second_while_few_fail(self, workers: Workers) -> None:
        guard = workers.start()
        run(guard, [""] * 100)
        for _ in range(100):
            run(guard, ["", "", "", A])
            workers.clock.advance(timedelta(seconds=0.1))
        assert len(workers.store.asked) == 10

    def test_is_never_asked_again_once_release_and_process_are_old(self, workers: Workers) -> None:
        workers.began(YOUNG)
        guard = workers.start()
        workers.clock.advance(YOUNG)
        run(guard, [A] * 100)
        assert guard.is_over
        assert len(workers.store.asked) == 1

    def test_is_asked_each_minute_by_a_new_process_of_a_release_that_seems_old(self, workers: Workers) -> None:
        """A deployment may keep the name of the release before: recovery sees by its code that it is new."""
        workers.began(YOUNG)
        guard = workers.start()
        assert run(guard, [A]) == [False]
        workers.store.standings[RELEASE] = ReleaseStanding(workers.clock.now())
        workers.clock.advance(MINUTE)
        assert any(run(guard, [A] * 21))
        assert not guard.is_over

    def test_holds_nothing_while_it_is_down_and_is_asked_every_five_seconds(self, workers: Workers) -> None:
        guard = workers.start()
        workers.store.is_down = True
        for _ in range(100):
            assert run(guard, [A]) == [False]
            workers.clock.advance(timedelta(seconds=0.1))
        assert len(workers.store.asked) == 2

    def test_is_told_of_what_ran_while_it_was_down(self, workers: Workers) -> None:
        guard = workers.start()
        workers.store.is_down = True
        run(guard, [A] * 30)
        workers.store.is_down = False
        workers.clock.advance(5 * SECOND)
        assert run(guard, [A]) == [True]

    def test_may_fall_silent_and_what_is_held_stays_held(self, workers: Workers) -> None:
        guard = workers.start()
        run(guard, [A] * 20)
        workers.store.is_down = True
        workers.clock.advance(MINUTE)
        assert run(guard, [A] * 3) == [True] * 3

    def test_may_fall_silent_before_the_hold(self, workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
        guard = workers.start()
        asked = workers.store.add

        def silent_from_then_on(*about: object) -> ReleaseStanding:
            standing = asked(*about)  # type: ignore[arg-type]
            workers.store.is_down = True
            return standing

        run(guard, [A] * 18)
        monkeypatch.setattr(workers.store, "add", silent_from_then_on)
        assert run(guard, [A] * 5) == [False] * 5
        monkeypatch.undo()
        workers.store.is_down = False
        workers.clock.advance(5 * SECOND)
        assert run(guard, [A]) == [True]


def test_a_worker_that_was_not_first_learns_of_the_hold(workers: Workers) -> None:
    first, second = workers.start(), workers.start()
    run(first, [A] * 20)
    assert run(second, [A]) == [True]
    assert len(workers.told) == 1


def test_runs_of_an_invocation_count_for_its_own_time(workers: Workers) -> None:
    guard = workers.start()
    guard.begin()
    run(guard, [""] * 100)
    workers.clock.advance(timedelta(hours=1))  # frozen meanwhile
    guard.begin()
    run(guard, [A])
    [standing] = workers.store.standings.values()
    assert sum(standing.counts.ran.values()) == 1
