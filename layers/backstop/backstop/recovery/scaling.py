"""An intake's concurrency and its backlog in, the next step of its concurrency out: up, back, or on after a pause."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from backstop.recovery.causes import down, has_backlog
from backstop.recovery.mode import Mode
from backstop.recovery.state import (
    Cause,
    CauseKind,
    Entry,
    Intake,
    IntakeMemory,
    MappingState,
    Memory,
    Plan,
    Strategy,
    World,
)

LOWEST: Final = 2
"""The concurrency that an intake begins with again: the lowest that SQS event sources take."""
RAISED_EACH: Final = timedelta(minutes=1)
"""Between two steps after a pause: with 2 to begin with, a worker is back at 20 within four."""
SCALED_EACH: Final = timedelta(minutes=3)
"""Between two steps for a backlog: the age of the oldest event is a minute old, and a step shows in the next ones."""


def scaling(world: World, memory: Memory) -> Plan:
    """Take the next step of each intake's concurrency, where one is due."""
    intakes = dict(memory.intakes)
    entries: list[Entry] = []
    for intake in world.intakes:
        before = memory.intakes.get(intake.name, IntakeMemory())
        after = _next(intake, before, world)
        intakes[intake.name] = after
        entries += _entries(intake, before, after)
    return Plan(replace(memory, intakes=intakes), (), tuple(entries))


def most_of(intake: Intake, world: World) -> int:
    """Return the highest concurrency of an intake: never less than its normal one."""
    return max(world.bounds.most, intake.normal)


def _next(intake: Intake, mine: IntakeMemory, world: World) -> IntakeMemory:
    if mine.pause is not None or not _is_time(mine, world.now, RAISED_EACH):
        return mine
    if not _is_settled(intake, mine, world):  # it is asked for again: the next step waits as long once more
        is_scaled = mine.concurrency is not None or mine.is_resuming
        return replace(mine, stepped_at=world.now) if is_scaled else mine
    mine = replace(mine, is_resuming=False)
    if mine.trial_until is not None and world.now < mine.trial_until and down(world, intake):
        return mine
    return _stepped(intake, mine, world)


def _stepped(intake: Intake, mine: IntakeMemory, world: World) -> IntakeMemory:
    current = mine.concurrency or intake.normal
    target = _target(intake, mine, current, world)
    if target == current:
        return replace(mine, concurrency=None) if current == intake.normal else mine
    if max(current, target) > intake.normal and not _is_time(mine, world.now, SCALED_EACH):
        return mine
    return replace(mine, concurrency=target, stepped_at=world.now)


def _target(intake: Intake, mine: IntakeMemory, current: int, world: World) -> int:
    if current < intake.normal:
        return min(current * 2, intake.normal)
    if _wants_more(intake, mine, world):
        return min(current * 2, most_of(intake, world))
    return max(current // 2, intake.normal)


def _wants_more(intake: Intake, mine: IntakeMemory, world: World) -> bool:
    return world.mode is Mode.ACT and has_backlog(intake, mine, world)


def _is_settled(intake: Intake, mine: IntakeMemory, world: World) -> bool:
    """Whether the mapping is as it should be: what AWS has not taken yet is no ground for the next step."""
    mapping = world.mappings.get(intake.name)
    if mapping is None or mapping.state is not MappingState.ENABLED:
        return False
    return mine.concurrency is None or mapping.concurrency == mine.concurrency


def _is_time(mine: IntakeMemory, now: datetime, wait: timedelta) -> bool:
    return mine.stepped_at is None or now - mine.stepped_at >= wait


def _entries(intake: Intake, before: IntakeMemory, after: IntakeMemory) -> list[Entry]:
    """Return what is written of a step; those back to normal after a pause are its resumption's."""
    current, target = before.concurrency or intake.normal, after.concurrency or intake.normal
    cause = Cause(CauseKind.BACKLOG, intake.name)
    how = f"concurrency {current} → {target}"
    if target > max(current, intake.normal):
        return [Entry(Strategy.SCALE_UP, intake.name, cause, f"events wait too long and nothing is down: {how}")]
    if target < current:
        return [Entry(Strategy.SCALE_DOWN, intake.name, cause, f"events do not wait too long any more: {how}")]
    return []
