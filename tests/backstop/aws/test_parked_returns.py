"""What every place to park promises who puts an event back into its place: in memory and on DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from backstop.aws.parked import ParkedTable
from backstop.errors import StoreUnavailable
from backstop.parking import CannotPark, Lock, Placed, State
from backstop.trail import Trail
from tests.backstop import NOW
from tests.fakes.faults import Fault, Faults
from tests.fakes.parking_contract import (
    A_MOMENT,
    MOST,
    TABLE,
    UNTIL,
    Lot,
    a_lock,
    an_event,
    client_of,
    lot_of,
    table_on_moto,
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


class TestAFreeKey:
    def test_waits_with_it_from_then_on(self, lot: Lot) -> None:
        assert put_back(lot, 1) is Placed.PARKED
        assert lot.require_lock("a") == Lock("a", State.WAITING, 9001, "e1", 1, LATER, NOW)
        assert list(lot.parking.events("a")) == [an_event(1).after(R1)]
        assert lot.parking.park_behind("a", an_event(2)) is Placed.PARKED
        assert lot.numbers("a") == [1, 2]

    def test_is_nobodys_before_it_is_due(self, lot: Lot) -> None:
        put_back(lot, 1)
        assert lot.parking.lease("a", LATER - A_MOMENT, UNTIL) is None
        assert names(lot, lot.lease("a", LATER)) == ["e1"]

    def test_that_let_go_of_it_waits_for_it_anew(self, lot: Lot) -> None:
        lot.park("a", 1)
        leased = lot.lease("a")
        lot.parking.put_aside(leased, an_event(1), NOW)
        assert lot.parking.unlock(lot.parking.first(leased)[0])
        assert put_back(lot, 1) is Placed.PARKED
        assert lot.require_lock("a").generation == 9001


class TestAKeyThatWaits:
    @pytest.mark.parametrize("state", [State.WAITING, State.RUNNING])
    def test_takes_it_into_its_place_and_is_otherwise_as_it_was(self, lot: Lot, state: State) -> None:
        before = lot.park("a", 2, 4, due=NOW)
        if state is State.RUNNING:
            before = lot.lease("a")
        for number in (3, 1):
            assert put_back(lot, number) is Placed.PARKED
        assert lot.require_lock("a") == replace(before, waiting=4, returned=2)
        assert lot.numbers("a") == [1, 2, 3, 4]
        assert next(iter(lot.parking.events("a"))) == replace(an_event(1).after(R1), blocked_by="e2")

    def test_does_so_once_however_often_it_is_called(self, lot: Lot) -> None:
        lot.park("a", 2)
        for _ in range(3):
            assert put_back(lot, 1) is Placed.PARKED
        assert (lot.require_lock("a").waiting, lot.require_lock("a").returned) == (2, 1)
        assert lot.numbers("a") == [1, 2]

    def test_keeps_what_has_befallen_it_since_it_was_put_back(self, lot: Lot) -> None:
        lot.park("a", 1)
        leased = lot.lease("a")
        tried = an_event(1).after(replace(R1, verdict="retry", attempt=3))
        lot.parking.postpone(leased, tried, State.WAITING, LATER)
        assert put_back(lot, 1) is Placed.PARKED
        assert list(lot.parking.events("a")) == [tried]
        assert lot.require_lock("a").due == LATER

    def test_that_is_full_takes_no_more_but_knows_those_that_it_has(self, lot: Lot) -> None:
        lot.park("a", *range(3, MOST + 2))
        assert put_back(lot, 2) is Placed.PARKED
        with pytest.raises(CannotPark, match=str(MOST)):
            put_back(lot, 1)
        assert put_back(lot, 2) is Placed.PARKED
        assert lot.require_lock("a").waiting == len(lot.numbers("a")) == MOST

    def test_does_not_take_another_event_for_it(self, lot: Lot) -> None:
        put_back(lot, 1)
        other = replace(an_event(1), event_id="other").after(R1)
        with pytest.raises(CannotPark, match="another event"):
            lot.parking.return_to_place(a_lock("a", 1), other)
        assert list(lot.parking.events("a")) == [an_event(1).after(R1)]
        assert lot.parking.return_to_place(a_lock("a", 1), replace(other, event_id="")) is Placed.PARKED

    @pytest.mark.parametrize("there", [Trail(), replace(R1, verdict="retry")], ids=["first", "put back before"])
    def test_does_not_take_an_event_for_put_back_that_is_about_to_be_put_aside(self, lot: Lot, there: Trail) -> None:
        """Its dead letter is sent first: who deletes that, and then sees the event put aside, has lost it."""
        lot.parking.park_head(a_lock("a"), an_event(1).after(there))
        leased = lot.lease("a")
        letter = replace(R1, redrives=there.redrives + 1)
        assert put_back(lot, 1, letter) is Placed.NOT_ASIDE
        assert lot.require_lock("a") == leased
        lot.parking.put_aside(leased, an_event(1).after(there), NOW)
        assert put_back(lot, 1, letter) is Placed.PARKED
        assert lot.numbers("a") == [1]


class TestAKeyThatIsHeld:
    def test_refuses_it_and_stays_as_it_is(self, lot: Lot) -> None:
        lock = lot.park("a", 2, 3, state=State.HELD)
        assert put_back(lot, 1) is Placed.KEY_IS_HELD
        assert lot.parking.lock("a") == lock
        assert lot.numbers("a") == [2, 3]

    def test_refuses_it_though_it_is_full(self, lot: Lot) -> None:
        lot.park("a", *range(2, MOST + 2), state=State.HELD)
        assert put_back(lot, 1) is Placed.KEY_IS_HELD

    def test_knows_those_that_were_put_back(self, lot: Lot) -> None:
        put_back(lot, 1)
        leased = lot.lease("a", LATER)
        lot.parking.postpone(leased, an_event(1).after(R1), State.HELD, NOW)
        assert put_back(lot, 1) is Placed.PARKED
        assert lot.require_lock("a").waiting == 1
        assert put_back(lot, 1, replace(R1, redrives=2)) is Placed.NOT_ASIDE


class TestPutAsideAgain:
    @pytest.mark.parametrize(
        "newer",
        [
            pytest.param(replace(R1, redrive_id="r2", redrives=2), id="by another redrive"),
            pytest.param(replace(R1, redrives=2), id="by the same one"),
        ],
    )
    def test_a_letter_that_put_it_back_before_is_done_with(self, lot: Lot, newer: Trail) -> None:
        """It was back and is dead again: there is a newer dead letter of it, which puts it back once more."""
        put_back(lot, 1)
        leased = lot.lease("a", LATER)
        [event] = lot.parking.first(leased)[1]
        lot.parking.put_aside(leased, event, NOW)
        assert put_back(lot, 1) is Placed.PARKED
        assert lot.numbers("a") == []
        assert put_back(lot, 1, newer) is Placed.PARKED
        assert lot.numbers("a") == [1]

    def test_so_often_that_its_history_cannot_tell_it_is_put_back(self, lot: Lot) -> None:
        often = replace(R1, redrives=1000)
        put_back(lot, 1, often)
        leased = lot.lease("a", LATER)
        lot.parking.put_aside(leased, an_event(1).after(often), NOW)
        assert put_back(lot, 1, often) is Placed.PARKED
        assert lot.numbers("a") == [1]

    def test_before_any_redrive_it_is_put_back(self, lot: Lot) -> None:
        lot.parking.mark_aside(("a", an_event(1).sequence), NOW)
        assert put_back(lot, 1) is Placed.PARKED
        assert lot.numbers("a") == [1]

    def test_while_it_is_back_its_first_message_is_still_known_to_be_put_aside(self, lot: Lot) -> None:
        place = ("a", an_event(1).sequence)
        lot.parking.mark_aside(place, NOW)
        put_back(lot, 1)
        assert lot.parking.look(["a"], [place]).aside == {place}


class TestOnDynamoDB:
    @pytest.fixture
    def table(self) -> Iterator[ParkedTable]:
        with table_on_moto() as table:
            yield table

    def test_a_lock_of_an_earlier_release_counts_what_is_put_back_from_now_on(self, table: ParkedTable) -> None:
        lot = Lot(table)
        lot.park("a", 2, 3)
        key = {"key": {"S": "a"}, "sort": {"S": "lock"}}
        client_of("dynamodb").update_item(TableName=TABLE, Key=key, UpdateExpression="REMOVE returned")
        leased = lot.lease("a")
        assert leased.returned == 0
        assert lot.parking.remove(leased, an_event(2))
        put_back(lot, 1)
        assert not lot.parking.remove(leased, an_event(3))

    @pytest.mark.parametrize("fault", Fault)
    @pytest.mark.parametrize("operation", ["GetItem", "TransactWriteItems"])
    @pytest.mark.parametrize("waits", [True, False], ids=["a key that waits", "a free key"])
    def test_where_it_does_not_answer_the_event_may_be_put_back_again(
        self, table: ParkedTable, operation: str, fault: Fault, *, waits: bool
    ) -> None:
        lot, faults = Lot(table), Faults()
        if waits:
            lot.park("a", 2)
        faults.fail_always(operation, fault)
        with faults.installed(client_of("dynamodb")), pytest.raises(StoreUnavailable, match="did not answer"):
            put_back(lot, 1)
        assert put_back(lot, 1) is Placed.PARKED
        assert lot.numbers("a") == ([1, 2] if waits else [1])
        assert lot.require_lock("a").waiting == len(lot.numbers("a"))

    def test_a_key_that_begins_to_wait_in_between_is_asked_again(self, table: ParkedTable) -> None:
        lot = Lot(table)
        events = client_of("dynamodb").meta.events

        def park(**_: object) -> None:
            events.unregister("before-call.dynamodb.TransactWriteItems", park)
            lot.park("a", 2)

        events.register("before-call.dynamodb.TransactWriteItems", park)
        assert put_back(lot, 1) is Placed.PARKED
        assert lot.numbers("a") == [1, 2]
        assert lot.require_lock("a").head == "e2"
