"""What is seen in, what is the matter out, since when, and what is remembered of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from backstop.circuits.state import Standing
from backstop.recovery.mode import Mode
from backstop.recovery.state import (
    Cause,
    CauseKind,
    CauseMemory,
    Intake,
    IntakeMemory,
    MappingState,
    Memory,
    SourceMapping,
    World,
)
from backstop.release_counts import Hold

OVER_AFTER: Final = timedelta(minutes=5)
"""How long a cause is gone before it is over: one that comes back sooner was never away."""
FORGOTTEN_AFTER: Final = timedelta(hours=1)
"""How long a cause that is gone is remembered: people are told of it once in that time."""
OPENINGS: Final = 3
"""Openings of a circuit by one environment that make it the one at fault, of the five that are known."""
OPENINGS_WITHIN: Final = timedelta(minutes=15)


def down(world: World, intake: Intake) -> tuple[Standing, ...]:
    """Return the circuits that an intake's function depends on and that are not closed, by name."""
    found = (one for one in world.circuits if one.is_down and intake.function in one.dependents)
    return tuple(sorted(found, key=lambda one: one.name))


def held(world: World, intake: Intake) -> Hold | None:
    """Return the failing release of an intake's function."""
    return next((hold for hold in world.holds if hold.function == intake.function), None)


def is_disabled_elsewhere(mapping: SourceMapping | None, mine: IntakeMemory) -> bool:
    """Whether a mapping is disabled, and neither was paused nor is on its way back."""
    is_disabled = mapping is not None and mapping.state is MappingState.DISABLED
    return is_disabled and mine.pause is None and not mine.is_resuming


def found(world: World, memory: Memory) -> dict[Cause, datetime]:
    """Return what is the matter, and since when, as far as what is seen tells it."""
    causes: dict[Cause, datetime] = {}
    for one in world.circuits:
        if one.is_down:
            causes[Cause(CauseKind.CIRCUIT, one.name)] = one.since or world.now
    for hold in world.holds:
        causes[Cause(CauseKind.RELEASE, hold.function)] = hold.since
    for intake in world.intakes:
        mine = memory.intakes.get(intake.name, IntakeMemory())
        causes |= dict.fromkeys(_of_intake(intake, mine, world), world.now)
    return causes | _environments(world)


def _of_intake(intake: Intake, mine: IntakeMemory, world: World) -> Iterator[Cause]:
    mapping = world.mappings.get(intake.name)
    if mapping is not None and mapping.state is MappingState.GONE:
        yield Cause(CauseKind.MISSING, intake.name)
        return
    if mine.pause is not None and mine.pause.cause.kind is CauseKind.ELSEWHERE:
        yield mine.pause.cause
    elif is_disabled_elsewhere(mapping, mine):
        yield Cause(CauseKind.ELSEWHERE, intake.name)
    elif has_backlog(intake, mine, world):
        yield Cause(CauseKind.BACKLOG, intake.name)


def has_backlog(intake: Intake, mine: IntakeMemory, world: World) -> bool:
    """Whether an intake's events wait too long, and neither a pause nor anything that is down is the reason."""
    is_hindered = mine.pause is not None or bool(down(world, intake)) or held(world, intake) is not None
    return intake.age_alarm in world.ringing and not is_hindered


def _environments(world: World) -> dict[Cause, datetime]:
    """Return the functions of which one environment opens a circuit again and again, and others close it."""
    ours = {intake.function for intake in world.intakes}
    causes: dict[Cause, datetime] = {}
    for standing in world.circuits:
        late = [one for one in standing.openings if world.now - OPENINGS_WITHIN < one.at]
        often = Counter((one.environment, one.function) for one in late if one.function in ours)
        for (environment, function), times in often.items():
            if times >= OPENINGS:
                last = max(one.at for one in late if one.environment == environment)
                causes[Cause(CauseKind.ENVIRONMENT, function)] = last
    return causes


def noted(world: World, memory: Memory) -> Memory:
    """Return what is remembered of the causes that are there, and of those that are gone, for some time."""
    there = found(world, memory)
    if world.mode is Mode.OFF:  # nothing is begun, but what people were told of may end
        there = {cause: since for cause, since in there.items() if str(cause) in memory.causes}
    named = {str(cause): since for cause, since in there.items()}
    gone = {
        name: replace(one, seen_at=one.seen_at or world.now)
        for name, one in memory.causes.items()
        if name not in named and not _is_forgotten(one, world.now)
    }
    return replace(memory, causes=gone | {name: _seen(memory, name, since) for name, since in named.items()})


def _seen(memory: Memory, name: str, since: datetime) -> CauseMemory:
    before = memory.causes.get(name)
    if before is None:
        return CauseMemory(since=since)
    if before.is_over:  # it begins anew, but people were told of it a short while ago
        return CauseMemory(since=since, told_at=before.told_at)
    return replace(before, seen_at=None)


def _is_forgotten(one: CauseMemory, now: datetime) -> bool:
    return one.seen_at is not None and now - one.seen_at >= FORGOTTEN_AFTER


def cause_named(name: str) -> Cause:
    """Return the cause that is written down so. Raises ValueError where none is."""
    kind, _, what = name.partition(" ")
    return Cause(CauseKind(kind), what)


def is_there(causes: Mapping[str, CauseMemory], cause: Cause) -> bool:
    """Whether a cause is remembered, and not gone."""
    one = causes.get(str(cause))
    return one is not None and one.seen_at is None
