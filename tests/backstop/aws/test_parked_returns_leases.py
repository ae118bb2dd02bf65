"""What every place to park promises who has the lease of a key while events are put back into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from backstop.parking import LeaseLost, Lock, Parked, Placed, State
from backstop.placing import DIGITS
from backstop.trail import Trail
from tests.backstop import NOW
from tests.fakes.parking_contract import (
    UNTIL,
    Lot,
    a_lock,
    an_event,
    lot_of,
)

LATER = NOW + timedelta(minutes=1)
R1 = Trail(verdict="dead", event_id="e1", redrive_id="r1", redrives=1)


@pytest.fixture(params=["fake", "moto"])
def lot(request: pytest.FixtureRequest) -> Iterator[Lot]:
    with lot_of(request.param) as lot:
        yield lot


def put_back(lot: Lot, number: int, trail: Trail = R1, key: str = "a") -> Placed:
    """Put an event back into its place; a key that does not wait, waits until later."""
    lock = a_lock(key, number, due=LATER, generation=9000 + number)
    return lot.parking.return_to_place(lock, an_event(number).after(trail))


def names(lot: Lot, lock: Lock) -> list[str]:
    return [event.event_id for event in lot.parking.first(lock)[1]]


class TestWhoHasTheLease:
    def test_learns_that_what_it_read_is_not_next_any_more(self, lot: Lot) -> None:
        lot.park("a", 2, 3, 4, 5)
        leased = lot.lease("a")
        assert lot.parking.remove(leased, an_event(2))
        put_back(lot, 1)
        assert not lot.parking.remove(leased, an_event(3))
        assert not lot.parking.put_aside(leased, an_event(4), NOW)
        assert lot.numbers("a") == [1, 5]
        assert lot.require_lock("a").waiting == 2
        current, events = lot.parking.first(leased)
        assert lot.parking.remove(current, events[0])

    def test_cannot_let_the_key_wait_for_what_is_not_its_head(self, lot: Lot) -> None:
        lot.park("a", 2)
        leased = lot.lease("a")
        put_back(lot, 1)
        before = lot.require_lock("a")
        assert not lot.parking.postpone(leased, an_event(2).after(R1), State.HELD, NOW)
        assert lot.parking.lock("a") == before
        assert [event.trail for event in lot.parking.events("a")] == [R1.serialise(), ""]

    def test_lets_the_key_wait_for_its_head_whatever_was_put_back_behind_it(self, lot: Lot) -> None:
        lot.park("a", 1)
        leased = lot.lease("a")
        put_back(lot, 2)
        assert lot.parking.postpone(leased, an_event(1).after(R1), State.HELD, NOW)
        lock = lot.require_lock("a")
        assert (lock.state, lock.head, lock.waiting) == (State.HELD, "e1", 2)
        assert [event.trail for event in lot.parking.events("a")] == [R1.serialise(), R1.serialise()]

    def test_that_gave_it_back_does_not_have_it_any_more(self, lot: Lot) -> None:
        lot.park("a", 2)
        leased = lot.lease("a")
        lot.parking.give_back(leased, State.WAITING, LATER)
        put_back(lot, 1)
        with pytest.raises(LeaseLost):
            lot.parking.postpone(leased, an_event(2).after(R1), State.HELD, NOW)

    def test_does_not_let_the_key_go(self, lot: Lot) -> None:
        lot.park("a", 2)
        leased = lot.lease("a")
        lot.parking.remove(leased, an_event(2))
        lock, _ = lot.parking.first(leased)
        put_back(lot, 1)
        assert not lot.parking.unlock(lock)
        assert names(lot, lock) == ["e1"]

    def test_that_another_one_has_by_now_learns_that_and_nothing_else(self, lot: Lot) -> None:
        lot.park("a", 2)
        late = lot.lease("a")
        put_back(lot, 1)
        lot.lease("a", UNTIL)
        with pytest.raises(LeaseLost):
            lot.parking.remove(late, an_event(2))
        with pytest.raises(LeaseLost):
            lot.parking.postpone(late, an_event(2).after(R1), State.HELD, NOW)
        assert lot.numbers("a") == [1, 2]


class TestWhatSqsMoved:
    """Its number is made up: 40 zeros and 24 digits."""

    FIRST, SECOND = (f"{'0' * DIGITS}{number:024}" for number in (7, 18_849_496_460_467_696_128))

    def test_comes_before_all_others_in_its_own_order(self, lot: Lot) -> None:
        lot.park("a", 1, 2)
        for sequence in (self.SECOND, self.FIRST):
            assert lot.parking.return_to_place(a_lock("a"), at(sequence)) is Placed.PARKED
        found = [event.sequence for event in lot.parking.events("a")]
        assert found[:2] == [self.FIRST, self.SECOND]
        assert [int(sequence) for sequence in found[2:]] == [1, 2]

    def test_is_taken_out_like_any_other(self, lot: Lot) -> None:
        lot.parking.return_to_place(a_lock("a", due=NOW), at(self.SECOND))
        leased = lot.lease("a")
        [event] = lot.parking.first(leased)[1]
        assert event == at(self.SECOND)
        lot.parking.put_aside(leased, event, NOW)
        assert lot.parking.look(["a"], [("a", self.SECOND)]).aside == {("a", self.SECOND)}
        assert lot.numbers("a") == []


def at(sequence: str) -> Parked:
    return replace(an_event(1), sequence=sequence, event_id=f"e{int(sequence)}")
