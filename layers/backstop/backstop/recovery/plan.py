"""What is seen and what is remembered in, what to do about it out: strategies a cause, bounded and reversible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from backstop.recovery.causes import noted
from backstop.recovery.mode import Mode
from backstop.recovery.pausing import COUNTED_FOR, late_pauses, pausing
from backstop.recovery.restarting import restarting
from backstop.recovery.scaling import LOWEST, scaling
from backstop.recovery.state import Entry, Intake, IntakeMemory, MappingState, Memory, Plan, SetIntake, Strategy, World
from backstop.recovery.switching import set_switches, switching
from backstop.recovery.telling import is_new, recorded, telling

_SUGGESTED: Final = frozenset({Strategy.PAUSE, Strategy.SCALE_UP, Strategy.SWITCH, Strategy.RESTART})
"""What is worth suggesting; the rest undoes what was never done."""


def plan(world: World, memory: Memory) -> Plan:
    """Decide what to remember, to do and to write down.

    It goes by what is, not by what has just happened: planned again, with the same seen and its actions done, it asks
    for nothing more. An action that was not done, or not taken, is asked for again, and written down once.
    """
    real = _carried_out(world, memory)
    suggested = _suggestions(world, real.memory) if world.mode is Mode.SUGGEST else ()
    told = telling(world, recorded(real.memory, (*real.entries, *suggested), world.now))
    after = replace(told.memory, intakes=_tidied(told.memory, world))
    actions = (*_set_intakes(world, after), *set_switches(world, after), *real.actions)
    return Plan(after, actions, (*real.entries, *suggested, *told.entries))


def _noting(world: World, memory: Memory) -> Plan:
    return Plan(noted(world, memory), (), ())


_POLICIES: Final[tuple[Callable[[World, Memory], Plan], ...]] = (pausing, _noting, scaling, switching, restarting)
"""In this order: what is paused has no backlog, and what is the matter is known before more is tried against it."""


def _carried_out(world: World, memory: Memory) -> Plan:
    done = Plan(memory, (), ())
    for policy in _POLICIES:
        step = policy(world, done.memory)
        done = Plan(step.memory, (*done.actions, *step.actions), (*done.entries, *step.entries))
    return done


def _suggestions(world: World, memory: Memory) -> tuple[Entry, ...]:
    """Return what would be done if it was allowed, and was not suggested yet."""
    would = _carried_out(replace(world, mode=Mode.ACT), memory).entries
    entries = (entry._replace(is_suggested=True) for entry in would if entry.strategy in _SUGGESTED)
    return tuple(entry for entry in entries if is_new(memory, entry))


def _set_intakes(world: World, memory: Memory) -> tuple[SetIntake, ...]:
    """Return what brings the mappings to where they should be; one that is changing is looked at again later."""
    wanted = (_set_intake(intake, memory.intakes.get(intake.name, IntakeMemory()), world) for intake in world.intakes)
    return tuple(one for one in wanted if one is not None)


def _set_intake(intake: Intake, mine: IntakeMemory, world: World) -> SetIntake | None:
    mapping = world.mappings.get(intake.name)
    if mapping is None:
        return None
    if mine.pause is not None:
        is_running = mapping.state is MappingState.ENABLED
        return SetIntake(intake.name, is_enabled=False, concurrency=LOWEST) if is_running else None
    concurrency = mine.concurrency or intake.normal
    match mapping.state:
        case MappingState.DISABLED:
            is_to_change = mine.is_resuming
        case MappingState.ENABLED:  # one that nobody here has scaled stays as it is
            is_to_change = mine.concurrency is not None and mapping.concurrency != concurrency
        case _:
            is_to_change = False
    return SetIntake(intake.name, is_enabled=True, concurrency=concurrency) if is_to_change else None


def _tidied(memory: Memory, world: World) -> dict[str, IntakeMemory]:
    """Return what is worth remembering of the intakes that there are."""
    kept = {one.name: _without_past(memory.intakes.get(one.name, IntakeMemory()), world) for one in world.intakes}
    return {name: mine for name, mine in kept.items() if mine != IntakeMemory()}


def _without_past(mine: IntakeMemory, world: World) -> IntakeMemory:
    if mine.trial_until is not None and world.now >= mine.trial_until:
        mine = replace(mine, trial_until=None)
    if mine.pause is not None or mine.concurrency is not None:
        return mine
    is_late = mine.stepped_at is not None and world.now - mine.stepped_at < COUNTED_FOR
    return replace(mine, paused_at=late_pauses(mine, world.now), stepped_at=mine.stepped_at if is_late else None)
