"""What every place to park promises who has a lease, and keeps from who lost it: in memory and on DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from backstop.parking import LeaseLost, Lock, Parked, Placed, State
from backstop.trail import Trail
from tests.backstop import NOW
from tests.fakes.parking_contract import A_MOMENT, LEASE, UNTIL, Lot, a_lock, an_event, lot_of

LATER = NOW + timedelta(minutes=1)
TRAIL = Trail(attempt=2, event_id="e1", reason="no price yet")


@pytest.fixture(params=["fake", "moto"])
def lot(request: pytest.FixtureRequest) -> Iterator[Lot]:
    with lot_of(request.param) as lot:
        yield lot


class TestLease:
    def test_is_the_takers_alone(self, lot: Lot) -> None:
        lock = lot.park("a", 1, 2)
        leased = lot.parking.lease("a", NOW, UNTIL)
        assert leased == Lock("a", State.RUNNING, lock.generation + 1, "e1", 2, UNTIL, NOW)
        assert lot.parking.lock("a") == leased
        assert lot.parking.lease("a", NOW, UNTIL) is None

    @pytest.mark.parametrize(
        ("state", "due"),
        [pytest.param(State.WAITING, NOW + A_MOMENT, id="not due"), pytest.param(State.HELD, NOW, id="held")],
    )
    def test_is_refused(self, lot: Lot, state: State, due: datetime) -> None:
        lock = lot.park("a", 1, state=state, due=due)
        assert lot.parking.lease("a", NOW, UNTIL) is None
        assert lot.parking.lock("a") == lock

    def test_there_is_none_of_a_key_that_does_not_wait(self, lot: Lot) -> None:
        assert lot.parking.lease("a", NOW, UNTIL) is None
        assert lot.parking.lock("a") is None

    def test_is_taken_over_when_it_has_run_out(self, lot: Lot) -> None:
        lot.park("a", 1)
        first = lot.lease("a")
        assert lot.parking.lease("a", UNTIL - A_MOMENT, UNTIL + LEASE) is None
        assert lot.lease("a", UNTIL).generation > first.generation

    def test_whose_answer_was_lost_runs_out(self, lot: Lot) -> None:
        lot.park("a", 1)
        lot.lease("a")  # and nobody knows that they have it
        assert lot.parking.lease("a", NOW, UNTIL) is None
        assert lot.lease("a", UNTIL).waiting == 1


class TestFirst:
    def test_tells_what_was_parked_since_the_lease(self, lot: Lot) -> None:
        lot.park("a", 1)
        leased = lot.lease("a")
        lot.parking.park_behind("a", an_event(2))
        lock, events = lot.parking.first(leased)
        assert (lock.generation, lock.waiting) == (leased.generation, 2)
        assert [event.event_id for event in events] == ["e1", "e2"]


class TestRemove:
    def test_forgets_the_event_and_counts_it_off(self, lot: Lot) -> None:
        lot.park("a", 1, 2)
        lot.parking.remove(lot.lease("a"), an_event(1))
        assert lot.numbers("a") == [2]
        assert lot.require_lock("a").waiting == 1

    def test_counts_off_once_however_often_it_is_called(self, lot: Lot) -> None:
        lot.park("a", 1, 2)
        leased = lot.lease("a")
        for _ in range(3):
            lot.parking.remove(leased, an_event(1))
        assert lot.numbers("a") == [2]
        assert lot.require_lock("a").waiting == 1

    def test_an_event_that_comes_again_after_it_was_removed_is_parked_in_its_place(self, lot: Lot) -> None:
        lot.park("a", 1, 2)
        lot.parking.remove(lot.lease("a"), an_event(1))
        assert lot.parking.park_behind("a", an_event(1)) is Placed.PARKED
        assert lot.numbers("a") == [1, 2]
        assert lot.require_lock("a").waiting == 2


class TestPostpone:
    @pytest.mark.parametrize("state", [State.WAITING, State.HELD])
    @pytest.mark.parametrize("times", [1, 2], ids=["once", "again, after its answer was lost"])
    def test_gives_the_lease_back_and_keeps_what_befell_the_head(self, lot: Lot, state: State, times: int) -> None:
        lot.park("a", 1, 2, 3)
        leased = lot.lease("a")
        lot.parking.remove(leased, an_event(1))
        for _ in range(times):
            lot.parking.postpone(leased, an_event(2, blocked_by="e1").after(TRAIL), state, LATER)
        lock = lot.require_lock("a")
        assert (lock.state, lock.head, lock.waiting) == (state, "e2", 2)
        assert list(lot.parking.events("a")) == [an_event(2).after(TRAIL), an_event(3, blocked_by="e1")]

    def test_where_somebody_took_the_head_away_the_others_go_on(self, lot: Lot) -> None:
        """As a person may, in the console: there is nothing left that could hold the key."""
        lot.park("a", 1, 2)
        leased = lot.lease("a")
        lot.parking.remove(leased, an_event(1))
        lot.parking.postpone(leased, an_event(1).after(TRAIL), State.HELD, LATER)
        assert (lot.require_lock("a").state, lot.require_lock("a").due) == (State.WAITING, LATER)

    def test_the_key_is_due_when_it_was_said(self, lot: Lot) -> None:
        lot.park("a", 1)
        lot.parking.postpone(lot.lease("a"), an_event(1).after(TRAIL), State.WAITING, LATER)
        assert lot.parking.lease("a", LATER - A_MOMENT, UNTIL) is None
        assert lot.parking.due(LATER, 10) == ["a"]

    def test_a_dead_head_holds_its_key(self, lot: Lot) -> None:
        lot.park("a", 1)
        lot.parking.postpone(lot.lease("a"), an_event(1).after(TRAIL), State.HELD, NOW)
        assert lot.parking.lease("a", LATER, LATER + LEASE) is None
        assert lot.parking.due(LATER, 10) == []


class TestGiveBack:
    @pytest.mark.parametrize("times", [1, 2], ids=["once", "again, after its answer was lost"])
    def test_lets_the_next_one_go_on_when_the_key_is_due(self, lot: Lot, times: int) -> None:
        lot.park("a", 1, 2)
        leased = lot.lease("a")
        for _ in range(times):
            lot.parking.give_back(leased, State.WAITING, LATER)
        assert lot.parking.lease("a", LATER - A_MOMENT, UNTIL) is None
        assert lot.lease("a", LATER).waiting == 2


class TestUnlock:
    def test_lets_a_key_go_that_has_no_events_left(self, lot: Lot) -> None:
        lock = emptied(lot)
        assert lot.parking.unlock(lock)
        assert lot.parking.lock("a") is None
        assert lot.parking.park_behind("a", an_event(2)) is Placed.KEY_IS_FREE

    def test_refuses_when_an_event_was_parked_since_the_lock_was_read(self, lot: Lot) -> None:
        lock = emptied(lot)
        lot.parking.park_behind("a", an_event(2))
        assert not lot.parking.unlock(lock)
        current, events = lot.parking.first(lock)
        assert [event.event_id for event in events] == ["e2"]
        lot.parking.remove(current, events[0])
        assert lot.parking.unlock(lot.parking.first(lock)[0])

    def test_called_again_after_its_answer_was_lost_finds_nothing_to_do(self, lot: Lot) -> None:
        lock = emptied(lot)
        lot.parking.unlock(lock)
        assert not lot.parking.unlock(lock)
        with pytest.raises(LeaseLost):
            lot.parking.first(lock)

    def test_does_not_let_go_what_waits_anew_since(self, lot: Lot) -> None:
        lock = emptied(lot)
        lot.parking.unlock(lock)
        anew = a_lock("a", 2, generation=lock.generation + 1000)
        lot.parking.park_head(anew, an_event(2))
        assert not lot.parking.unlock(lock)
        assert lot.parking.lock("a") == anew


def emptied(lot: Lot) -> Lock:
    """Return the lock, just read, of a leased key without events."""
    lot.park("a", 1)
    leased = lot.lease("a")
    lot.parking.remove(leased, an_event(1))
    lock, events = lot.parking.first(leased)
    assert not events
    return lock


def head_of(lot: Lot) -> Parked:
    return next(iter(lot.parking.events("a")))


ACTS: dict[str, Callable[[Lot, Lock], object]] = {
    "first": lambda lot, lock: lot.parking.first(lock),
    "remove": lambda lot, lock: lot.parking.remove(lock, head_of(lot)),
    "postpone": lambda lot, lock: lot.parking.postpone(lock, head_of(lot).after(TRAIL), State.HELD, NOW),
    "give_back": lambda lot, lock: lot.parking.give_back(lock, State.WAITING, NOW),
}


class TestALateWorker:
    """One whose lease ran out, and whose key is another one's by now."""

    @pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
    def test_learns_that_it_is_late_and_changes_nothing(self, lot: Lot, act: Callable[[Lot, Lock], object]) -> None:
        lot.park("a", 1, 2)
        late = lot.lease("a")
        current = lot.lease("a", UNTIL)
        with pytest.raises(LeaseLost):
            act(lot, late)
        assert lot.parking.lock("a") == current
        assert list(lot.parking.events("a")) == [an_event(1), an_event(2, blocked_by="e1")]

    @pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
    def test_does_nothing_to_a_key_that_waits_anew(self, lot: Lot, act: Callable[[Lot, Lock], object]) -> None:
        late = emptied(lot)
        lot.parking.unlock(late)
        anew = a_lock("a", 2, generation=late.generation + 1000)
        lot.parking.park_head(anew, an_event(2))
        with pytest.raises(LeaseLost):
            act(lot, late)
        assert lot.parking.lock("a") == anew
        assert list(lot.parking.events("a")) == [an_event(2)]

    def test_cannot_unlock(self, lot: Lot) -> None:
        late = emptied(lot)
        current = lot.lease("a", UNTIL)
        assert not lot.parking.unlock(late)
        assert lot.parking.lock("a") == current

    def test_cannot_remove_what_is_gone_already(self, lot: Lot) -> None:
        lot.park("a", 1, 2)
        late = lot.lease("a")
        lot.parking.remove(lot.lease("a", UNTIL), an_event(1))
        with pytest.raises(LeaseLost):
            lot.parking.remove(late, an_event(1))
        assert lot.require_lock("a").waiting == 1
