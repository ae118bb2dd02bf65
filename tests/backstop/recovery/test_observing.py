"""What recovery cannot see stays as it was wanted; what fails stops nothing else; what it may not do it leaves."""

from __future__ import annotations

import pytest

from backstop.errors import StoreUnavailable
from backstop.recovery.mode import Mode
from backstop.recovery.state import MappingState, SourceMapping, Strategy
from backstop.release_counts import Hold
from tests.backstop.recovery.recovering_world import (
    EVENTS,
    LONGEST_PAUSE,
    MINUTE,
    ORDERED,
    OUTAGE,
    PAUSED_AT,
    START,
    World,
    after,
    calls_of,
    weather,
)

FIRST_TOLD = next(minute for minute in range(1, 60) if "tell" in calls_of(minute))
"""The minute in which people are told of the outage."""


class TestWhatCannotBeSeen:
    PLACES = ("circuits", "holds", "seen", "alarms", "switches", "look id-events", "look shop-process")

    @pytest.mark.parametrize("place", PLACES)
    def test_is_a_fault_of_the_run_which_does_the_rest(self, place: str) -> None:
        world = World(failing={place}, ringing={ORDERED.age_alarm} if place != "alarms" else set())
        world.mappings[ORDERED.mapping_id] = SourceMapping(MappingState.ENABLED, 10)
        outcome = world.run()
        assert [str(fault) for fault in outcome.faults] == [place] * (2 if place == "seen" else 1)
        if place != "alarms":
            assert world.mappings[ORDERED.mapping_id].concurrency == 20

    @pytest.mark.parametrize("place", PLACES)
    def test_for_a_minute_changes_nothing(self, place: str) -> None:
        for minute in (PAUSED_AT + 1, PAUSED_AT + 20):
            world, other = after(minute), after(minute)
            world.failing = {place}
            world.minutes(1, weather)
            other.minutes(1, weather)
            assert world.mappings == other.mappings
            assert world.told == other.told

    @pytest.mark.parametrize("place", ["circuits", "holds", "alarms", "switches"])
    def test_for_ever_leaves_nothing_paused_for_ever(self, place: str) -> None:
        world = after(PAUSED_AT + 5)
        world.failing = {place}
        states: list[bool] = []
        world.minutes(LONGEST_PAUSE // MINUTE, lambda world: states.append(world.is_enabled()))
        assert any(states), "it is resumed on trial, and may be paused anew after that"

    def test_a_mapping_is_left_alone_until_it_is_seen(self) -> None:
        world = after(PAUSED_AT - 1)
        world.failing = {"look id-events"}
        world.minutes(3, weather)
        assert world.is_enabled()
        world.failing.clear()
        world.minutes(1, weather)
        assert not world.is_enabled()

    def test_a_release_stays_held(self) -> None:
        world = World(held=[Hold(EVENTS.function, "r2", "a" * 16, 18, 20, START)])
        world.minutes(1)
        assert not world.is_enabled()
        world.failing = {"holds"}
        world.minutes(120)
        assert not world.is_enabled()
        assert len(world.told) == 1
        world.failing.clear()
        world.held.clear()
        world.minutes(20)
        assert world.is_enabled()

    def test_a_backup_stays_in_use(self) -> None:
        world = World(switches={"payments": False})
        world.minutes(PAUSED_AT + 4, weather)
        assert world.switches == {"payments": True}
        world.failing = {"switches"}
        world.minutes(2, weather)
        world.failing.clear()
        world.minutes(1, weather)
        assert world.switches == {"payments": True}

    def test_the_memory_is_the_end_of_the_run(self) -> None:
        world = World(failing={"memory"}, open_since=START)
        with pytest.raises(StoreUnavailable):
            world.run()
        assert world.calls == ["memory"]

    def test_whether_it_remembers_is_the_end_of_the_run_too(self) -> None:
        world = World(failing={"remember"}, open_since=START)
        with pytest.raises(StoreUnavailable):
            world.run()
        assert world.is_enabled(), "what nobody remembers is not done"


class TestWhatFails:
    def test_an_action_does_not_stop_the_next_and_is_tried_again(self) -> None:
        world = World(open_since=START, ringing={ORDERED.age_alarm}, failing={"set id-events"})
        outcome = world.run()
        assert [str(fault) for fault in outcome.faults] == ["set id-events"]
        assert world.mappings[ORDERED.mapping_id].concurrency == 20
        world.failing.clear()
        world.minutes(1)
        assert not world.is_enabled()

    @pytest.mark.parametrize("how", ["refused", "in doubt"])
    def test_telling_is_tried_again_until_it_is_done(self, how: str) -> None:
        told_at = FIRST_TOLD
        world = after(told_at - 1)
        world.failing, world.doubtful = ({"tell"}, False) if how == "refused" else (set(), True)
        world.minutes(2, weather)
        left = world.memory.untold
        world.failing, world.doubtful = set(), False
        world.minutes(1, weather)
        assert (len(left), len(world.memory.untold)) == (1, 0)
        assert len(set(world.told)) == 1

    def test_what_an_earlier_run_left_untold_an_alert_leaves_to_the_minute(self) -> None:
        told_at = FIRST_TOLD
        world = after(told_at - 1)
        world.failing = {"tell"}
        world.minutes(1, weather)
        world.failing.clear()
        world.run(is_reconcile=False)
        assert world.told == []
        world.run()
        assert len(world.told) == 1


class TestAMode:
    def test_off_does_nothing(self) -> None:
        world = World(mode=Mode.OFF)
        world.minutes(OUTAGE[1], weather)
        assert world.is_enabled()
        assert (world.told, world.written) == ([], [])

    def test_suggest_tells_and_writes_what_it_would_do(self) -> None:
        world = World(mode=Mode.SUGGEST)
        world.minutes(OUTAGE[1], weather)
        assert world.is_enabled()
        assert any(entry.is_suggested and entry.strategy is Strategy.PAUSE for entry in world.written)
        assert world.told

    @pytest.mark.parametrize("mode", [Mode.OFF, Mode.SUGGEST])
    def test_that_may_not_pause_resumes_what_was_paused(self, mode: Mode) -> None:
        world = after(PAUSED_AT + 3)
        world.mode = mode
        world.minutes(1, weather)
        assert world.is_enabled()


def test_a_person_who_disables_an_intake_is_not_overruled_for_the_longest_pause() -> None:
    world = World()
    world.mappings[EVENTS.mapping_id] = SourceMapping(MappingState.DISABLED, 10)
    world.minutes(LONGEST_PAUSE // MINUTE - 1)
    assert not world.is_enabled()
    world.minutes(3)
    assert world.is_enabled()


def test_a_mapping_that_is_changing_is_left_alone() -> None:
    world = World(open_since=START)
    world.mappings[EVENTS.mapping_id] = SourceMapping(MappingState.CHANGING, 10)
    world.minutes(2)
    assert "set id-events" not in world.calls
    world.mappings[EVENTS.mapping_id] = SourceMapping(MappingState.ENABLED, 10)
    world.minutes(1)
    assert not world.is_enabled()


def test_a_mapping_that_is_gone_is_told_once() -> None:
    world = World()
    world.mappings[EVENTS.mapping_id] = SourceMapping(MappingState.GONE)
    world.minutes(30)
    assert len(world.told) == 1
