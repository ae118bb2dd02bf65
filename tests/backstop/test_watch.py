"""Failures are counted and told of: at the counts that call for it, once each, never more than the budget."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from backstop.budget import Budget, Reason, Slots, Window
from backstop.errors import StoreUnavailable
from backstop.groups import Counted, Group
from backstop.kinds import Kind
from backstop.memory import MemoryStore
from backstop.occurrence import Tally
from tests.backstop.watch_world import BUDGET, WatchWorld, failing, group_named


class BrokenStore(MemoryStore):
    """A store that does not answer while `is_down`."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(budget)
        self.is_down = True
        self.asked = 0

    def count(self, tally: Tally, now: datetime) -> Counted:
        self.asked += 1
        if self.is_down:
            raise StoreUnavailable("the table did not answer")
        return super().count(tally, now)


class NoSlots(MemoryStore):
    """A store that counts, and does not answer when a slot is to be taken."""

    is_down = True

    def replace(self, window: Window, slots: Slots) -> bool:
        if self.is_down:
            raise StoreUnavailable("the table did not answer")
        return super().replace(window, slots)


class CountingStore(MemoryStore):
    def __init__(self, budget: Budget) -> None:
        super().__init__(budget)
        self.counts = 0

    def count(self, tally: Tally, now: datetime) -> Counted:
        self.counts += 1
        return super().count(tally, now)


def test_a_failure_is_told_of_at_once_and_then_at_each_power_of_ten() -> None:
    world = WatchWorld()
    for _ in range(5000):
        world.fail()
    assert world.told() == [
        (Reason.FIRST, 1),
        (Reason.MORE, 10),
        (Reason.MORE, 100),
        (Reason.MORE, 1000),
    ]


def test_milestones_that_one_batch_passes_together_are_told_of_in_one_alert() -> None:
    world = WatchWorld()
    world.fail(250)
    world.fail(800)
    assert world.told() == [(Reason.FIRST, 250), (Reason.MORE, 1050)]


def test_a_batch_costs_one_count_a_group_however_many_lines_it_has() -> None:
    store = CountingStore(BUDGET)
    world = WatchWorld(store=store)
    world.batch([world.occurrence(number % 7) for number in range(1000)])
    assert store.counts == 7


def test_a_batch_that_is_delivered_again_is_neither_counted_nor_told_of_again() -> None:
    world = WatchWorld()
    lines = [world.occurrence(1) for _ in range(12)]
    for _ in range(3):
        world.batch(lines, "00000001aaaaaaaa")
    assert world.told() == [(Reason.FIRST, 12)]
    assert world.kept.look(group_named(1))[0].occurrences == 12  # type: ignore[index]


def test_the_end_says_how_often_it_failed_and_how_much_was_not_shown() -> None:
    world = WatchWorld()
    world.fail(150)
    world.pass_minutes(11)
    assert world.told() == [(Reason.FIRST, 150), (Reason.END, 150)]
    last = world.sent[-1]
    assert last.not_shown == 148  # type: ignore[union-attr]
    assert list(world.kept.open_windows()) == []


def test_an_end_is_not_told_while_it_goes_on() -> None:
    world = WatchWorld()
    world.fail()
    world.pass_minutes(45, each=world.fail)
    assert [reason for reason, _ in world.told()] == [Reason.FIRST, Reason.MORE]


def test_what_still_fails_when_its_window_is_over_is_told_of_anew_with_all_that_occurred() -> None:
    world = WatchWorld()
    world.fail(30)
    world.pass_minutes(61, each=world.fail)
    assert world.told()[-1] == (Reason.STILL, 90)


def test_what_comes_back_hours_later_is_told_of_again_and_that_it_was_seen_before() -> None:
    world = WatchWorld()
    world.fail()
    world.pass_minutes(180)
    world.fail()
    assert world.told() == [(Reason.FIRST, 1), (Reason.END, 1), (Reason.FIRST, 1)]
    assert world.sent[-1].seen_before is not None  # type: ignore[union-attr]


def test_what_comes_back_within_its_window_is_told_of_while_a_slot_is_left_besides_the_end() -> None:
    world = WatchWorld(budget=replace(BUDGET, window=timedelta(hours=10)))
    for _ in range(6):
        world.fail()
        world.pass_minutes(15)
    assert [reason for reason, _ in world.told()] == [Reason.FIRST, Reason.END, Reason.AGAIN, Reason.END, Reason.END]


@pytest.mark.parametrize("limit", range(1, 11))
def test_never_more_than_the_limit_in_a_window_whatever_happens(limit: int) -> None:
    world = WatchWorld(budget=replace(BUDGET, limit=limit, window=timedelta(days=10)))
    for times in (1, 9, 90, 900, 9000, 1, 1, 1):
        world.fail(times)
        world.pass_minutes(15)
    assert len(world.told()) == limit


def test_system_faults_and_dead_heads_are_told_of_before_others() -> None:
    world = WatchWorld()
    world.batch(
        [
            world.occurrence(1, verdict="Retry", kind=Kind.TRANSIENT),
            world.occurrence(2),
            world.occurrence(3, kind=Kind.SYSTEM, verdict="Retry"),
            world.occurrence(4, source_queue="orders.fifo"),
            world.occurrence(5, is_crash=True, verdict=""),
        ]
    )
    groups = [alert.group.group for alert in world.sent]  # type: ignore[union-attr]
    assert sorted(groups[:3]) == [group_named(3), group_named(4), group_named(5)]
    assert groups[3:] == [group_named(2), group_named(1)]


def test_what_recovered_or_was_redriven_is_no_failure() -> None:
    world = WatchWorld()
    world.batch([world.occurrence(1, verdict="Done"), world.occurrence(1, verdict="Redriven")])
    assert world.sent == []
    assert world.kept.look(group_named(1)) is None


def test_nothing_is_told_of_a_silenced_group_until_its_time_is_over() -> None:
    world = WatchWorld()
    world.fail()
    change(world, silenced_until=world.clock.now() + timedelta(hours=2))
    world.pass_minutes(115, each=lambda: world.fail(3))
    assert world.told() == [(Reason.FIRST, 1)]
    world.pass_minutes(6, each=lambda: world.fail(1))
    assert [reason for reason, _ in world.told()] == [Reason.FIRST, Reason.STILL]


def test_of_a_group_that_somebody_works_on_only_the_end_is_told() -> None:
    world = WatchWorld()
    world.fail()
    change(world, acked_at=world.clock.now())
    world.fail(5000)
    assert world.told() == [(Reason.FIRST, 1)]
    world.pass_minutes(12)
    assert world.told() == [(Reason.FIRST, 1), (Reason.END, 5001)]
    world.pass_minutes(60)
    world.fail()
    assert world.told()[-1] == (Reason.FIRST, 1), "an ack ends with the failure that it was for"


def test_an_ack_holds_from_window_to_window_while_it_still_fails() -> None:
    world = WatchWorld()
    world.fail()
    change(world, acked_at=world.clock.now())
    world.pass_minutes(200, each=world.fail)
    assert world.told() == [(Reason.FIRST, 1)]


def test_a_resolved_group_that_comes_back_says_so() -> None:
    world = WatchWorld()
    world.fail(20)
    world.clock.advance(timedelta(minutes=1))
    change(world, resolved_at=world.clock.now())
    world.clock.advance(timedelta(minutes=1))
    world.fail()
    world.fail()
    assert world.told() == [(Reason.FIRST, 20), (Reason.AGAIN, 21)]


def test_an_alert_that_the_topic_refused_is_told_a_minute_later_and_uses_one_slot() -> None:
    answers = iter([True, False, False])
    world = WatchWorld(refuses=lambda: next(answers))
    assert world.fail().untold == 1
    world.pass_minutes(1)
    assert world.told() == [(Reason.FIRST, 1)]
    world.fail(9)
    assert world.told() == [(Reason.FIRST, 1), (Reason.MORE, 10)]


def test_a_watcher_that_died_after_it_took_a_slot_is_made_up_for() -> None:
    world = WatchWorld(refuses=dies)
    with pytest.raises(SystemExit):
        world.fail()
    world.refuses = lambda: False
    world.pass_minutes(1)
    assert world.told() == [], "it may be about to tell"
    world.pass_minutes(1)
    assert world.told() == [(Reason.FIRST, 1)]


def test_where_the_store_does_not_answer_people_are_told_within_a_limit_and_the_batch_comes_again() -> None:
    store = BrokenStore(BUDGET)
    world = WatchWorld(store=store)
    outcomes = [world.fail(100) for _ in range(50)]
    assert all(outcome.faults for outcome in outcomes)
    assert world.told() == [(Reason.FIRST, 100), (Reason.MORE, 1000)]


def test_a_store_that_does_not_answer_is_asked_twice_a_batch_not_once_a_group() -> None:
    store = BrokenStore(BUDGET)
    world = WatchWorld(store=store)
    world.batch([world.occurrence(number) for number in range(15)])
    assert store.asked == 2
    assert len(world.sent) == 15


def test_many_groups_that_nobody_can_count_become_one_digest() -> None:
    world = WatchWorld(store=BrokenStore(BUDGET))
    world.batch([world.occurrence(number) for number in range(300)])
    assert len(world.digests) == len(world.sent) == 1


def test_a_slot_that_could_not_be_taken_is_followed_up_and_the_batch_is_not_counted_twice() -> None:
    store = NoSlots(BUDGET)
    world = WatchWorld(store=store)
    lines = [world.occurrence(1)]
    assert world.batch(lines, "0000000100000000").faults
    store.is_down = False
    assert not world.batch(lines, "0000000100000000").faults
    world.pass_minutes(1)
    assert world.told() == [(Reason.FIRST, 1)]


def change(world: WatchWorld, group: int = 1, **fields: object) -> None:
    """Do what an operator's command does to a group."""
    store = world.kept
    assert isinstance(store, MemoryStore)
    found: Group = store._groups[group_named(group)]
    store._groups[group_named(group)] = replace(found, **fields)  # type: ignore[arg-type]  # any of its fields


def dies() -> bool:
    raise SystemExit


def test_a_topic_that_fails_three_times_in_ten_leaves_no_group_unheard_of() -> None:
    world = WatchWorld(budget=replace(BUDGET, digest_after=0), refuses=failing(0.3))
    for _ in range(20):
        world.batch([world.occurrence(number) for number in range(100)])
        world.pass_minutes(1)
    world.pass_minutes(20)
    for number in range(100):
        reasons = [reason for reason, _ in world.told(number)]
        assert reasons[0] is Reason.FIRST
        assert len(reasons) <= BUDGET.limit
        assert reasons == list(dict.fromkeys(reasons)), "no alert twice"
