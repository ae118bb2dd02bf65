"""What recovery does minute by minute, in courses that people will meet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from backstop.recovery.memory import parse, resumed, serialise
from backstop.recovery.state import MappingState, Memory, SetIntake, SetSwitch, SourceMapping, Strategy
from tests.backstop import NOW
from tests.backstop.recovery.recovery_words import (
    HOLD,
    PAUSE_EVENTS,
    RESUME_EVENTS,
)
from tests.backstop.recovery.recovery_world import A_MINUTE, Stack


def test_two_circuits_open_at_once_pause_once_and_the_second_holds_it_when_the_first_closes() -> None:
    stack = Stack(dependents={"payments": frozenset({"process"}), "stock": frozenset({"process"})}, switches={})
    stack.open_since = {"payments": NOW, "stock": NOW}
    stack.minutes(3)
    del stack.open_since["payments"]
    stack.minutes(3)
    assert stack.mapping("events").state is MappingState.DISABLED
    assert [entry.cause.name for _, entry in stack.entries if entry.strategy is Strategy.PAUSE] == ["payments", "stock"]
    assert [action for _, action in stack.done if isinstance(action, SetIntake)] == [PAUSE_EVENTS]
    del stack.open_since["stock"]
    stack.minutes(7)
    assert stack.is_as_ever()


def test_a_pause_for_two_circuits_lasts_no_longer_than_one() -> None:
    stack = Stack(dependents={"payments": frozenset({"process"}), "stock": frozenset({"process"})})
    stack.open_since = {"payments": NOW}
    stack.minutes(50)
    stack.open_since = {"stock": stack.now}
    stack.minutes(12)
    assert [at - NOW for at, action in stack.done if action == RESUME_EVENTS] == [61 * A_MINUTE]


def test_after_a_trial_that_showed_nothing_it_is_paused_anew() -> None:
    stack = Stack(dependents={"payments": frozenset({"process"})}, open_since={"payments": NOW})
    stack.switches = {}
    stack.minutes(70)
    changes = [(at - NOW, one.is_enabled) for at, one in stack.done if isinstance(one, SetIntake)]
    assert changes == [(A_MINUTE, False), (61 * A_MINUTE, True), (66 * A_MINUTE, False)]


def test_a_circuit_that_flaps_each_minute_is_followed_more_and_more_slowly() -> None:
    stack = Stack(dependents={"payments": frozenset({"process"})}, switches={})
    for minute in range(120):
        stack.open_since = {"payments": stack.now} if minute % 2 == 0 else {}
        stack.minutes(1)
    resumed = [at for at, one in stack.done if one == RESUME_EVENTS]
    pairs = [later - before for before, later in pairwise(resumed)]
    assert pairs[:4] == sorted(pairs[:4])
    assert all(pair >= timedelta(minutes=15) for pair in pairs[4:])
    assert len(pairs) >= 8


def test_the_time_on_the_backup_doubles_while_both_are_down_up_to_two_hours() -> None:
    stack = Stack(open_since={"payments": NOW})
    stack.minutes(8 * 60)
    changes = [(at, one) for at, one in stack.done if isinstance(one, SetSwitch)]
    on_backup = [back[0] - there[0] for there, back in zip(changes[::2], changes[1::2], strict=False)]
    assert on_backup == [15 * A_MINUTE, 30 * A_MINUTE, 60 * A_MINUTE, 120 * A_MINUTE, 120 * A_MINUTE][: len(on_backup)]
    assert len(on_backup) >= 4
    assert [tell.is_over for _, tell in stack.told] == [False]


def test_a_trial_back_that_lasts_makes_the_next_time_on_the_backup_short_again() -> None:
    stack = Stack(open_since={"payments": NOW})
    stack.minutes(3)
    stack.open_since = {}
    stack.minutes(25)
    assert stack.is_as_ever()
    stack.open_since = {"payments": stack.now}
    stack.minutes(3)
    stack.open_since = {}
    stack.minutes(25)
    assert stack.is_as_ever()
    assert stack.written() == {"switch": 2, "switch-back": 2}


def test_a_backlog_is_scaled_up_step_by_step_and_back() -> None:
    stack = Stack(ringing=frozenset({"ordered-old"}))
    stack.minutes(10)
    assert stack.mapping("ordered").concurrency == 40
    stack.ringing = frozenset()
    stack.minutes(10)
    assert stack.is_as_ever()
    steps = [(at - NOW, one.concurrency) for at, one in stack.done if isinstance(one, SetIntake)]
    assert [(at // A_MINUTE, concurrency) for at, concurrency in steps] == [(1, 20), (4, 40), (11, 20), (14, 10)]


def test_people_are_told_of_a_circuit_that_stays_open_once_with_what_was_tried_and_of_its_end() -> None:
    stack = Stack(dependents={"payments": frozenset({"process"})}, open_since={"payments": NOW}, switches={})
    stack.minutes(40)
    [(told_at, tell)] = stack.told
    assert told_at - NOW == 15 * A_MINUTE
    assert (tell.key, tell.is_over) == ("circuit payments", False)
    assert "2026-01-01T12:01Z pause events" in tell.text
    assert all(command in tell.text for command in ("backstop circuits", "backstop recovery", "backstop resume events"))
    stack.open_since = {}
    stack.minutes(20)
    assert [(tell.key, tell.is_over) for _, tell in stack.told] == [
        ("circuit payments", False),
        ("circuit payments", True),
    ]


def test_people_are_told_of_a_cause_that_comes_and_goes_at_most_once_an_hour() -> None:
    stack = Stack()
    for minute in range(180):
        stack.holds = (replace(HOLD, since=stack.now),) if minute % 10 == 0 else stack.holds if minute % 10 < 3 else ()
        stack.minutes(1)
    begins = [at for at, tell in stack.told if not tell.is_over]
    assert len(begins) >= 3
    assert all(later - before >= 60 * A_MINUTE for before, later in pairwise(begins))
    assert sum(tell.is_over for _, tell in stack.told) == len(begins)


def test_a_cause_that_is_gone_is_forgotten_in_the_end() -> None:
    stack = Stack(dependents={"payments": frozenset({"process"})}, open_since={"payments": NOW})
    stack.minutes(20)
    stack.open_since = {}
    stack.minutes(120)
    assert replace(parse(stack.memory), version=0) == Memory()


def test_one_that_was_scaled_up_and_disabled_and_enabled_by_others_is_scaled_back() -> None:
    stack = Stack(ringing=frozenset({"events-old"}))
    stack.minutes(2)
    stack.change("events", SourceMapping(MappingState.DISABLED, 40))
    stack.minutes(5)
    stack.ringing = frozenset()
    stack.change("events", SourceMapping(MappingState.ENABLED, 40))
    stack.minutes(10)
    assert stack.is_as_ever()


def test_a_person_resumes_during_an_outage_and_it_is_tried_for_five_minutes() -> None:
    stack = Stack(dependents={"payments": frozenset({"process"})}, open_since={"payments": NOW}, switches={})
    stack.minutes(3)
    stack.memory = serialise(resumed(parse(stack.memory), "events", stack.now))
    stack.minutes(8)
    changes = [((at - NOW) // A_MINUTE, one.is_enabled) for at, one in stack.done if isinstance(one, SetIntake)]
    assert changes == [(1, False), (4, True), (8, False)]
    assert {one.concurrency for _, one in stack.done if isinstance(one, SetIntake)} == {2}
