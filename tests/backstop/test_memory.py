"""The store in memory: what its contract (test_stores.py) does not say."""

from __future__ import annotations

from datetime import timedelta

from backstop.memory import MAX_GROUPS, MemoryStore
from tests.backstop import NOW
from tests.backstop.store_stands import BUDGET, SLOTS, a_tally

LATER = NOW + timedelta(minutes=1)


def fill(store: MemoryStore, groups: int, after: int = 0) -> None:
    for number in range(after, after + groups):
        store.count(a_tally(number, group=f"{number:016x}"), NOW)


def test_the_group_that_was_counted_longest_ago_is_forgotten() -> None:
    store = MemoryStore(BUDGET)
    fill(store, MAX_GROUPS)
    assert len(list(store.open_windows())) == MAX_GROUPS
    store.count(a_tally(1), LATER)
    assert store.look(f"{0:016x}") is None
    assert store.look(f"{1:016x}") is not None
    assert len(list(store.open_windows())) == MAX_GROUPS


def test_a_group_that_fails_all_the_time_keeps_its_limit_whatever_many_others_begin() -> None:
    store = MemoryStore(BUDGET)
    assert store.replace(store.count(a_tally(1), NOW).window, SLOTS)
    fill(store, MAX_GROUPS - 1)
    assert store.count(a_tally(2), LATER).window.slots == SLOTS
    fill(store, MAX_GROUPS - 1, after=MAX_GROUPS)
    assert store.count(a_tally(3), LATER).window.slots == SLOTS
    assert store.look(f"{0:016x}") is None


def test_a_group_that_was_forgotten_begins_anew() -> None:
    store = MemoryStore(BUDGET)
    window = store.count(a_tally(1), NOW).window
    fill(store, MAX_GROUPS)
    assert not store.replace(window, SLOTS)
    store.close(window)
    counted = store.count(a_tally(1), LATER)
    assert (counted.before, counted.seen_before, counted.is_repeat) == (0, None, False)
