"""What people are told of and how often, by example: the decisions that test_budget_model.py puts in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from backstop.budget import (
    Budget,
    Reason,
    Slot,
    Slots,
    Window,
    confirmed,
    given_back,
    next_slots,
    taken,
    wanted,
    wanted_at_the_end,
)
from tests.backstop import NOW

AN_HOUR = timedelta(hours=1)
QUIET = timedelta(minutes=10)
A_MOMENT = timedelta(milliseconds=1)


def budget(limit: int = 5) -> Budget:
    return Budget(limit, AN_HOUR, QUIET, digest_after=20)


def window(count: int, slots: Slots = Slots(), counted_after: timedelta = timedelta()) -> Window:  # noqa: B008 # frozen
    return Window("a", NOW, NOW + counted_after, count, slots)


def took(slots: Slots, *more: Slot) -> Slots:
    """Return the slots after these alerts went out."""
    for slot in more:
        slots, slot = taken(slots, slot, NOW)
        slots = confirmed(slots, slot)
    return slots


FIRST = Slot(Reason.FIRST, 1, (1,))
TOLD = took(Slots(), FIRST)
FULL = took(TOLD, *(Slot(Reason.MORE, count, (count,)) for count in (10, 100, 1000)))


class TestMilestones:
    @pytest.mark.parametrize(
        ("limit", "milestones"),
        [(1, (1,)), (2, (1,)), (3, (1, 10)), (5, (1, 10, 100, 1000)), (10, tuple(10**n for n in range(9)))],
    )
    def test_leave_the_last_slot_to_the_end(self, limit: int, milestones: tuple[int, ...]) -> None:
        assert budget(limit).milestones == milestones


class TestWanted:
    @pytest.mark.parametrize(
        ("before", "count", "slot"),
        [
            pytest.param(0, 1, FIRST, id="the first"),
            pytest.param(0, 9, Slot(Reason.FIRST, 9, (1,)), id="a first batch of some"),
            pytest.param(0, 250, Slot(Reason.FIRST, 250, (1, 10, 100)), id="a first batch of many"),
            pytest.param(1, 9, None, id="between milestones"),
            pytest.param(9, 10, Slot(Reason.MORE, 10, (10,)), id="the tenth"),
            pytest.param(10, 11, None, id="after the tenth"),
            pytest.param(8, 2000, Slot(Reason.MORE, 2000, (10, 100, 1000)), id="several milestones in a batch"),
            pytest.param(1000, 10_000_000, None, id="after the last one"),
        ],
    )
    def test_is_an_alert_at_each_milestone_that_is_passed(self, before: int, count: int, slot: Slot | None) -> None:
        assert wanted(window(count), before, budget()) == slot

    def test_is_none_for_a_milestone_that_was_told_of(self) -> None:
        assert wanted(window(9, TOLD), 0, budget()) is None
        assert wanted(window(12, TOLD), 0, budget()) == Slot(Reason.MORE, 12, (10,))

    def test_is_none_where_only_the_slot_for_the_end_is_left(self) -> None:
        assert wanted(window(1, replace(Slots(), sent=4)), 0, budget()) is None
        assert wanted(window(1, replace(Slots(), sent=4)), 0, budget(), was_resolved=True) is None

    def test_says_that_a_failure_still_goes_on_in_the_next_window(self) -> None:
        assert wanted(window(3, Slots(carried=40, carried_sent=2)), 0, budget()) == Slot(Reason.STILL, 3, (1,))

    def test_says_that_it_is_back_where_it_was_resolved(self) -> None:
        assert wanted(window(1), 0, budget(), was_resolved=True) == Slot(Reason.AGAIN, 1, (1,))
        assert wanted(window(5, TOLD), 4, budget(), was_resolved=True) == Slot(Reason.AGAIN, 5)

    def test_says_that_it_is_back_once_after_its_end_was_told(self) -> None:
        over = took(TOLD, Slot(Reason.END, 4))
        assert wanted(window(4, over), 3, budget()) is None
        assert wanted(window(4, over), 0, budget(), was_resolved=True) is None
        back = wanted(window(5, over), 4, budget())
        assert back == Slot(Reason.AGAIN, 5)
        assert wanted(window(6, took(over, back)), 5, budget()) is None

    def test_is_none_for_a_milestone_that_was_passed_before_the_end_was_told(self) -> None:
        over = took(TOLD, Slot(Reason.END, 12))
        assert wanted(window(12, over), 0, budget()) is None
        assert wanted(window(13, over), 0, budget()) == Slot(Reason.AGAIN, 13, (10,))


class TestEnd:
    def test_is_told_once(self) -> None:
        slot = wanted_at_the_end(window(7, TOLD), budget())
        assert slot == Slot(Reason.END, 7)
        assert wanted_at_the_end(window(7, took(TOLD, slot)), budget()) is None

    def test_is_not_told_of_what_nobody_heard_of(self) -> None:
        assert wanted_at_the_end(window(7), budget()) is None

    def test_is_told_where_the_window_before_told_of_it(self) -> None:
        assert wanted_at_the_end(window(7, Slots(carried=3, carried_sent=1)), budget()) is not None

    def test_is_not_told_of_what_only_digests_told_of(self) -> None:
        in_digest = took(Slots(), replace(FIRST, in_digest=True))
        assert wanted_at_the_end(window(7, in_digest), budget()) is None
        assert wanted_at_the_end(window(17, took(in_digest, Slot(Reason.MORE, 10, (10,)))), budget()) is not None

    def test_is_not_told_in_the_next_window_of_what_only_digests_told_of(self) -> None:
        past = window(7, took(Slots(), replace(FIRST, in_digest=True)), AN_HOUR - A_MOMENT)
        carried = next_slots(past, NOW + AN_HOUR, budget())
        assert carried.carried == 7
        assert wanted_at_the_end(window(1, carried), budget()) is None

    def test_has_its_slot_where_all_others_are_used(self) -> None:
        assert wanted_at_the_end(window(5000, FULL), budget()) == Slot(Reason.END, 5000)
        assert wanted_at_the_end(window(5000, took(FULL, Slot(Reason.END, 4000))), budget()) is None

    def test_has_no_slot_where_there_is_one_only(self) -> None:
        assert wanted_at_the_end(window(1, TOLD), budget(1)) is None


class TestGiveBack:
    @pytest.mark.parametrize(
        ("slots", "slot"),
        [
            pytest.param(Slots(), FIRST, id="first"),
            pytest.param(TOLD, Slot(Reason.MORE, 120, (10, 100)), id="more"),
            pytest.param(Slots(carried=3), Slot(Reason.STILL, 1, (1,)), id="still"),
            pytest.param(TOLD, Slot(Reason.END, 5), id="end"),
            pytest.param(took(TOLD, Slot(Reason.END, 4)), Slot(Reason.AGAIN, 5), id="again"),
            pytest.param(Slots(), replace(FIRST, in_digest=True), id="in a digest"),
        ],
    )
    def test_makes_the_same_alert_wanted_again(self, slots: Slots, slot: Slot) -> None:
        with_it, own = taken(slots, slot, NOW)
        without = given_back(with_it, own)
        assert replace(without, over_at=None, taken=0) == replace(slots, over_at=None, taken=0)
        again = window(slot.count, without)
        plain = replace(slot, in_digest=False)
        assert plain in (wanted(again, 0, budget()), wanted_at_the_end(again, budget()))

    def test_frees_one_slot_however_often_it_is_done(self) -> None:
        with_it, own = taken(TOLD, Slot(Reason.MORE, 10, (10,)), NOW)
        once = given_back(with_it, own)
        assert given_back(once, own) == once == replace(TOLD, taken=TOLD.taken + 1)

    def test_twice_frees_no_slot_that_was_taken_for_the_same_in_that_second(self) -> None:
        with_it, own = taken(TOLD, Slot(Reason.MORE, 10, (10,)), NOW)
        with_both, other = taken(given_back(with_it, own), Slot(Reason.MORE, 10, (10,)), NOW)
        assert given_back(with_both, own) == with_both
        assert with_both.pending == (other,)

    def test_frees_no_slot_of_an_alert_that_was_confirmed(self) -> None:
        with_it, own = taken(TOLD, Slot(Reason.MORE, 10, (10,)), NOW)
        assert given_back(confirmed(with_it, own), own).sent == 2

    def test_of_an_end_keeps_one_that_was_told_of_later(self) -> None:
        first, early = taken(TOLD, Slot(Reason.END, 5), NOW)
        both, _ = taken(first, Slot(Reason.END, 6), NOW)
        assert given_back(both, early).over_at == 6

    def test_keeps_what_is_not_known_of_others(self) -> None:
        one, first = taken(Slots(), FIRST, NOW)
        two, more = taken(one, Slot(Reason.MORE, 10, (10,)), NOW)
        assert given_back(two, first).pending == (more,)
        assert confirmed(two, more).pending == (first,)


class TestNextSlots:
    def test_carry_what_still_fails(self) -> None:
        past = window(40, replace(FULL, carried=2, carried_sent=1, digests=1), AN_HOUR - QUIET + A_MOMENT)
        assert next_slots(past, NOW + AN_HOUR, budget()) == Slots(carried=42, carried_sent=5, digests=1)

    def test_are_fresh_after_a_quiet_time(self) -> None:
        assert next_slots(window(40, FULL, AN_HOUR - QUIET), NOW + AN_HOUR, budget()) == Slots()

    def test_are_fresh_after_an_end_that_was_told(self) -> None:
        over = took(TOLD, Slot(Reason.END, 4))
        assert next_slots(window(5, over, AN_HOUR - A_MOMENT), NOW + AN_HOUR, budget()) == Slots()


class TestWindow:
    @pytest.mark.parametrize(("after", "is_past"), [(AN_HOUR - A_MOMENT, False), (AN_HOUR, True)])
    def test_is_past_when_its_time_is_over(self, after: timedelta, is_past: bool) -> None:
        assert window(1, counted_after=after).is_past(NOW + after, budget()) == is_past

    @pytest.mark.parametrize(("after", "is_quiet"), [(QUIET - A_MOMENT, False), (QUIET, True)])
    def test_is_quiet_when_nothing_was_counted_for_some_time(self, after: timedelta, is_quiet: bool) -> None:
        assert window(1, counted_after=AN_HOUR).is_quiet(NOW + AN_HOUR + after, budget()) == is_quiet


class TestSerialise:
    @pytest.mark.parametrize("slots", [Slots(), FULL, taken(FULL, Slot(Reason.END, 5), NOW)[0]])
    def test_is_read_back_as_it_was(self, slots: Slots) -> None:
        assert Slots.parse(slots.serialise()) == slots
        assert Slots.parse(slots.serialise()).serialise() == slots.serialise()

    @pytest.mark.parametrize(
        "text",
        ["", "{", "null", "[]", "{}", '"text"', "1", '{"pending": [{}]}', '{"pending": [], "milestones": [], "x": 1}'],
    )
    def test_raises_what_it_says_where_it_is_something_else(self, text: str) -> None:
        with pytest.raises((ValueError, TypeError, KeyError)):
            Slots.parse(text)
