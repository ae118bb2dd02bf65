"""Functions of which one environment is at fault in, those that get new ones out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from backstop.recovery.causes import is_there
from backstop.recovery.mode import Mode
from backstop.recovery.state import Cause, CauseKind, Entry, Memory, Plan, Restart, Strategy, World
from backstop.recovery.strategies import is_due

RESTARTED_EACH: Final = timedelta(minutes=30)
"""Between two restarts of a function: what a restart does not cure, a second one will not."""


def restarting(world: World, memory: Memory) -> Plan:
    """Restart each function of which one environment is at fault; whether that was done, nobody can see later."""
    late = {name: at for name, at in memory.restarts.items() if world.now - at < RESTARTED_EACH}
    causes = [Cause(CauseKind.ENVIRONMENT, name) for name in sorted({one.function for one in world.intakes})]
    due = [cause for cause in causes if cause.name not in late and _is_due(cause, world, memory)]
    why = "one execution environment opened a circuit again and again: it gets new ones"
    return Plan(
        replace(memory, restarts=late | {cause.name: world.now for cause in due}),
        tuple(Restart(cause.name) for cause in due),
        tuple(Entry(Strategy.RESTART, cause.name, cause, why) for cause in due),
    )


def _is_due(cause: Cause, world: World, memory: Memory) -> bool:
    if world.mode is not Mode.ACT or not is_there(memory.causes, cause):
        return False
    return is_due(cause.kind, Strategy.RESTART, _age(memory, cause, world.now))


def _age(memory: Memory, cause: Cause, now: datetime) -> timedelta:
    return now - memory.causes[str(cause)].since
