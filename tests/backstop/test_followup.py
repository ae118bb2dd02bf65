"""What watchers leave is told of each minute: many beginnings and many ends in one digest, and what got lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from backstop.budget import Reason, Window
from backstop.errors import StoreUnavailable
from backstop.followup import follow_up
from backstop.groups import Group
from backstop.memory import MemoryStore
from tests.backstop.watch_world import BUDGET, WatchWorld, group_named


def many(world: WatchWorld, groups: int, batches: int) -> None:
    """Let groups begin, spread over batches."""
    for start in range(0, groups, groups // batches):
        world.batch([world.occurrence(number) for number in range(start, start + groups // batches)])


def test_a_hundred_groups_that_begin_in_one_batch_are_one_digest_soon_after() -> None:
    world = WatchWorld()
    many(world, 100, 1)
    assert world.sent == []
    world.pass_minutes(2)
    assert len(world.sent) == len(world.digests) == 1
    assert len(world.digests[0].alerts) == 100


def test_a_hundred_groups_are_a_hundred_alerts_where_no_digest_is_wanted() -> None:
    world = WatchWorld(budget=replace(BUDGET, digest_after=0))
    many(world, 100, 1)
    assert len(world.sent) == 100
    assert not world.digests


def test_groups_that_begin_batch_by_batch_are_told_one_by_one_up_to_the_limit_then_together() -> None:
    world = WatchWorld()
    many(world, 100, 50)
    assert len(world.sent) == 20
    world.pass_minutes(6)
    assert len(world.digests) == 1
    assert len(world.digests[0].alerts) == 80
    assert len(world.sent) == 21


def test_a_digest_waits_for_groups_that_still_begin_but_not_longer_than_five_minutes() -> None:
    world = WatchWorld()
    many(world, 40, 1)
    numbers = iter(range(1000, 2000))
    world.pass_minutes(4, each=lambda: many_more(world, numbers))
    assert not world.digests
    world.pass_minutes(2, each=lambda: many_more(world, numbers))
    assert world.digests


def many_more(world: WatchWorld, numbers: Iterator[int]) -> None:
    world.batch([world.occurrence(next(numbers)) for _ in range(25)])


def test_a_group_of_a_digest_that_goes_on_is_told_of_by_itself_and_so_is_its_end() -> None:
    world = WatchWorld()
    many(world, 100, 1)
    world.pass_minutes(2)
    world.fail(200, group=7)
    world.pass_minutes(12)
    assert world.told(7) == [(Reason.MORE, 201), (Reason.END, 201)]


def test_the_ends_of_what_a_digest_told_of_are_not_told_one_by_one() -> None:
    world = WatchWorld()
    many(world, 100, 1)
    world.pass_minutes(30)
    assert len(world.sent) == 1
    assert list(world.kept.open_windows()) == []


def test_many_ends_at_once_are_one_digest() -> None:
    world = WatchWorld(budget=replace(BUDGET, digest_after=0))
    many(world, 100, 1)
    world.watching = replace(world.watching, budget=BUDGET)
    world.pass_minutes(15)
    assert len(world.sent) == 101
    assert {alert.reason for alert in world.digests[0].alerts} == {Reason.END}


def test_a_digest_that_the_topic_refused_is_told_a_minute_later() -> None:
    answers = iter([True, False])
    world = WatchWorld(refuses=lambda: next(answers))
    many(world, 100, 1)
    world.pass_minutes(4)
    assert len(world.digests) == 1


def test_a_refused_end_is_told_a_minute_later() -> None:
    answers = iter([False, True, False])
    world = WatchWorld(refuses=lambda: next(answers))
    world.fail()
    world.pass_minutes(13)
    assert world.told() == [(Reason.FIRST, 1), (Reason.END, 1)]


def test_an_end_whose_teller_died_is_told_though_its_window_is_quiet() -> None:
    world = WatchWorld()
    world.fail()
    world.clock.advance(timedelta(minutes=10))
    world.refuses = dies
    with pytest.raises(SystemExit):
        follow_up(world.watching)
    world.refuses = lambda: False
    world.pass_minutes(3)
    assert world.told() == [(Reason.FIRST, 1), (Reason.END, 1)]


def test_two_follow_ups_at_once_tell_what_got_lost_once() -> None:
    world = WatchWorld(store=LaggingStore(BUDGET), refuses=dies)
    with pytest.raises(SystemExit):
        world.fail()
    world.refuses = lambda: False
    world.clock.advance(timedelta(minutes=2))
    store = world.kept
    assert isinstance(store, LaggingStore)
    store.seen = list(MemoryStore.open_windows(store))
    for _ in range(2):
        follow_up(world.watching)
    assert world.told() == [(Reason.FIRST, 1)]


def dies() -> bool:
    raise SystemExit


def test_two_follow_ups_at_once_tell_nothing_twice() -> None:
    world = WatchWorld(store=LaggingStore(BUDGET))
    world.fail()
    world.pass_minutes(9)
    world.clock.advance(timedelta(minutes=2))
    store = world.kept
    assert isinstance(store, LaggingStore)
    store.seen = list(MemoryStore.open_windows(store))
    for _ in range(2):
        follow_up(world.watching)
    assert world.told() == [(Reason.FIRST, 1), (Reason.END, 1)]


class LaggingStore(MemoryStore):
    """A store whose index of open windows may be behind."""

    seen: list[Window] | None = None

    def open_windows(self) -> Iterator[Window]:
        return super().open_windows() if self.seen is None else iter(self.seen)


class OneUnreadable(MemoryStore):
    def look(self, group: str) -> tuple[Group, Window] | None:
        if group == group_named(1):
            raise StoreUnavailable("the item is not as it was written")
        return super().look(group)


def test_a_group_that_cannot_be_read_holds_up_no_other_one() -> None:
    world = WatchWorld(store=OneUnreadable(BUDGET))
    world.fail(group=1)
    world.fail(group=2)
    world.pass_minutes(11)
    assert world.told(2) == [(Reason.FIRST, 1), (Reason.END, 1)]


@pytest.mark.parametrize("state", ["acked_at", "silenced_until"])
def test_a_window_of_which_nothing_may_be_told_is_closed_when_it_is_over(state: str) -> None:
    world = WatchWorld()
    store = world.kept
    assert isinstance(store, MemoryStore)
    world.fail(group=1)
    store._windows[group_named(1)] = Window(group_named(1), world.clock.now(), world.clock.now(), 5)
    until = world.clock.now() + timedelta(days=1)
    store._groups[group_named(1)] = replace(store._groups[group_named(1)], **{state: until})  # type: ignore[arg-type]
    world.pass_minutes(12)
    assert list(store.open_windows()) == []
    assert len(world.sent) == 1
