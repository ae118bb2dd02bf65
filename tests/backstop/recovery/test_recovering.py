"""A run of recovery: remembered first, done then, told last; killed anywhere or run twice, it comes out the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.circuits.state import Opening, Standing
from backstop.recovery.mode import Mode
from backstop.recovery.state import MappingState, SourceMapping, Strategy
from tests.backstop.recovery.recovering_world import (
    ALL,
    EVENTS,
    MINUTE,
    ORDERED,
    PAUSED_AT,
    START,
    Killed,
    World,
    after,
    calls_of,
    weather,
)

MOST_CALLS: Final = 16
"""More than a run makes."""
UNDISTURBED: Final = after(ALL)
BUSY: Final = [minute for minute in range(1, ALL) if "remember" in calls_of(minute)]
"""The minutes in which there is something to remember, to do or to tell."""
POINTS: Final = [
    pytest.param(minute, call, moment, id=f"minute {minute}, {moment} call {call + 1}: {name}")
    for minute in BUSY
    for call, name in enumerate(calls_of(minute))
    for moment in ("before", "after")
]
"""All that a kill, or another run, can come between."""


class TestUndisturbed:
    def test_pauses_what_depends_on_an_open_circuit_and_nothing_else(self) -> None:
        world = after(PAUSED_AT)
        assert not world.is_enabled(EVENTS)
        assert world.is_enabled(ORDERED)

    def test_remembers_before_it_acts_and_tells_after(self) -> None:
        calls = calls_of(PAUSED_AT)
        assert calls[0] == "memory"
        assert calls.index("remember") < calls.index("set id-events")
        [told_at] = [minute for minute in BUSY[1:] if "tell" in calls_of(minute)][:1]
        calls = calls_of(told_at)
        assert calls[-3:] == ["remember", "tell", "remember"]

    def test_has_all_as_it_was_in_the_end_and_told_beginning_and_end(self) -> None:
        assert UNDISTURBED.mappings["id-events"] == SourceMapping(MappingState.ENABLED, 10)
        assert [tell.is_over for tell in UNDISTURBED.told] == [False, True]
        assert UNDISTURBED.memory.untold == ()

    def test_writes_nothing_where_nothing_is_the_matter(self) -> None:
        world = World()
        world.minutes(3)
        assert "remember" not in world.calls
        assert world.memory.version == 0

    def test_says_each_minute_which_releases_run(self) -> None:
        world = after(2)
        assert world.seen == [(one.function, "r1", "abc") for _ in range(2) for one in (EVENTS, ORDERED)]

    def test_looks_for_holds_after_it_said_which_release_is_live(self) -> None:
        calls = calls_of(1)
        assert max(place for place, call in enumerate(calls) if call == "seen") < calls.index("holds")

    def test_measures_how_long_what_stands_still(self) -> None:
        world = after(PAUSED_AT + 4)
        world.now += MINUTE
        assert world.run().measures == {"IntakesPaused": 1, "CircuitsOpen": 1, "PausedSeconds": 300.0}
        assert World().run().measures == {"IntakesPaused": 0, "CircuitsOpen": 0, "PausedSeconds": 0.0}


class TestKilled:
    @pytest.mark.parametrize(("minute", "call", "moment"), POINTS)
    def test_at_any_call_leaves_nothing_paused_undone_or_untold(self, minute: int, call: int, moment: str) -> None:
        world = after(minute - 1)
        world.kill(call, moment)
        with pytest.raises(Killed):
            world.minutes(1, weather)
        world.minutes(ALL + 5 - minute, weather)
        assert world.mappings == UNDISTURBED.mappings
        assert [tell.is_over for tell in dict.fromkeys(world.told)] == [False, True]
        assert world.memory.untold == ()

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, MOST_CALLS), st.sampled_from(["before", "after"])), max_size=ALL))
    def test_again_and_again_it_comes_to_the_same_end(self, kills: list[tuple[int, str]]) -> None:
        world = World()
        for call, moment in kills:
            world.kill(call, moment)
            try:
                world.minutes(1, weather)
            except Killed:
                continue
        world.befalls = None
        world.minutes(2 * ALL - len(kills), weather)
        assert world.mappings == UNDISTURBED.mappings
        assert world.memory.untold == ()
        begun = {tell.key for tell in world.told if not tell.is_over}
        assert {tell.key for tell in world.told if tell.is_over} == begun

    def test_between_remembering_and_acting_it_acts_a_minute_later(self) -> None:
        world = after(PAUSED_AT - 1)
        world.kill(calls_of(PAUSED_AT).index("set id-events"), "before")
        with pytest.raises(Killed):
            world.minutes(1, weather)
        assert world.is_enabled()
        world.minutes(1, weather)
        assert not world.is_enabled()
        assert [entry.strategy for entry in world.written] == [Strategy.PAUSE]


def sticking() -> World:
    """Return a world in which one environment of `shop-process` opens a circuit again and again."""
    world = World()
    openings = tuple(Opening(START - number * MINUTE, "environment-1", EVENTS.function) for number in (3, 2, 1))
    world.openings = Standing("payments", openings=openings)
    return world


class TestARestart:
    def test_is_made_once(self) -> None:
        world = sticking()
        world.minutes(5)
        assert world.restarted == [EVENTS.function]

    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_that_was_remembered_and_not_made_is_made_up_for(self, moment: str) -> None:
        world = sticking()
        calls = sticking()
        calls.minutes(1)
        world.kill(calls.calls.index(f"restart {EVENTS.function}"), moment)
        with pytest.raises(Killed):
            world.minutes(1)
        world.minutes(5)
        assert world.restarted == [EVENTS.function]

    def test_is_not_made_up_for_where_a_deployment_did_it(self) -> None:
        world = sticking()
        world.failing = {f"restart {EVENTS.function}"}
        world.minutes(1)
        world.failing.clear()
        world.deployed[EVENTS.function] = world.deployed[EVENTS.function]._replace(renewed_at=world.now + MINUTE)
        world.minutes(5)
        assert world.restarted == []

    @pytest.mark.parametrize("mode", [Mode.SUGGEST, Mode.OFF])
    def test_is_not_made_up_for_where_recovery_may_not(self, mode: Mode) -> None:
        world = sticking()
        world.failing = {f"restart {EVENTS.function}"}
        world.minutes(1)
        world.failing.clear()
        world.mode = mode
        world.minutes(5)
        assert world.restarted == []


class TestTwoAtOnce:
    @pytest.mark.parametrize(("minute", "call", "moment"), POINTS)
    def test_do_and_tell_once_wherever_an_alert_lets_the_second_in(self, minute: int, call: int, moment: str) -> None:
        world = after(minute - 1)
        world.befall(call, moment, lambda: _ignored(lambda: world.run(is_reconcile=False)))
        world.minutes(1, weather)
        world.minutes(ALL - minute, weather)
        assert world.mappings == UNDISTURBED.mappings
        assert world.written == UNDISTURBED.written
        assert world.told == UNDISTURBED.told

    def test_the_one_that_remembers_second_does_nothing(self) -> None:
        world = after(PAUSED_AT - 1)
        world.befall(calls_of(PAUSED_AT).index("remember"), "before", lambda: _ignored(world.run))
        world.now += MINUTE
        weather(world)
        outcome = world.run()
        assert (outcome.is_first, outcome.actions, outcome.told) == (False, (), ())
        assert world.calls.count("set id-events") == 1

    def test_what_was_told_is_forgotten_although_somebody_else_writes(self) -> None:
        told_at = next(minute for minute in BUSY if "tell" in calls_of(minute))
        world = after(told_at - 1)

        def write() -> None:
            world.memory = replace(world.memory, version=world.memory.version + 1)

        world.befall(calls_of(told_at).index("tell"), "after", write)
        world.minutes(1, weather)
        assert world.memory.untold == ()


def _ignored(run: Callable[[], object]) -> None:
    run()
