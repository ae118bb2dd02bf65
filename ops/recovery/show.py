"""A stack in, what recovery did and why out, the newest first; above it, what of that holds now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from backstop.aws.recovery_log import Written
from backstop.recovery.mode import Mode
from backstop.recovery.state import CauseMemory, Memory
from ops.failure import told_in_a_sentence
from ops.intake.found import recovery_of
from ops.intake.standing import pause_in_words
from ops.recovery.remembered import memory_of, pause_fields, pauses, recovery_log
from ops.stack import Stack
from ops.tables import cell, say
from ops.times import iso, told
from ops.typed import typed

SINCE: Final = "7d"
"""How far back it is shown where nobody says otherwise."""

_COLUMNS: Final = ("at", "what", "target", "cause", "why")
_MODES: Final = {
    Mode.ACT: "it acts by itself",
    Mode.SUGGEST: "it tells people what it would do, and undoes what it did before",
    Mode.OFF: "it does nothing, but undo what it did before",
}


def show(stack: Stack, since: datetime, limit: int, *, as_json: bool) -> int:
    """Print what holds now, and what was done since then; returns 0. Raises CallFailed where AWS does not answer."""
    recovery, memory = recovery_of(stack), memory_of(stack)
    with told_in_a_sentence():
        found = recovery_log(stack).entries(since, limit + 1)
    written, has_more = found[:limit], len(found) > limit
    if as_json:
        now = {"mode": recovery.mode, **holding(memory)}
        print(json.dumps({**now, "entries": [_fields(one) for one in written], "has_more": has_more}))
        return 0
    say(f"RecoveryMode is {recovery.mode}: {_MODES[recovery.mode]}.")
    for line in in_words(stack, memory):
        say(line)
    if not written:
        say(f"Nothing was done since {told(since)}.")
        return 0
    Console(highlight=False).print(_table(written))
    if has_more:
        say(f"The newest {limit:,}; --limit shows more.")
    return 0


def holding(memory: Memory) -> dict[str, Any]:
    """Return what a program is told of what holds now."""
    return {
        "paused": [pause_fields(name, pause) for name, pause in pauses(memory).items()],
        "scaled": [
            {"intake": name, "concurrency": one.concurrency, "since": _time(one.stepped_at)}
            for name, one in sorted(memory.intakes.items())
            if one.concurrency is not None and one.pause is None
        ],
        "on_backup": [
            {"circuit": name, "since": _time(one.since)}
            for name, one in sorted(memory.switches.items())
            if one.to_backup
        ],
        "causes": [
            {
                "cause": name,
                "since": iso(one.since),
                "gone_since": _time(one.seen_at),
                "tried": list(one.tried),
                "told": _time(one.told_at),
            }
            for name, one in sorted(memory.causes.items())
            if not one.is_over
        ],
    }


def in_words(stack: Stack, memory: Memory) -> list[str]:
    """Return what a person is told of what holds now, a line a thing."""
    lines = []
    for name, pause in pauses(memory).items():
        lines += [f"{name}: {pause_in_words(pause)}. Let it go on:", f"  {typed(stack, 'resume', argument=name)}"]
    for name, intake in sorted(memory.intakes.items()):
        if intake.concurrency is not None and intake.pause is None:
            lines.append(f"{name}: its concurrency is {intake.concurrency}{_since(intake.stepped_at)}")
    for name, switch in sorted(memory.switches.items()):
        if switch.to_backup:
            lines.append(f"{name}: on its backup{_since(switch.since)}")
    lines += [_cause(name, one) for name, one in sorted(memory.causes.items()) if not one.is_over]
    return lines or ["Nothing is paused, scaled or on a backup."]


def _cause(name: str, cause: CauseMemory) -> str:
    """Say since when something is the matter, and what was tried against it."""
    gone = "" if cause.seen_at is None else f", gone{_since(cause.seen_at)}"
    people = "" if cause.told_at is None else f"; people were told at {told(cause.told_at)}"
    return f"{name}{_since(cause.since)}{gone}: tried {', '.join(cause.tried) or 'nothing yet'}{people}"


def _since(when: datetime | None) -> str:
    return "" if when is None else f" since {told(when)}"


def _time(when: datetime | None) -> str | None:
    return None if when is None else iso(when)


def _fields(one: Written) -> dict[str, Any]:
    entry = one.entry
    return {
        "at": iso(one.at),
        "what": entry.strategy,
        "target": entry.target,
        "cause": str(entry.cause),
        "why": entry.why,
        "is_suggested": entry.is_suggested,
    }


def _table(written: Sequence[Written]) -> Table:
    table = Table()
    for column in _COLUMNS:
        table.add_column(column, overflow="fold")
    for one in written:
        entry = one.entry
        what = f"{entry.strategy} (suggested)" if entry.is_suggested else entry.strategy
        cells = (told(one.at), what, entry.target, entry.cause, entry.why)
        table.add_row(*map(cell, cells), style="yellow" if entry.is_suggested else "")
    return table
