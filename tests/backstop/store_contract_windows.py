"""What every store of groups promises whoever changes budgets and closes windows: the contract's other half."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from backstop.budget import STORM, Slots
from tests.backstop import NOW
from tests.backstop.store_contract import WATCHERS, at_once
from tests.backstop.store_stands import A_MINUTE, A_MOMENT, BUDGET, GROUP, OTHER, SLOTS, Stand

ONE_SENT = Slots(sent=1, milestones=(1,))


class ReplaceContract:
    """What `replace` promises: others' slots are never overwritten, and no count is."""

    def test_puts_other_slots_in_place(self, stand: Stand) -> None:
        window = stand.count(1).window
        assert stand.store.replace(window, SLOTS)
        assert stand.window() == replace(window, slots=SLOTS)
        assert stand.count(2).window.slots == SLOTS

    def test_takes_back_what_it_put(self, stand: Stand) -> None:
        window = stand.count(1).window
        assert stand.store.replace(window, SLOTS)
        assert stand.store.replace(stand.window(), window.slots)
        assert stand.window() == window

    def test_does_nothing_where_the_slots_are_others_by_now(self, stand: Stand) -> None:
        window = stand.count(1).window
        assert stand.store.replace(window, ONE_SENT)
        assert not stand.store.replace(window, SLOTS)
        assert stand.window().slots == ONE_SENT

    def test_keeps_what_was_counted_since(self, stand: Stand) -> None:
        window = stand.count(1).window
        stand.count(2, 5, NOW + A_MINUTE)
        assert stand.store.replace(window, SLOTS)
        assert (stand.window().count, stand.window().counted_at) == (6, NOW + A_MINUTE)

    def test_does_nothing_where_the_window_has_given_way(self, stand: Stand) -> None:
        window = stand.count(1).window
        new = stand.count(2, 1, NOW + BUDGET.window).window
        assert new.slots == window.slots
        assert not stand.store.replace(window, SLOTS)
        assert stand.window() == new

    def test_does_nothing_where_nothing_is_known(self, stand: Stand) -> None:
        window = stand.count(1).window
        assert not stand.store.replace(replace(window, group=OTHER), SLOTS)
        assert stand.store.look(OTHER) is None

    def test_one_of_many_at_once_succeeds(self, stand: Stand) -> None:
        window = stand.count(1).window
        each = [Slots(sent=number) for number in range(1, WATCHERS + 1)]
        done = at_once(lambda number: stand.store.replace(window, each[number]), WATCHERS)
        assert done.count(True) == 1
        assert stand.window().slots == each[done.index(True)]

    def test_counts_and_slots_that_change_at_once_are_all_kept(self, stand: Stand) -> None:
        stand.count(999)

        def count_and_take(batch: int) -> None:
            stand.count(batch)
            while True:
                window = stand.window()
                if stand.store.replace(window, replace(window.slots, sent=window.slots.sent + 1)):
                    return

        at_once(count_and_take, 40)
        assert (stand.window().count, stand.window().slots.sent) == (41, 40)


class CloseContract:
    """What `open_windows` and `close` promise: no window is forgotten, and one that goes on is not closed."""

    def test_a_window_is_open_once_it_is_counted_in(self, stand: Stand) -> None:
        assert stand.open() == set()
        stand.count(1, 2)
        stand.count(2, 3, NOW + A_MINUTE)
        stand.count(3, 4, group=OTHER)
        assert stand.store.replace(stand.window(OTHER), SLOTS)
        windows = {window.group: window for window in stand.store.open_windows()}
        assert windows == {GROUP: stand.window(), OTHER: stand.window(OTHER)}

    def test_every_one_of_many_is_told_of_once(self, stand: Stand) -> None:
        groups = [f"{number:016x}" for number in range(120)]
        for group in groups:
            stand.count(1, group=group)
        assert sorted(window.group for window in stand.store.open_windows()) == groups

    def test_one_that_is_closed_is_open_no_more_and_still_known(self, stand: Stand) -> None:
        window = stand.count(1).window
        stand.count(1, group=OTHER)
        for _ in range(2):
            stand.store.close(window)
            assert stand.open() == {OTHER}
            assert stand.window() == window

    @pytest.mark.parametrize("after", [A_MINUTE, 2 * BUDGET.window], ids=["the same", "the next"])
    def test_one_that_is_closed_is_open_again_when_it_is_counted_in(self, stand: Stand, after: timedelta) -> None:
        stand.store.close(stand.count(1).window)
        counted = stand.count(2, 1, NOW + after)
        assert [*stand.store.open_windows()] == [counted.window]
        assert counted.before == (1 if after < BUDGET.window else 0)

    def test_one_that_grew_meanwhile_stays_open(self, stand: Stand) -> None:
        window = stand.count(1).window
        stand.decide(GROUP, {"acked_at": NOW})
        stand.count(2)
        stand.store.close(window)
        assert stand.open() == {GROUP}
        assert stand.group().acked_at == NOW

    def test_one_whose_slots_changed_meanwhile_stays_open(self, stand: Stand) -> None:
        window = stand.count(1).window
        assert stand.store.replace(window, SLOTS)
        stand.store.close(window)
        assert stand.open() == {GROUP}

    def test_one_that_gave_way_does_not_close_the_next(self, stand: Stand) -> None:
        window = stand.count(1).window
        stand.count(2, 1, NOW + BUDGET.window)
        stand.store.close(window)
        assert stand.open() == {GROUP}

    def test_one_of_which_nothing_is_known_is_none(self, stand: Stand) -> None:
        window = stand.count(1).window
        stand.store.close(replace(window, group=OTHER))
        assert stand.open() == {GROUP}
        assert stand.store.look(OTHER) is None

    def test_an_ack_ends_with_the_failure_that_it_was_for(self, stand: Stand) -> None:
        window = stand.count(1).window
        stand.decide(GROUP, {"acked_at": NOW, "silenced_until": NOW + A_MINUTE})
        stand.store.close(window)
        assert stand.open() == set()
        assert stand.group().acked_at is None
        assert stand.group().silenced_until == NOW + A_MINUTE

    def test_no_window_is_lost_where_counts_and_closes_meet(self, stand: Stand) -> None:
        stand.count(999)

        def count_or_close(number: int) -> None:
            if number % 2:
                stand.count(number)
            else:
                stand.store.close(stand.window())

        at_once(count_or_close, 60)
        last = stand.count(1000).window
        assert [*stand.store.open_windows()] == [last]
        stand.store.close(last)
        assert stand.open() == set()


class FirstsContract:
    """What `add_firsts` promises."""

    def test_adds_up_what_begins_within_five_minutes(self, stand: Stand) -> None:
        sums = [stand.store.add_firsts(count, NOW + after) for count, after in ((1, 0 * STORM), (3, STORM - A_MOMENT))]
        assert sums == [1, 4]

    def test_begins_anew_after_five_minutes(self, stand: Stand) -> None:
        stand.store.add_firsts(7, NOW)
        assert stand.store.add_firsts(2, NOW + STORM) == 2

    def test_adds_up_what_many_watchers_add_at_once(self, stand: Stand) -> None:
        assert sorted(at_once(lambda _: stand.store.add_firsts(1, NOW), 40)) == [*range(1, 41)]

    def test_is_no_group(self, stand: Stand) -> None:
        stand.store.add_firsts(1, NOW)
        assert stand.open() == set()
