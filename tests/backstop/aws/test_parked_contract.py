"""What every place to park promises whoever takes events in and whoever counts keys: in memory and on DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from backstop.parking import CannotPark, Census, LeaseLost, Placed, Seen, State
from tests.backstop import NOW
from tests.fakes.parking_contract import A_MOMENT, LEASE, MOST, UNTIL, Lot, a_lock, an_event, lot_of

A_MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["fake", "moto"])
def lot(request: pytest.FixtureRequest) -> Iterator[Lot]:
    with lot_of(request.param) as lot:
        yield lot


class TestLook:
    def test_tells_the_keys_that_wait_and_nothing_of_others(self, lot: Lot) -> None:
        lock = lot.park("a", 1, 2)
        assert lot.parking.look(["a", "b"]) == Seen({"a": lock}, frozenset(), 0)

    def test_tells_how_many_keys_waited_when_they_were_last_counted(self, lot: Lot) -> None:
        lot.park("a", 1)
        lot.park("b", 1)
        lot.parking.count(NOW)
        lot.park("c", 1)
        assert lot.parking.look(["x"]).parked_keys == 2

    def test_a_key_may_be_called_like_anything_else_in_the_table(self, lot: Lot) -> None:
        lot.parking.count(NOW)
        lock = lot.park("totals", 1)
        assert lot.parking.count(NOW) == Census(1, 0, NOW)
        assert lot.parking.look(["totals", "lock"]) == Seen({"totals": lock}, frozenset(), 1)


class TestAside:
    """An event without which its key goes on: its message may come again, and must not be run after the others."""

    def test_is_known_of_an_event_that_was_never_parked(self, lot: Lot) -> None:
        for _ in range(2):
            lot.parking.mark_aside(("a", "1"), NOW)
        assert lot.parking.look(["a"], [("a", "1"), ("a", "2"), ("b", "1")]).aside == {("a", "1")}

    def test_is_known_of_a_parked_event_that_is_taken_out(self, lot: Lot) -> None:
        lot.park("a", 1, 2)
        leased = lot.lease("a")
        for _ in range(2):
            lot.parking.put_aside(leased, an_event(1), NOW)
        places = [("a", an_event(number).sequence) for number in (1, 2)]
        assert lot.parking.look(["a"], places).aside == {places[0]}
        assert (lot.numbers("a"), lot.require_lock("a").waiting) == ([2], 1)

    def test_is_not_of_one_that_is_done(self, lot: Lot) -> None:
        lot.park("a", 1, 2)
        lot.parking.remove(lot.lease("a"), an_event(1))
        assert lot.parking.look(["a"], [("a", an_event(1).sequence)]).aside == frozenset()

    def test_is_no_lock_and_no_event(self, lot: Lot) -> None:
        lot.parking.mark_aside(("a", "1"), NOW)
        assert lot.parking.lock("a") is None
        assert list(lot.parking.events("a")) == []
        assert lot.parking.count(NOW) == Census(0, 0, None)

    def test_cannot_be_done_without_the_lease(self, lot: Lot) -> None:
        lot.park("a", 1, 2)
        late = lot.lease("a")
        lot.lease("a", UNTIL)
        with pytest.raises(LeaseLost):
            lot.parking.put_aside(late, an_event(1), NOW)
        assert lot.parking.look(["a"], [("a", an_event(1).sequence)]).aside == frozenset()


class TestParkHead:
    @pytest.mark.parametrize("state", [State.WAITING, State.HELD])
    def test_makes_the_key_wait_with_its_event(self, lot: Lot, state: State) -> None:
        lock = lot.park("a", 1, state=state)
        assert (lock.key, lock.state, lock.generation, lock.head, lock.waiting) == ("a", state, 7000, "e1", 1)
        assert list(lot.parking.events("a")) == [an_event(1)]

    def test_a_key_that_waits_is_left_as_it_is(self, lot: Lot) -> None:
        lock = lot.park("a", 1)
        other = a_lock("a", 2, state=State.HELD, generation=9000)
        assert lot.parking.park_head(other, an_event(2)) is Placed.KEY_WAITS
        assert lot.parking.lock("a") == lock
        assert lot.numbers("a") == [1]

    def test_a_head_that_was_parked_by_an_earlier_call_is_told_so_by_parking_it_behind(self, lot: Lot) -> None:
        lot.park("a", 1)
        assert lot.parking.park_head(a_lock("a", 1, generation=9000), an_event(1)) is Placed.KEY_WAITS
        assert lot.parking.park_behind("a", an_event(1)) is Placed.PARKED
        assert lot.require_lock("a").waiting == 1


class TestParkBehind:
    def test_counts_each_event(self, lot: Lot) -> None:
        assert lot.park("a", 1, 2, 3).waiting == 3

    def test_parked_twice_counts_once(self, lot: Lot) -> None:
        lot.park("a", 1, 2)
        assert lot.parking.park_behind("a", an_event(2)) is Placed.PARKED
        assert lot.require_lock("a").waiting == 2
        assert lot.numbers("a") == [1, 2]

    def test_a_key_that_does_not_wait_is_free_and_stays_so(self, lot: Lot) -> None:
        assert lot.parking.park_behind("a", an_event(1)) is Placed.KEY_IS_FREE
        assert lot.parking.lock("a") is None
        assert lot.numbers("a") == []

    def test_a_full_key_takes_no_more_but_knows_those_that_it_has(self, lot: Lot) -> None:
        lot.park("a", *range(1, MOST + 1))
        with pytest.raises(CannotPark, match=str(MOST)):
            lot.parking.park_behind("a", an_event(MOST + 1))
        assert lot.parking.park_behind("a", an_event(MOST)) is Placed.PARKED
        assert lot.require_lock("a").waiting == len(lot.numbers("a")) == MOST

    def test_a_key_that_is_held_takes_more(self, lot: Lot) -> None:
        assert lot.park("a", 1, 2, state=State.HELD).state is State.HELD
        assert lot.numbers("a") == [1, 2]

    def test_what_was_parked_tells_what_it_waits_for(self, lot: Lot) -> None:
        lot.park("a", 1, 2)
        assert [event.blocked_by for event in lot.parking.events("a")] == ["", "e1"]


class TestOrder:
    def test_is_that_of_the_numbers_whatever_their_length(self, lot: Lot) -> None:
        numbers = [10**19 - 1, 10**20, 9, 10, 18_849_496_460_467_696_128, 2**127]
        lot.park("a", *numbers)
        _, events = lot.parking.first(lot.lease("a"))
        assert [int(event.sequence) for event in events] == lot.numbers("a") == sorted(numbers)

    def test_beyond_a_page_the_rest_comes_when_the_first_are_gone(self, lot: Lot) -> None:
        lot.park("a", *range(1, 26))
        lock, drained = lot.lease("a"), []
        while events := lot.parking.first(lock)[1]:
            for event in events:
                drained.append(int(event.sequence))
                lot.parking.remove(lock, event)
        assert drained == list(range(1, 26))
        assert lot.require_lock("a").waiting == 0

    def test_keys_do_not_see_each_others_events(self, lot: Lot) -> None:
        lot.park("a", 1, 3)
        lot.park("a#", 2)
        assert lot.numbers("a") == [1, 3]
        _, events = lot.parking.first(lot.lease("a#"))
        assert [event.event_id for event in events] == ["e2"]


class TestDue:
    def test_the_longest_due_come_first_and_no_more_than_asked_for(self, lot: Lot) -> None:
        for key, minutes in (("b", 1), ("c", 2), ("a", 3), ("later", -1)):
            lot.park(key, 1, due=NOW - minutes * A_MINUTE)
        assert lot.parking.due(NOW, 10) == ["a", "c", "b"]
        assert lot.parking.due(NOW, 2) == ["a", "c"]

    def test_the_very_moment_counts_and_the_one_before_it_does_not(self, lot: Lot) -> None:
        lot.park("a", 1, due=NOW)
        assert lot.parking.due(NOW, 10) == ["a"]
        assert lot.parking.due(NOW - A_MOMENT, 10) == []

    def test_a_held_key_never_is(self, lot: Lot) -> None:
        lot.park("a", 1, state=State.HELD)
        assert lot.parking.due(NOW + timedelta(days=3650), 10) == []

    def test_a_leased_key_is_when_its_lease_has_run_out(self, lot: Lot) -> None:
        lot.park("a", 1)
        lot.lease("a")
        assert lot.parking.due(UNTIL - A_MOMENT, 10) == []
        assert lot.parking.due(UNTIL, 10) == ["a"]


class TestCount:
    def test_of_an_empty_lot_is_nothing(self, lot: Lot) -> None:
        assert lot.parking.count(NOW) == Census(0, 0, None)

    def test_tells_keys_held_ones_and_since_when_one_is_due(self, lot: Lot) -> None:
        for key, minutes in (("a", 1), ("b", 5), ("later", -1)):
            lot.park(key, 1, 2, due=NOW - minutes * A_MINUTE)
        lot.park("held", 1, state=State.HELD)
        assert lot.parking.count(NOW) == Census(4, 1, NOW - 5 * A_MINUTE)

    def test_a_key_is_not_overdue_while_it_is_leased(self, lot: Lot) -> None:
        lot.park("a", 1, due=NOW - A_MINUTE)
        lot.lease("a")
        assert lot.parking.count(NOW) == Census(1, 0, None)

    def test_counts_more_keys_than_a_page_and_names_them_all(self, lot: Lot) -> None:
        for number in range(120):
            lot.park(f"k{number:03}", 1, due=NOW + number * A_MINUTE)
        lot.park("held", 1, state=State.HELD)
        assert lot.parking.count(NOW - A_MINUTE) == Census(121, 1, None)
        assert [lock.key for lock in lot.parking.locks()] == [*(f"k{number:03}" for number in range(120)), "held"]


class TestClaim:
    def test_a_held_key_stays_held_until_it_is_given_back(self, lot: Lot) -> None:
        held = lot.park("a", 1, state=State.HELD)
        claimed = lot.parking.claim(held, NOW, UNTIL)
        assert claimed.generation != held.generation
        assert lot.require_lock("a").state is State.HELD
        assert lot.parking.lease("a", UNTIL + LEASE, UNTIL + 2 * LEASE) is None
        lot.parking.give_back(claimed, State.WAITING, NOW)
        assert lot.lease("a").state is State.RUNNING

    def test_a_waiting_key_is_leased_before_its_time(self, lot: Lot) -> None:
        lock = lot.park("a", 1, due=NOW + A_MINUTE)
        claimed = lot.parking.claim(lock, NOW, UNTIL)
        assert (claimed.state, claimed.due) == (State.RUNNING, UNTIL)
        assert lot.parking.lease("a", NOW, UNTIL) is None

    @pytest.mark.parametrize("state", [State.HELD, State.WAITING])
    def test_of_two_that_saw_the_same_lock_one_gets_it(self, lot: Lot, state: State) -> None:
        lock = lot.park("a", 1, state=state)
        claimed = lot.parking.claim(lock, NOW, UNTIL)
        with pytest.raises(LeaseLost):
            lot.parking.claim(lock, NOW, UNTIL)
        assert lot.parking.lock("a") == claimed

    def test_a_lock_that_changed_or_is_gone_is_not_claimed(self, lot: Lot) -> None:
        held = lot.park("a", 1, state=State.HELD)
        lot.parking.give_back(held, State.WAITING, NOW)  # the same generation, and waits by now
        with pytest.raises(LeaseLost):
            lot.parking.claim(held, NOW, UNTIL)
        with pytest.raises(LeaseLost):
            lot.parking.claim(a_lock("b"), NOW, UNTIL)

    def test_a_lease_is_claimed_only_when_it_has_run_out(self, lot: Lot) -> None:
        lot.park("a", 1)
        leased = lot.lease("a")
        with pytest.raises(LeaseLost):
            lot.parking.claim(leased, UNTIL - A_MOMENT, UNTIL + LEASE)
        assert lot.parking.claim(leased, UNTIL, UNTIL + LEASE).generation != leased.generation
