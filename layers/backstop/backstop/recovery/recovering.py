"""What wakes recovery in, one run of it out: observe, plan, remember, act, tell. It may be killed at any point.

What should be is remembered before anything is done about it; a run that dies leaves a difference between the two,
which the next one sees and mends. Of two runs at once the one that remembers first acts; the other one stops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol, assert_never

from backstop.errors import StoreUnavailable, SystemFault
from backstop.recovery.mode import Mode
from backstop.recovery.observing import Attempts, Deployed, Places, Rules, observe
from backstop.recovery.state import Action, Entry, Intake, Memory, Plan, Restart, SetIntake, SetSwitch, Tell, World

MADE_UP_FOR: Final = timedelta(minutes=10)
"""How long a restart that did not come about is made up for: later, it helps no more."""
TRIES: Final = 3
"""How often it is tried to forget what was told, while others write the memory."""


class Remembering(Protocol):
    """Keeps recovery's memory and its log. Each call raises StoreUnavailable where the table did not answer."""

    def memory(self) -> Memory:
        """Return what is remembered."""

    def remember(self, memory: Memory, entries: Sequence[Entry] = (), at: datetime | None = None) -> bool:
        """Keep a memory and what was done; False where somebody else was first."""


@dataclass(frozen=True, slots=True)
class Recovering:
    """What a run needs."""

    rules: Rules
    places: Places
    log: Remembering
    plan: Callable[[World, Memory], Plan]
    tell: Callable[[Tell], bool]
    """Tells people; False where it is not known whether they are told. Raises SystemFault where they are not."""
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run."""

    is_first: bool
    """Whether nobody else remembered something meanwhile; if somebody did, nothing was done."""
    actions: tuple[Action, ...] = ()
    entries: tuple[Entry, ...] = ()
    told: tuple[Tell, ...] = ()
    faults: tuple[SystemFault, ...] = ()
    """What could not be seen, done or told: the next minute tries again."""
    measures: Mapping[str, float] | None = None


def recover(recovering: Recovering, *, is_reconcile: bool) -> Outcome:
    """Make what is what should be, as far as that goes. Raises StoreUnavailable where the memory cannot be read.

    Only the minute's reconcile tells what an earlier run remembered to tell: that one may be at it.
    """
    before, now = recovering.log.memory(), recovering.now()
    sight = observe(recovering.places, recovering.rules, before, now)
    planned = recovering.plan(sight.world, before)
    actions = (*planned.actions, *_unfinished(planned, recovering.rules.mode, sight.deployed, now))
    attempts = Attempts()
    memory = _remember(recovering.log, before, planned, now) if actions or _is_new(planned, before) else before
    if memory is None:
        return Outcome(is_first=False, faults=sight.faults)
    for action in actions:
        attempts.do(partial(_act, action, memory, recovering, now))
    due = [tell for tell in memory.untold if is_reconcile or tell not in before.untold]
    told = tuple(tell for tell in due if _is_told(tell, recovering.tell, attempts))
    if told:
        attempts.do(partial(_forget, recovering.log, memory, told))
    faults = (*sight.faults, *attempts.faults)
    return Outcome(True, actions, planned.entries, told, faults, _measures(sight.world, memory))


def _is_new(planned: Plan, before: Memory) -> bool:
    return bool(planned.entries) or replace(planned.memory, version=before.version) != before


def _remember(log: Remembering, before: Memory, planned: Plan, now: datetime) -> Memory | None:
    """Remember what should be, and what is done about it; None where somebody else was first."""
    wanted = replace(planned.memory, version=before.version)
    if not log.remember(wanted, planned.entries, now):
        return None
    return replace(wanted, version=before.version + 1)


def _unfinished(planned: Plan, mode: Mode, deployed: Mapping[str, Deployed], now: datetime) -> list[Restart]:
    """Return the restarts that were remembered, and that the run died before."""
    if mode is not Mode.ACT:
        return []
    planned_now = {action.function for action in planned.actions if isinstance(action, Restart)}
    return [
        Restart(function)
        for function, at in planned.memory.restarts.items()
        if function in deployed and function not in planned_now
        if now - at < MADE_UP_FOR and deployed[function].renewed_at < at.replace(microsecond=0)
    ]


def _act(action: Action, memory: Memory, recovering: Recovering, now: datetime) -> None:
    places = recovering.places
    match action:
        case SetIntake(name, is_enabled, concurrency):
            intake = _intake(recovering.rules.intakes, name)
            places.mappings.set(intake.mapping_id, is_enabled, concurrency)
        case SetSwitch(circuit, to_backup):
            places.switches.set(circuit, to_backup)
        case Restart(function):
            places.functions.restart(function, memory.restarts.get(function, now))
        case _:
            assert_never(action)


def _intake(intakes: Sequence[Intake], name: str) -> Intake:
    return next(intake for intake in intakes if intake.name == name)


def _is_told(tell: Tell, publish: Callable[[Tell], bool], attempts: Attempts) -> bool:
    """Tell people; what may not have reached them is told again the next minute."""
    return attempts.get(partial(publish, tell), False)


def _forget(log: Remembering, memory: Memory, told: Sequence[Tell]) -> None:
    """Let what was told not be told again, whoever else writes the memory meanwhile."""
    for _ in range(TRIES):
        untold = tuple(tell for tell in memory.untold if tell not in told)
        if log.remember(replace(memory, untold=untold)):
            return
        memory = log.memory()
    raise StoreUnavailable("what was told could not be written down: it is told again")


def _measures(world: World, memory: Memory) -> dict[str, float]:
    """Return what is measured each minute. Circuits that cannot be seen count as they were seen last."""
    pauses = [intake.pause for intake in memory.intakes.values() if intake.pause is not None]
    paused_for = max((world.now - pause.since for pause in pauses), default=timedelta(0))
    return {
        "IntakesPaused": len(pauses),
        "CircuitsOpen": sum(circuit.is_down for circuit in world.circuits),
        "PausedSeconds": paused_for.total_seconds(),
    }
