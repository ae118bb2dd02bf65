"""What recovery does about each cause, by example: the decisions that test_recovery_model.py puts in any order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backstop.circuits.state import CircuitState, Opening
from backstop.recovery.plan import plan
from backstop.recovery.state import (
    Action,
    Cause,
    CauseKind,
    IntakeMemory,
    MappingState,
    Memory,
    Plan,
    Restart,
    SetIntake,
    SetSwitch,
    SourceMapping,
    Strategy,
    SwitchMemory,
    World,
)
from tests.backstop import NOW
from tests.backstop.recovery.recovery_words import (
    CIRCUIT_PAUSE,
    DISABLED,
    HOLD,
    ON_ITS_BACKUP,
    PAUSE_EVENTS,
    RESUME_EVENTS,
    after,
    at,
    events_are,
    open_for,
    paused,
    remembered,
)
from tests.backstop.recovery.recovery_world import A_MINUTE, EVENTS, ORDERED, a_world, an_open

PAYMENTS = Cause(CauseKind.CIRCUIT, "payments")


def strategies(done: Plan) -> list[Strategy]:
    return [entry.strategy for entry in done.entries]


FIRST_DECISIONS: dict[str, tuple[World, Memory, list[Action], list[Strategy]]] = {
    "nothing is the matter": (a_world(), Memory(), [], []),
    "a circuit opens: what depends on it is paused, and nothing else": (
        open_for(0, "process"),
        Memory(),
        [PAUSE_EVENTS],
        [Strategy.PAUSE],
    ),
    "both lanes depend on one circuit": (
        open_for(0, "process", "process-ordered"),
        Memory(),
        [PAUSE_EVENTS, SetIntake("ordered", is_enabled=False, concurrency=2)],
        [Strategy.PAUSE, Strategy.PAUSE],
    ),
    "a circuit on which nothing depends is open": (open_for(5), Memory(), [], []),
    "a mapping that changes is paused later": (
        open_for(0, "process", mappings=events_are(SourceMapping(MappingState.CHANGING, 20))),
        Memory(),
        [],
        [Strategy.PAUSE],
    ),
    "a mapping that nobody has looked at": (open_for(0, "process", mappings={}), Memory(), [], [Strategy.PAUSE]),
    "the backup is used after two minutes": (
        open_for(2, switches={"payments": False}),
        Memory(),
        [SetSwitch("payments", to_backup=True)],
        [Strategy.SWITCH],
    ),
    "the backup is not used before": (open_for(1.9, switches={"payments": False}), Memory(), [], []),
    "somebody else uses the backup already": (open_for(5, switches={"payments": True}), Memory(), [], []),
    "a release fails: paused, and people are told": (
        a_world(holds=(HOLD,)),
        Memory(),
        [PAUSE_EVENTS],
        [Strategy.PAUSE, Strategy.ESCALATE],
    ),
    "events wait too long": (
        a_world(ringing=frozenset({"events-old"})),
        Memory(),
        [SetIntake("events", is_enabled=True, concurrency=40)],
        [Strategy.SCALE_UP],
    ),
    "events wait too long because a circuit is open": (
        open_for(0, "process", ringing=frozenset({"events-old"})),
        Memory(),
        [PAUSE_EVENTS],
        [Strategy.PAUSE],
    ),
    "events wait too long, and what is open matters to others only": (
        open_for(0, "process-ordered", ringing=frozenset({"events-old"}), mappings={}),
        remembered(concurrency=None),
        [],
        [Strategy.PAUSE],
    ),
    "the highest concurrency is the normal one": (
        a_world(ringing=frozenset({"events-old"}), bounds=replace(a_world().bounds, most=20)),
        Memory(),
        [],
        [],
    ),
    "a mapping without a concurrency of its own is left as it is": (
        a_world(mappings=events_are(SourceMapping(MappingState.ENABLED, None))),
        Memory(),
        [],
        [],
    ),
    "a concurrency that a deployment or a person set is left as it is": (a_world(mappings=at(7)), Memory(), [], []),
    "disabled elsewhere: adopted as a pause, and people are told": (
        a_world(mappings=events_are(DISABLED)),
        Memory(),
        [],
        [Strategy.PAUSE, Strategy.ESCALATE],
    ),
    "gone: people are told, and nothing else": (
        a_world(mappings=events_are(SourceMapping(MappingState.GONE))),
        remembered(pause=CIRCUIT_PAUSE),
        [],
        [Strategy.ESCALATE],
    ),
    "an intake that is not there any more is forgotten": (
        a_world(intakes=(ORDERED,)),
        remembered(pause=CIRCUIT_PAUSE),
        [],
        [],
    ),
    "pausing was not done: it is asked for again, and written down once": (
        open_for(1, "process", now=1),
        remembered(pause=CIRCUIT_PAUSE, paused_at=(NOW,)),
        [PAUSE_EVENTS],
        [],
    ),
    "the circuit is closed, but the pause was not long enough": (
        a_world(0.5, mappings=events_are(DISABLED)),
        remembered(pause=CIRCUIT_PAUSE, paused_at=(NOW,)),
        [],
        [],
    ),
    "the circuit is closed: resumed at the lowest concurrency": (
        a_world(1, mappings=events_are(DISABLED)),
        remembered(pause=CIRCUIT_PAUSE, paused_at=(NOW,)),
        [RESUME_EVENTS],
        [Strategy.RESUME],
    ),
    "a half-open circuit is not closed": (
        a_world(
            1,
            circuits=(an_open("payments", NOW, "process", state=CircuitState.HALF_OPEN),),
            mappings=events_are(DISABLED),
        ),
        remembered(pause=CIRCUIT_PAUSE, paused_at=(NOW,)),
        [],
        [],
    ),
    "a pause takes too long: resumed on trial": (
        open_for(60, "process", now=60, mappings=events_are(DISABLED)),
        remembered(pause=CIRCUIT_PAUSE, paused_at=(NOW,)),
        [RESUME_EVENTS],
        [Strategy.RESUME, Strategy.ESCALATE],
    ),
    "on trial, it is not paused again": (
        open_for(3, "process", now=3, mappings=at(2)),
        remembered(concurrency=2, stepped_at=NOW, trial_until=NOW + 5 * A_MINUTE),
        [],
        [],
    ),
    "after its trial, it is": (
        open_for(5, "process", now=5, mappings=at(2)),
        remembered(concurrency=2, stepped_at=NOW, trial_until=NOW + 5 * A_MINUTE),
        [PAUSE_EVENTS],
        [Strategy.PAUSE],
    ),
    "nobody probes: resumed, so that somebody does": (
        a_world(4, circuits=(an_open("payments", NOW, "process"),), mappings=events_are(DISABLED)),
        remembered(pause=CIRCUIT_PAUSE, paused_at=(NOW,)),
        [RESUME_EVENTS],
        [Strategy.RESUME],
    ),
    "nobody may probe while an operator holds it open": (
        a_world(
            4,
            circuits=(an_open("payments", NOW, "process", forced_until=NOW + 9 * A_MINUTE),),
            mappings=events_are(DISABLED),
        ),
        remembered(pause=CIRCUIT_PAUSE, paused_at=(NOW,)),
        [],
        [],
    ),
    "resuming was not done: it is asked for again, and nobody else is blamed": (
        a_world(3, mappings=events_are(DISABLED)),
        remembered(concurrency=2, stepped_at=NOW, is_resuming=True),
        [RESUME_EVENTS],
        [],
    ),
    "resumed: doubled after a minute": (
        a_world(1, mappings=at(2)),
        remembered(concurrency=2, stepped_at=NOW, is_resuming=True),
        [SetIntake("events", is_enabled=True, concurrency=4)],
        [],
    ),
    "resumed: not before": (
        a_world(0.9, mappings=at(2)),
        remembered(concurrency=2, stepped_at=NOW, is_resuming=True),
        [],
        [],
    ),
    "a step that AWS has not taken is not followed by another": (
        a_world(9, mappings=at(2)),
        remembered(concurrency=4, stepped_at=NOW),
        [SetIntake("events", is_enabled=True, concurrency=4)],
        [],
    ),
    "the last step is to the normal one, which a deployment has changed": (
        a_world(1, mappings=at(16), intakes=(replace(EVENTS, normal=24), ORDERED)),
        remembered(concurrency=16, stepped_at=NOW),
        [SetIntake("events", is_enabled=True, concurrency=24)],
        [],
    ),
    "one that was disabled elsewhere and is enabled again": (
        a_world(1),
        remembered(pause=paused(CauseKind.ELSEWHERE, "events")),
        [],
        [Strategy.RESUME],
    ),
    "one that was disabled elsewhere is resumed in the end": (
        a_world(60, mappings=events_are(DISABLED)),
        remembered(pause=paused(CauseKind.ELSEWHERE, "events")),
        [RESUME_EVENTS],
        [Strategy.RESUME],
    ),
    "one that was scaled up, then disabled elsewhere and enabled again, is not left scaled up": (
        a_world(3, mappings=at(40)),
        remembered(pause=paused(CauseKind.ELSEWHERE, "events"), concurrency=40, stepped_at=NOW),
        [SetIntake("events", is_enabled=True, concurrency=20)],
        [Strategy.RESUME, Strategy.SCALE_DOWN],
    ),
    "a person's pause holds although nothing is the matter": (
        a_world(30),
        remembered(pause=paused(CauseKind.PERSON, "ana")),
        [PAUSE_EVENTS],
        [],
    ),
    "a person's pause is over": (
        a_world(60, mappings=events_are(DISABLED)),
        remembered(pause=paused(CauseKind.PERSON, "ana")),
        [RESUME_EVENTS],
        [Strategy.RESUME],
    ),
    "a person's pause is over, and a circuit is open: it stands still for that": (
        open_for(1, "process", now=60, mappings=events_are(DISABLED)),
        remembered(pause=paused(CauseKind.PERSON, "ana")),
        [],
        [Strategy.PAUSE],
    ),
    "a release's pause has no end": (
        a_world(60 * 24 * 9, holds=(HOLD,), mappings=events_are(DISABLED)),
        remembered(pause=paused(CauseKind.RELEASE, "process", until=None)),
        [],
        [Strategy.ESCALATE],
    ),
    "a release's pause ends with its hold": (
        a_world(0.1, mappings=events_are(DISABLED)),
        remembered(pause=paused(CauseKind.RELEASE, "process", until=None)),
        [RESUME_EVENTS],
        [Strategy.RESUME],
    ),
    "a release fails while a circuit is open: the release's pause is the longer": (
        open_for(1, "process", now=1, holds=(HOLD,), mappings=events_are(DISABLED)),
        remembered(pause=CIRCUIT_PAUSE, paused_at=(NOW,)),
        [],
        [Strategy.PAUSE, Strategy.ESCALATE],
    ),
    "a backlog, scaled: not again within three minutes": (
        a_world(2.9, ringing=frozenset({"ordered-old"}), mappings=at(20)),
        Memory(intakes={"ordered": IntakeMemory(concurrency=10, stepped_at=NOW)}),
        [],
        [],
    ),
    "no backlog any more: halved after three minutes": (
        a_world(3, mappings=at(40)),
        remembered(concurrency=40, stepped_at=NOW),
        [SetIntake("events", is_enabled=True, concurrency=20)],
        [Strategy.SCALE_DOWN],
    ),
    "a circuit opens while it is scaled up": (
        open_for(0, "process", now=1, ringing=frozenset({"events-old"}), mappings=at(40)),
        remembered(concurrency=40, stepped_at=NOW),
        [PAUSE_EVENTS],
        [Strategy.PAUSE],
    ),
    "back from the backup after a quarter of an hour": (
        a_world(15, switches={"payments": True}),
        ON_ITS_BACKUP,
        [SetSwitch("payments", to_backup=False)],
        [Strategy.SWITCH_BACK],
    ),
    "not before": (a_world(14.9, switches={"payments": True}), ON_ITS_BACKUP, [], []),
    "switching was not done: it is asked for again": (
        open_for(3, now=1, switches={"payments": False}),
        ON_ITS_BACKUP,
        [SetSwitch("payments", to_backup=True)],
        [],
    ),
    "switching back was not done: it is asked for again, however late": (
        a_world(60, switches={"payments": True}),
        Memory(switches={"payments": SwitchMemory(to_backup=False, since=NOW)}),
        [SetSwitch("payments", to_backup=False)],
        [],
    ),
    "the backup is not there any more": (a_world(1), ON_ITS_BACKUP, [], []),
    "the backup is down too: people are told": (
        open_for(7, now=5, switches={"payments": True}),
        ON_ITS_BACKUP,
        [],
        [Strategy.ESCALATE],
    ),
}


@pytest.mark.parametrize(("world", "memory", "actions", "written"), FIRST_DECISIONS.values(), ids=FIRST_DECISIONS)
def test_each_cause_has_its_decision(
    world: World, memory: Memory, actions: list[Action], written: list[Strategy]
) -> None:
    done = plan(world, memory)
    assert (list(done.actions), strategies(done)) == (actions, written)


@pytest.mark.parametrize(("world", "memory"), [row[:2] for row in FIRST_DECISIONS.values()], ids=FIRST_DECISIONS)
def test_planned_again_it_asks_for_what_was_not_done_and_remembers_and_writes_nothing_new(
    world: World, memory: Memory
) -> None:
    done = plan(world, memory)
    assert plan(world, done.memory) == (done.memory, done.actions, ())


@pytest.mark.parametrize(("world", "memory"), [row[:2] for row in FIRST_DECISIONS.values()], ids=FIRST_DECISIONS)
def test_with_its_actions_done_it_asks_for_nothing(world: World, memory: Memory) -> None:
    done = plan(world, memory)
    assert plan(after(world, done), done.memory) == (done.memory, (), ())


def an_environment_opens(*minutes: int, environment: str = "one") -> World:
    openings = tuple(Opening(NOW + at * A_MINUTE, environment, "process") for at in minutes)
    last = NOW + max(minutes) * A_MINUTE
    closed = replace(an_open("payments", last, "process"), state=CircuitState.CLOSED, openings=openings, since=None)
    return a_world(max(minutes), circuits=(closed,))


def test_an_environment_that_opens_a_circuit_three_times_is_replaced_once() -> None:
    world = an_environment_opens(0, 5, 10)
    done = plan(world, Memory())
    assert done.actions == (Restart("process"),)
    for minutes in (0, 1, 29):
        later = replace(world, now=world.now + minutes * A_MINUTE)
        assert plan(later, done.memory).actions == ()


def test_restarts_that_did_not_help_are_told() -> None:
    done = plan(an_environment_opens(0, 5, 10), Memory())
    again = plan(an_environment_opens(21, 26, 31), done.memory)
    assert (again.actions, strategies(again)) == ((), [Strategy.ESCALATE])
    assert "restart process" in again.memory.untold[0].text


@pytest.mark.parametrize("minutes", [(0, 10), (0, 5, 16)], ids=["twice", "three times, the first one long ago"])
def test_fewer_openings_by_one_environment_restart_nothing(minutes: tuple[int, ...]) -> None:
    assert plan(an_environment_opens(*minutes), Memory()).actions == ()


def test_each_intake_has_its_own_pause() -> None:
    done = plan(open_for(0, "process-ordered"), Memory())
    assert set(done.memory.intakes) == {"ordered"}
