"""What every store of groups promises whoever counts failures: in memory, in DynamoDB, on Valkey or Redis."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from backstop.budget import Slots, next_slots
from backstop.kinds import Kind
from backstop.occurrence import Severity
from tests.backstop import NOW
from tests.backstop.store_stands import A_MINUTE, A_MOMENT, BUDGET, GROUP, OTHER, SLOTS, Stand, a_tally

T = TypeVar("T")

WATCHERS = 8
STRANGE_TEXTS = {
    "empty": "",
    "long": "x" * 512,
    "Korean": "재고가 부족합니다: 주문 ⟨id⟩",
    "beyond the basic plane": "🛒" * 256,
    "controls": "a\tb\nc\r\x00\x1b[31m",
    "what Lua, JSON and DynamoDB read": "\"'\\]] {}:#firsts#1 :value\u2028",
    "a number": "0",
    "blanks": "  ",
}


def at_once(work: Callable[[int], T], times: int) -> list[T]:
    """Do something many times, eight at a time, in turns that are as short as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(WATCHERS) as pool:
            return list(pool.map(work, range(times)))
    finally:
        sys.setswitchinterval(interval)


class CountContract:
    """What `count` promises."""

    def test_opens_a_window_for_a_group_that_was_not_known(self, stand: Stand) -> None:
        counted = stand.count(1, 3)
        assert (counted.before, counted.window.count) == (0, 3)
        assert (counted.window.group, counted.window.opened, counted.window.counted_at) == (GROUP, NOW, NOW)
        assert counted.window.slots == Slots()
        assert (counted.replaced, counted.seen_before) == (None, None)
        assert (counted.was_resolved, counted.is_repeat) == (False, False)
        assert counted.group.occurrences == 3

    def test_grows_the_window_that_is_open(self, stand: Stand) -> None:
        stand.count(1, 3)
        later = NOW + BUDGET.window - A_MOMENT
        counted = stand.count(2, 4, later)
        assert (counted.before, counted.window.count) == (3, 7)
        assert (counted.window.opened, counted.window.counted_at) == (NOW, later)
        assert counted.replaced is None
        assert counted.group.occurrences == 7

    def test_grows_the_window_of_a_watcher_whose_clock_is_ahead(self, stand: Stand) -> None:
        stand.count(1)
        counted = stand.count(2, 1, NOW - A_MINUTE)
        assert (counted.before, counted.window.count, counted.window.opened) == (1, 2, NOW)

    @pytest.mark.parametrize("since", [A_MINUTE, BUDGET.quiet], ids=["still failing", "after a quiet time"])
    def test_lets_a_window_past_its_time_give_way(self, stand: Stand, since: timedelta) -> None:
        stand.count(1, 3)
        now = NOW + BUDGET.window
        counted = stand.count(2, 4, now - since)
        slots = Slots(sent=2, milestones=(1,))
        assert stand.store.replace(counted.window, slots)
        past = stand.window()
        counted = stand.count(3, 5, now)
        assert (counted.before, counted.window.count, counted.window.opened) == (0, 5, now)
        assert counted.replaced == past
        assert counted.window.slots == next_slots(past, now, BUDGET)
        assert counted.window.slots.carried == (7 if since < BUDGET.quiet else 0)
        assert counted.group.occurrences == 12

    def test_counts_a_batch_that_is_delivered_again_once(self, stand: Stand) -> None:
        stand.count(1, 3)
        first = stand.count(2, 4)
        known = stand.store.look(GROUP)
        again = stand.count(2, 4, NOW + A_MINUTE)
        assert again.is_repeat
        assert (again.group, again.window) == (first.group, first.window)
        assert again.before == again.window.count == 7
        assert stand.store.look(GROUP) == known

    def test_counts_a_batch_that_comes_again_after_its_window_once(self, stand: Stand) -> None:
        stand.count(1, 3)
        later = NOW + BUDGET.window
        stand.count(2, 4, later)
        assert stand.count(1, 3, later).is_repeat
        assert stand.count(2, 4, later + BUDGET.window).is_repeat
        assert (stand.window().count, stand.group().occurrences) == (4, 7)

    def test_counts_a_batch_for_each_of_its_groups(self, stand: Stand) -> None:
        stand.count(1, 3)
        counted = stand.count(1, 4, group=OTHER)
        assert not counted.is_repeat
        assert (stand.window(GROUP).count, stand.window(OTHER).count) == (3, 4)

    def test_adds_up_whatever_many_watchers_count_at_once(self, stand: Stand) -> None:
        sizes = [1, 7, 2, 30, 4] * 16
        counts = at_once(lambda batch: stand.count(batch, sizes[batch]), len(sizes))
        assert stand.window().count == stand.group().occurrences == sum(sizes)
        spans = sorted((one.before, one.window.count) for one in counts)
        assert [before for before, _ in spans] == [0, *(after for _, after in spans[:-1])]
        for milestone in BUDGET.milestones:
            crossed = [one for one in counts if one.before < milestone <= one.window.count]
            assert len(crossed) == (milestone <= sum(sizes))

    def test_opens_one_window_for_many_watchers_at_once(self, stand: Stand) -> None:
        stand.count(99)
        later = NOW + BUDGET.window
        counts = at_once(lambda batch: stand.count(batch, 1, later), WATCHERS)
        assert [one.replaced is not None for one in counts].count(True) == 1
        assert sorted(one.before for one in counts) == [*range(WATCHERS)]

    def test_counts_a_batch_that_two_watchers_have_at_once_once(self, stand: Stand) -> None:
        counts = at_once(lambda _: stand.count(1, 3), WATCHERS)
        assert [one.is_repeat for one in counts].count(False) == 1
        assert stand.window().count == stand.group().occurrences == 3

    def test_returns_what_a_look_returns_to_the_microsecond(self, stand: Stand) -> None:
        now = NOW + timedelta(microseconds=1_234_567)
        for batch in (1, 2):
            counted = stand.count(batch, 1, now)
            assert (counted.group, counted.window) == stand.store.look(GROUP)
            assert abs(counted.window.opened - now) <= A_MOMENT
        later = now + BUDGET.window + A_MOMENT
        counted = stand.count(3, 1, later)
        assert (counted.group, counted.window) == stand.store.look(GROUP)
        assert stand.store.replace(counted.window, SLOTS)


class GroupContract:
    """What is known of a group."""

    def test_nothing_is_of_one_that_was_not_counted(self, stand: Stand) -> None:
        stand.count(1)
        assert stand.store.look(OTHER) is None

    def test_it_says_what_its_sample_says(self, stand: Stand) -> None:
        names = ("error_type", "error", "where", "function", "stage", "event_id", "queue")
        texts: dict[str, Any] = {name: f"the {name}" for name in names}
        parts = (("type", "KeyError"), ("stage", ""))
        tally = a_tally(1, kind=Kind.SYSTEM, verdict="Dead", release="r1", parts=parts, **texts)
        group = stand.store.count(tally, NOW).group
        assert group == stand.group()
        assert {name: getattr(group, name) for name in texts} == texts
        assert (group.kind, group.verdict, group.release) == (Kind.SYSTEM, "Dead", "r1")
        assert (group.severity, group.parts, group.releases) == (Severity.ERROR, parts, frozenset({"r1"}))

    @pytest.mark.parametrize("text", STRANGE_TEXTS.values(), ids=STRANGE_TEXTS)
    def test_its_texts_are_as_they_were_given(self, stand: Stand, text: str) -> None:
        names = ("error_type", "error", "where", "function", "release", "event_id", "queue")
        texts: dict[str, Any] = dict.fromkeys(names, text)
        for batch in (1, 2):
            group = stand.count(batch, parts=((text, text),), **texts).group
            assert group == stand.group()
            assert {name: getattr(group, name) for name in texts} == texts
            assert group.parts == ((text, text),)

    def test_it_says_nothing_that_its_last_sample_does_not(self, stand: Stand) -> None:
        stand.count(1, error="gone", where="orders.price", release="r1")
        group = stand.count(2).group
        assert (group.error, group.where, group.release) == ("", "", "")
        assert group == stand.group()

    def test_it_knows_when_it_was_first_and_last_seen(self, stand: Stand) -> None:
        began, went_on, later = NOW - A_MINUTE, NOW + A_MINUTE, NOW + 2 * A_MINUTE
        stand.count(1, 2, at=began, until=NOW)
        counted = stand.count(2, 2, later, at=NOW, until=went_on)
        assert (counted.group.first_seen, counted.group.last_seen) == (began, went_on)
        assert counted.group.counted_at == later
        assert counted.seen_before == NOW
        assert counted.group == stand.group()

    def test_it_tells_when_it_was_seen_before_its_window(self, stand: Stand) -> None:
        stand.count(1, at=NOW - A_MINUTE)
        counted = stand.count(2, 1, NOW + 2 * BUDGET.window, at=NOW + 2 * BUDGET.window)
        assert counted.seen_before == NOW - A_MINUTE

    def test_it_tells_once_that_it_was_resolved(self, stand: Stand) -> None:
        stand.count(1)
        stand.decide(GROUP, {"resolved_at": NOW + A_MINUTE})
        assert stand.count(2, 1, NOW + 2 * A_MINUTE).was_resolved
        assert not stand.count(3, 1, NOW + 3 * A_MINUTE).was_resolved

    def test_it_tells_that_it_was_resolved_where_its_window_has_given_way_since(self, stand: Stand) -> None:
        stand.count(1)
        stand.decide(GROUP, {"resolved_at": NOW + A_MINUTE})
        assert stand.count(2, 1, NOW + BUDGET.window).was_resolved

    def test_what_people_decided_stays_when_more_is_counted(self, stand: Stand) -> None:
        stand.count(1)
        decided = {"acked_at": NOW, "silenced_until": NOW + A_MINUTE, "resolved_at": NOW - A_MINUTE}
        stand.decide(GROUP, decided)
        group = stand.count(2).group
        assert {name: getattr(group, name) for name in decided} == decided
        assert group == stand.group()

    def test_it_names_no_more_than_20_releases(self, stand: Stand) -> None:
        for number in range(25):
            group = stand.count(number, release=f"r{number:02}").group
            assert len(group.releases) == len(stand.group().releases) == min(number + 1, 20)
        assert stand.group().release == "r24"
