"""What a recovery that may not act does: it undoes what it did, and says what it would do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backstop.recovery.mode import Mode
from backstop.recovery.plan import plan
from backstop.recovery.state import (
    Action,
    CauseKind,
    MappingState,
    Memory,
    SetIntake,
    SetSwitch,
    SourceMapping,
    Strategy,
    World,
)
from tests.backstop import NOW
from tests.backstop.recovery.recovery_words import (
    CIRCUIT_PAUSE,
    DISABLED,
    HOLD,
    ON_ITS_BACKUP,
    RESUME_EVENTS,
    after,
    at,
    events_are,
    open_for,
    paused,
    remembered,
)
from tests.backstop.recovery.recovery_world import A_MINUTE, a_world

UNDONE: dict[str, tuple[World, Memory, list[Action]]] = {
    "a pause for a circuit": (
        open_for(1, "process", now=1, mappings=events_are(DISABLED)),
        remembered(pause=CIRCUIT_PAUSE),
        [RESUME_EVENTS],
    ),
    "a pause for a release": (
        a_world(1, holds=(HOLD,), mappings=events_are(DISABLED)),
        remembered(pause=paused(CauseKind.RELEASE, "process", until=None)),
        [RESUME_EVENTS],
    ),
    "more concurrency": (
        a_world(3, ringing=frozenset({"events-old"}), mappings=at(40)),
        remembered(concurrency=40, stepped_at=NOW),
        [SetIntake("events", is_enabled=True, concurrency=20)],
    ),
    "a switch to the backup": (
        open_for(9, now=1, switches={"payments": True}),
        ON_ITS_BACKUP,
        [SetSwitch("payments", to_backup=False)],
    ),
    "but not a person's pause": (
        a_world(1, mappings=events_are(DISABLED)),
        remembered(pause=paused(CauseKind.PERSON, "ana")),
        [],
    ),
    "nor one that was adopted": (
        a_world(1, mappings=events_are(DISABLED)),
        remembered(pause=paused(CauseKind.ELSEWHERE, "events")),
        [],
    ),
}


@pytest.mark.parametrize("mode", [Mode.SUGGEST, Mode.OFF])
@pytest.mark.parametrize(("world", "memory", "actions"), UNDONE.values(), ids=UNDONE)
def test_a_recovery_that_may_not_act_undoes_what_it_did(
    world: World, memory: Memory, actions: list[Action], mode: Mode
) -> None:
    world = replace(world, mode=mode)
    done = plan(world, memory)
    assert list(done.actions) == actions
    assert plan(after(world, done), done.memory) == (done.memory, (), ())


NEW_CAUSES = {
    "a circuit": open_for(3, "process", switches={"payments": False}),
    "a release": a_world(holds=(HOLD,)),
    "a backlog": a_world(ringing=frozenset({"events-old"})),
    "disabled elsewhere": a_world(mappings=events_are(DISABLED)),
    "gone": a_world(mappings=events_are(SourceMapping(MappingState.GONE))),
}


@pytest.mark.parametrize("world", NEW_CAUSES.values(), ids=NEW_CAUSES)
def test_a_recovery_that_is_off_does_and_says_nothing(world: World) -> None:
    assert plan(replace(world, mode=Mode.OFF), Memory()) == (Memory(), (), ())


@pytest.mark.parametrize("world", NEW_CAUSES.values(), ids=NEW_CAUSES)
def test_a_suggestion_is_written_down_and_told_once_and_nothing_is_done(world: World) -> None:
    world = replace(world, mode=Mode.SUGGEST)
    done = plan(world, Memory())
    assert done.actions == ()
    assert all(entry.is_suggested or entry.strategy is Strategy.ESCALATE for entry in done.entries)
    assert done.entries
    assert len(done.memory.untold) == 1
    later = plan(replace(world, now=world.now + 30 * A_MINUTE), replace(done.memory, untold=()))
    assert (later.actions, later.memory.untold) == ((), ())


def test_what_is_suggested_is_what_would_be_done() -> None:
    acting = plan(NEW_CAUSES["a circuit"], Memory())
    suggesting = plan(replace(NEW_CAUSES["a circuit"], mode=Mode.SUGGEST), Memory())
    would = [entry for entry in suggesting.entries if entry.is_suggested]
    assert [entry._replace(is_suggested=False) for entry in would] == list(acting.entries)
    assert "pause events" in suggesting.memory.untold[0].text
