"""The words that tests of recovery are written in: what is seen, what is remembered, what is done."""

from __future__ import annotations

from dataclasses import replace

from backstop.recovery.state import (
    Cause,
    CauseKind,
    IntakeMemory,
    MappingState,
    Memory,
    Pause,
    Plan,
    SetIntake,
    SetSwitch,
    SourceMapping,
    SwitchMemory,
    World,
)
from backstop.release_counts import Hold
from tests.backstop import NOW
from tests.backstop.recovery.recovery_world import A_MINUTE, a_world, an_open

HOLD = Hold("process", "7", "a" * 16, 15, 20, NOW)
DISABLED = SourceMapping(MappingState.DISABLED, 20)
PAUSE_EVENTS = SetIntake("events", is_enabled=False, concurrency=2)
RESUME_EVENTS = SetIntake("events", is_enabled=True, concurrency=2)


def events_are(mapping: SourceMapping) -> dict[str, SourceMapping]:
    return {"events": mapping, "ordered": SourceMapping(MappingState.ENABLED, 10)}


def at(concurrency: int) -> dict[str, SourceMapping]:
    return events_are(SourceMapping(MappingState.ENABLED, concurrency))


def remembered(**changed: object) -> Memory:
    return Memory(intakes={"events": IntakeMemory(**changed)})  # type: ignore[arg-type]


def paused(kind: CauseKind, name: str, since: int = 0, until: int | None = 60) -> Pause:
    end = None if until is None else NOW + until * A_MINUTE
    return Pause(Cause(kind, name), NOW + since * A_MINUTE, end)


def open_for(minutes: float, *functions: str, now: float = 0, **changed: object) -> World:
    """Return a stack in which a circuit is open for some minutes now, and was probed a moment ago."""
    since = NOW + (now - minutes) * A_MINUTE
    standing = an_open("payments", since, *functions, opened_at=max(since, NOW + (now - 0.5) * A_MINUTE))
    return a_world(now, circuits=(standing,), **changed)


ON_ITS_BACKUP = Memory(switches={"payments": SwitchMemory(to_backup=True, since=NOW)})
CIRCUIT_PAUSE = paused(CauseKind.CIRCUIT, "payments")


def after(world: World, done: Plan) -> World:
    """Return what is seen once what was asked for is done."""
    mappings, switches = dict(world.mappings), dict(world.switches)
    for action in done.actions:
        if isinstance(action, SetIntake):
            state = MappingState.ENABLED if action.is_enabled else MappingState.DISABLED
            mappings[action.intake] = SourceMapping(state, action.concurrency)
        elif isinstance(action, SetSwitch):
            switches[action.circuit] = action.to_backup
    return replace(world, mappings=mappings, switches=switches)
