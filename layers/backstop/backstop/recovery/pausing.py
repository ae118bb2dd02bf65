"""What is down and what is remembered of an intake in, whether it stands still out, why, and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from backstop.recovery.causes import down, held, is_disabled_elsewhere
from backstop.recovery.mode import Mode
from backstop.recovery.scaling import LOWEST
from backstop.recovery.state import (
    Cause,
    CauseKind,
    Entry,
    Intake,
    IntakeMemory,
    MappingState,
    Memory,
    Pause,
    Plan,
    Strategy,
    World,
)

COOL_DOWN: Final = timedelta(minutes=1)
"""How long a pause for a circuit lasts at least; doubled for each one that it follows within half an hour."""
LONGEST_COOL_DOWN: Final = timedelta(minutes=15)
COUNTED_FOR: Final = timedelta(minutes=30)
"""How long a pause makes the next one last longer: one that follows later begins with the shortest again."""
REMEMBERED: Final = 10
"""Pauses that are remembered: the cool-down is at its longest with the fifth."""
TRIAL: Final = timedelta(minutes=5)
"""How long an intake that was resumed although a circuit is open is not paused for one: enough for some probes."""

_ITS_TIME: Final = frozenset({CauseKind.PERSON, CauseKind.ELSEWHERE})
"""The pauses that last for their time, whatever recovery may do."""


def pausing(world: World, memory: Memory) -> Plan:
    """Pause what depends on something that is down, and resume what does not any more."""
    intakes = dict(memory.intakes)
    entries: list[Entry] = []
    for intake in world.intakes:
        mine, written = _next(intake, memory.intakes.get(intake.name, IntakeMemory()), world)
        intakes[intake.name] = mine
        entries += written
    return Plan(replace(memory, intakes=intakes), (), tuple(entries))


def _next(intake: Intake, mine: IntakeMemory, world: World) -> tuple[IntakeMemory, list[Entry]]:
    mapping = world.mappings.get(intake.name)
    if mapping is not None and mapping.state is MappingState.GONE:
        return IntakeMemory(), []  # a new one is nothing that anything is remembered of
    if mine.pause is not None and mapping is not None and _is_enabled_elsewhere(mine.pause, mapping.state):
        entry = _resumed(intake, mine.pause, "it was enabled again, not by Backstop")
        mine, entries = _changed(intake, replace(mine, pause=None), world)
        return mine, [entry, *entries]
    return _changed(intake, mine, world)


def _changed(intake: Intake, mine: IntakeMemory, world: World) -> tuple[IntakeMemory, list[Entry]]:
    before, pause = mine.pause, _wanted(intake, mine, world)
    if before is not None and pause is None:
        return _resume(intake, mine, before, world)
    if pause is None or pause == before:
        return mine, []
    return begun(mine, pause), [Entry(Strategy.PAUSE, intake.name, pause.cause, _why_paused(intake, pause, world))]


def _is_enabled_elsewhere(pause: Pause, state: MappingState) -> bool:
    return pause.cause.kind is CauseKind.ELSEWHERE and state is MappingState.ENABLED


def begun(mine: IntakeMemory, pause: Pause) -> IntakeMemory:
    """Return what is remembered of an intake whose pause begins, or goes on for another cause."""
    if pause.cause.kind is CauseKind.ELSEWHERE:  # who disabled it left its concurrency as it was
        return replace(mine, pause=pause)
    paused_at = mine.paused_at
    if pause.cause.kind is CauseKind.CIRCUIT and pause.since not in paused_at:
        paused_at = (*late_pauses(mine, pause.since), pause.since)[-REMEMBERED:]
    return IntakeMemory(pause=pause, stepped_at=mine.stepped_at, paused_at=paused_at)


def ended(mine: IntakeMemory, now: datetime, *, is_trial: bool) -> IntakeMemory:
    """Return what is remembered of an intake that is resumed: at the lowest concurrency, whatever it was before."""
    return IntakeMemory(
        concurrency=LOWEST,
        stepped_at=now,
        paused_at=mine.paused_at,
        trial_until=now + TRIAL if is_trial else None,
        is_resuming=True,
    )


def late_pauses(mine: IntakeMemory, now: datetime) -> tuple[datetime, ...]:
    """Return the pauses that make another one longer: all that followed each other, as long as the last one counts."""
    return mine.paused_at if mine.paused_at and now - mine.paused_at[-1] < COUNTED_FOR else ()


def cool_down(mine: IntakeMemory, pause: Pause) -> timedelta:
    """Return how long a pause for a circuit lasts at least."""
    before = sum(at < pause.since for at in mine.paused_at)
    return min(COOL_DOWN * (1 << before), LONGEST_COOL_DOWN)


def _wanted(intake: Intake, mine: IntakeMemory, world: World) -> Pause | None:
    pause, now = mine.pause, world.now
    if pause is not None and pause.cause.kind in _ITS_TIME and not _is_past(pause, now):
        return pause
    if world.mode is not Mode.ACT:
        return None
    if held(world, intake) is not None:
        cause = Cause(CauseKind.RELEASE, intake.function)
        return pause if pause is not None and pause.cause == cause else Pause(cause, now, None)
    if is_disabled_elsewhere(world.mappings.get(intake.name), mine):
        return Pause(Cause(CauseKind.ELSEWHERE, intake.name), now, now + world.bounds.longest_pause)
    return _for_circuit(intake, mine, world)


def _for_circuit(intake: Intake, mine: IntakeMemory, world: World) -> Pause | None:
    pause, now = mine.pause, world.now
    if _is_on_trial(mine, now):
        return None
    causes = [Cause(CauseKind.CIRCUIT, one.name) for one in down(world, intake) if not one.is_unprobed(now)]
    if pause is not None and pause.cause.kind is CauseKind.CIRCUIT:
        return _goes_on(mine, pause, causes, now)
    if not causes or (pause is not None and pause.cause.kind is CauseKind.ELSEWHERE):
        return None  # the time that it stood still for others counts
    return Pause(causes[0], now, now + world.bounds.longest_pause)


def _goes_on(mine: IntakeMemory, pause: Pause, causes: list[Cause], now: datetime) -> Pause | None:
    """Return the pause for as long as one of its causes is there; another circuit's has the same end as the first's."""
    if _is_past(pause, now):
        return None
    if pause.cause in causes or now - pause.since < cool_down(mine, pause):
        return pause
    return replace(pause, cause=causes[0]) if causes else None


def _is_past(pause: Pause, now: datetime) -> bool:
    return pause.until is not None and now >= pause.until


def _is_on_trial(mine: IntakeMemory, now: datetime) -> bool:
    return mine.trial_until is not None and now < mine.trial_until


def _resume(intake: Intake, mine: IntakeMemory, before: Pause, world: World) -> tuple[IntakeMemory, list[Entry]]:
    is_trial = bool(down(world, intake))
    entry = _resumed(intake, before, _why_resumed(before, world, is_trial))
    return ended(mine, world.now, is_trial=is_trial), [entry]


def _resumed(intake: Intake, before: Pause, why: str) -> Entry:
    return Entry(Strategy.RESUME, intake.name, before.cause, why)


def _why_paused(intake: Intake, pause: Pause, world: World) -> str:
    match pause.cause.kind:
        case CauseKind.RELEASE:
            hold = held(world, intake)
            what = f"release {hold.release} failed {hold.failed} of {hold.ran} messages" if hold else "a release fails"
            return f"{what}: until a person resumes it, or a newer release is there"
        case CauseKind.ELSEWHERE:
            return f"it was disabled, not by Backstop: it is resumed at {_clock(pause.until)}"
        case _:
            return f"{pause.cause} is open: until it is closed, at the latest at {_clock(pause.until)}"


def _why_resumed(before: Pause, world: World, is_trial: bool) -> str:
    how = "on trial, as a circuit is still open" if is_trial else "at a low concurrency, raised step by step"
    if _is_past(before, world.now):
        return f"its time was over; {how}"
    if world.mode is not Mode.ACT:
        return f"recovery may not pause by itself any more (mode {world.mode}); {how}"
    return f"nobody probed {before.cause}; {how}" if is_trial else f"{before.cause} is over; {how}"


def _clock(at: datetime | None) -> str:
    return "no time" if at is None else f"{at:%Y-%m-%dT%H:%MZ}"
