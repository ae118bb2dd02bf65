"""Circuits that stay open and their backups in, whether the backup is used out: back on trial, later each time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from backstop.circuits.state import Standing
from backstop.recovery.mode import Mode
from backstop.recovery.state import Cause, CauseKind, Entry, Memory, Plan, SetSwitch, Strategy, SwitchMemory, World
from backstop.recovery.strategies import is_due

BACK_AFTER: Final = timedelta(minutes=15)
"""How long a backup is used before the first trial back; doubled for each trial that did not last."""
LATEST_BACK: Final = timedelta(hours=2)
LASTS: Final = timedelta(minutes=5)
"""How long a circuit has to be closed after switching back: one that opens before that shows that it was too early."""


def switching(world: World, memory: Memory) -> Plan:
    """Use a backup while its circuit stays open, and go back on trial."""
    switches: dict[str, SwitchMemory] = {}
    entries: list[Entry] = []
    standings = {one.name: one for one in world.circuits}
    for name in world.switches:
        mine, entry = _next(name, memory.switches.get(name), standings.get(name), world)
        switches |= {name: mine} if mine is not None else {}
        entries += [entry] if entry is not None else []
    return Plan(replace(memory, switches=switches), (), tuple(entries))


def set_switches(world: World, memory: Memory) -> tuple[SetSwitch, ...]:
    """Return what brings the switches to where they should be; those that recovery never touched stay as they are."""
    wanted = {name: mine.to_backup for name, mine in memory.switches.items() if name in world.switches}
    return tuple(SetSwitch(name, to) for name, to in sorted(wanted.items()) if world.switches[name] is not to)


def back_after(mine: SwitchMemory) -> timedelta:
    """Return how long a backup is used before the next trial back."""
    return min(BACK_AFTER * (1 << min(mine.failures, 8)), LATEST_BACK)


def _next(
    name: str, mine: SwitchMemory | None, standing: Standing | None, world: World
) -> tuple[SwitchMemory | None, Entry | None]:
    if mine is not None and world.switches[name] is not mine.to_backup:  # it is asked for again: its time begins then
        mine = replace(mine, since=world.now)
    if mine is not None and mine.to_backup:
        return _back(name, mine, world)
    if standing is not None and _is_to_switch(name, mine, standing, world):
        failures = mine.failures + 1 if mine is not None and _did_not_last(mine, standing) else 0
        why = f"its circuit is open since {standing.since:%Y-%m-%dT%H:%MZ}: its backup is used"
        return SwitchMemory(to_backup=True, since=world.now, failures=failures), _entry(Strategy.SWITCH, name, why)
    is_over = mine is not None and _has_lasted(mine, standing, world.now)
    return (None if is_over else mine), None


def _back(name: str, mine: SwitchMemory, world: World) -> tuple[SwitchMemory, Entry | None]:
    back = SwitchMemory(to_backup=False, since=world.now, failures=mine.failures)
    if world.mode is not Mode.ACT:
        why = f"recovery may not switch by itself any more (mode {world.mode})"
        return back, _entry(Strategy.SWITCH_BACK, name, why)
    since = mine.since or world.now
    if world.now - since < back_after(mine):
        return mine, None
    why = f"it was on its backup since {since:%Y-%m-%dT%H:%MZ}: on trial"
    return back, _entry(Strategy.SWITCH_BACK, name, why)


def _is_to_switch(name: str, mine: SwitchMemory | None, standing: Standing, world: World) -> bool:
    """Whether a circuit is open for so long that its backup is used, and nobody else uses that already."""
    if world.mode is not Mode.ACT or standing.since is None or not standing.is_down:
        return False
    if mine is None:
        return not world.switches[name] and _is_long_open(standing.since, world.now)
    tried = mine.since or world.now
    has_had_its_trial = standing.since >= tried or world.now - tried >= LASTS
    return has_had_its_trial and _is_long_open(standing.since, world.now)


def _is_long_open(since: datetime, now: datetime) -> bool:
    return is_due(CauseKind.CIRCUIT, Strategy.SWITCH, now - since)


def _did_not_last(mine: SwitchMemory, standing: Standing) -> bool:
    return mine.since is not None and standing.since is not None and standing.since - mine.since < LASTS


def _has_lasted(mine: SwitchMemory, standing: Standing | None, now: datetime) -> bool:
    """Whether a trial back lasted: nothing of it needs to be remembered."""
    is_well = standing is None or not standing.is_down
    return is_well and (mine.since is None or now - mine.since >= LASTS)


def _entry(strategy: Strategy, name: str, why: str) -> Entry:
    return Entry(strategy, name, Cause(CauseKind.CIRCUIT, name), why)
