"""Causes and what was tried against them in, what people are told out: each once, and once an hour at most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from backstop.recovery.causes import OVER_AFTER, cause_named
from backstop.recovery.mode import Mode
from backstop.recovery.scaling import most_of
from backstop.recovery.state import (
    Cause,
    CauseKind,
    CauseMemory,
    Entry,
    IntakeMemory,
    Memory,
    Plan,
    Strategy,
    Tell,
    World,
)
from backstop.recovery.strategies import (
    ESCALATE_MOST_AFTER,
    ESCALATE_SWITCHED_AFTER,
    is_due,
)
from backstop.recovery.texts import over, told

TOLD_EACH: Final = timedelta(hours=1)
"""Between two times that people are told of a cause; those of the same occurrence count as one."""
MOST_TRIED: Final = 20
"""What was tried against a cause, the latest: so much is read, and the memory stays small."""
MOST_UNTOLD: Final = 20
"""What people are still to be told at most, the latest: where the topic takes nothing, the oldest are dropped."""
_WOULD: Final = "would "


def recorded(memory: Memory, entries: Iterable[Entry], now: datetime) -> Memory:
    """Return what is remembered of the causes, with what was tried against them now."""
    causes = dict(memory.causes)
    for entry in entries:
        one = causes.get(str(entry.cause))
        if one is not None:
            tried = (*one.tried, f"{now:%Y-%m-%dT%H:%MZ} {_deed(entry)}")
            causes[str(entry.cause)] = replace(one, tried=tried[-MOST_TRIED:])
    return replace(memory, causes=causes)


def is_new(memory: Memory, entry: Entry) -> bool:
    """Whether a suggestion was not made yet, of a cause that is known."""
    one = memory.causes.get(str(entry.cause))
    return one is not None and not any(line.endswith(f" {_deed(entry)}") for line in one.tried)


def telling(world: World, memory: Memory) -> Plan:
    """Tell people what needs them, and those who were told that it is over."""
    causes: dict[str, CauseMemory] = {}
    untold: list[Tell] = []
    entries: list[Entry] = []
    for name, one in sorted(memory.causes.items()):
        causes[name] = one
        if _is_to_end(one, world.now):
            causes[name] = replace(one, is_over=True)
            untold += [over(name, one, world.now)] if is_told(one) else []
        elif _is_to_tell(cause_named(name), one, world, memory):
            causes[name] = replace(one, told_at=world.now)
            tell = told(cause_named(name), one, world, memory)
            untold.append(tell)
            entries.append(Entry(Strategy.ESCALATE, cause_named(name).name, cause_named(name), tell.title))
    left = (*memory.untold, *untold)[-MOST_UNTOLD:]
    return Plan(replace(memory, causes=causes, untold=left), (), tuple(entries))


def is_told(one: CauseMemory) -> bool:
    """Whether people were told of this occurrence of a cause, not only of one before."""
    return one.told_at is not None and one.told_at >= one.since


def _is_to_end(one: CauseMemory, now: datetime) -> bool:
    return one.seen_at is not None and not one.is_over and now - one.seen_at >= OVER_AFTER


def _is_to_tell(cause: Cause, one: CauseMemory, world: World, memory: Memory) -> bool:
    if world.mode is Mode.OFF or one.seen_at is not None or is_told(one):
        return False
    if one.told_at is not None and world.now - one.told_at < TOLD_EACH:
        return False
    if world.mode is Mode.SUGGEST and has_suggestion(one.tried):
        return True
    is_long = is_due(cause.kind, Strategy.ESCALATE, world.now - one.since)
    return is_long or _is_exhausted(cause, one, world, memory)


def has_suggestion(tried: Sequence[str]) -> bool:
    """Whether something would have been done."""
    return any(line.partition(" ")[2].startswith(_WOULD) for line in tried)


def _is_exhausted(cause: Cause, one: CauseMemory, world: World, memory: Memory) -> bool:
    """Whether there is nothing left to try, sooner than the table says."""
    match cause.kind:
        case CauseKind.CIRCUIT:
            return _is_down_on_its_backup(cause.name, world, memory)
        case CauseKind.BACKLOG:
            return _is_at_most(cause.name, one, world, memory)
        case _:
            return False


def _is_down_on_its_backup(name: str, world: World, memory: Memory) -> bool:
    switch = memory.switches.get(name)
    if switch is None or not switch.to_backup or switch.since is None:
        return False
    opened = [one.since for one in world.circuits if one.name == name and one.is_down and one.since is not None]
    return any(world.now - max(since, switch.since) >= ESCALATE_SWITCHED_AFTER for since in opened)


def _is_at_most(name: str, one: CauseMemory, world: World, memory: Memory) -> bool:
    mine = memory.intakes.get(name, IntakeMemory())
    for intake in world.intakes:
        if intake.name == name and (mine.concurrency or intake.normal) >= most_of(intake, world):
            since = max(one.since, mine.stepped_at or one.since)
            return world.now - since >= ESCALATE_MOST_AFTER
    return False


def _deed(entry: Entry) -> str:
    return f"{_WOULD if entry.is_suggested else ''}{entry.strategy} {entry.target}"
