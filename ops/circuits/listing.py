"""A stack in, how its circuits stand out: open ones first; and the releases whose failures are held back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from backstop.circuits.state import SLOTS, Calls, CircuitState, Standing, Thresholds
from backstop.circuits.window import total
from backstop.recovery.state import Memory
from backstop.release_counts import Hold
from ops.circuits.found import WORDS, circuits
from ops.intake.found import held_releases, recovery_of
from ops.intake.standing import hold_in_words, what_fails
from ops.recovery.remembered import memory_of, paused_for
from ops.stack import Stack
from ops.tables import cell, say
from ops.terminal import span
from ops.times import iso
from ops.typed import typed

_NONE: Final = (
    "No circuit is known: one is written down when a call through it fails, or it is held open, and forgotten some "
    "hours after. One whose calls all go well costs nothing, and is not listed."
)
_STYLES: Final = {CircuitState.OPEN: "bold red", CircuitState.HALF_OPEN: "yellow"}


def show(stack: Stack, *, as_json: bool) -> int:
    """Print how the circuits stand; returns 0. Raises CallFailed where a table does not answer."""
    now, found, holds, memory = datetime.now(UTC), circuits(stack), held_releases(stack), memory_of(stack)
    if as_json:
        told = [fields(one, memory, now) for one in found]
        print(json.dumps({"circuits": told, "held_releases": [_hold_fields(one) for one in holds]}))
        return 0
    if found:
        Console(highlight=False).print(_table(found, memory, now))
    else:
        say(_NONE)
    _tell_of_holds(stack, holds)
    return 0


def fields(one: Standing, memory: Memory, now: datetime) -> dict[str, Any]:
    """Return what a program is told of a circuit."""
    recent = counted(one.window, now)
    due = one.opens_again_at()
    is_probed = bool(one.prober) and one.lease_until is not None and one.lease_until > now
    return {
        "circuit": one.name,
        "state": WORDS[one.state],
        "since": None if one.since is None else iso(one.since),
        "why": one.why if one.is_down else "",
        "calls": recent.calls,
        "failures": recent.failures,
        "probes": one.probes,
        "successes": one.successes,
        "is_probed": is_probed,
        "next_probe": None if due is None or is_probed else iso(due),
        "held_open_until": None if one.forced_until is None else iso(one.forced_until),
        "depends": sorted(one.dependents),
        "paused": paused_for(memory, one.name),
    }


def counted(window: Mapping[int, Calls], now: datetime) -> Calls:
    """Return the calls that count still: failures, and what went well while there were any.

    How long a slot is, its author alone knows; but its number is the time since 1970, divided by that.
    """
    if not window:
        return Calls()
    seconds = round(SLOTS * now.timestamp() / max(window), 1)
    return total(window, now, Thresholds(window=timedelta(seconds=seconds)))


def _table(found: Sequence[Standing], memory: Memory, now: datetime) -> Table:
    table = Table(show_lines=True)
    for column in ("circuit", "state", "why", "failures", "probes", "depends", "paused"):
        table.add_column(column, overflow="fold", no_wrap=column == "state")
    for one in found:
        lines = _cells(fields(one, memory, now), one, now)
        table.add_row(*(Text("\n").join(map(cell, filter(None, of))) for of in lines), style=_STYLES.get(one.state))
    return table


def _cells(told: Mapping[str, Any], one: Standing, now: datetime) -> tuple[Sequence[str], ...]:
    """Return the lines of each cell."""
    is_closed = one.state is CircuitState.CLOSED
    return (
        (one.name,),
        (told["state"], "" if one.since is None else f"{span(now - one.since)} ago"),
        (told["why"],),
        (f"{told['failures']:,} of {told['calls']:,} calls",) if told["calls"] else (),
        () if is_closed else (f"{one.probes:,}, {one.successes:,} went well", _next(told, one, now)),
        told["depends"],
        told["paused"],
    )


def _next(told: Mapping[str, Any], one: Standing, now: datetime) -> str:
    """Say when the next probe may go through."""
    due = one.opens_again_at()
    if told["is_probed"]:
        return "one runs now"
    if due is None or due <= now:
        return "the next call"
    is_held = one.forced_until is not None and one.forced_until > now
    return f"{'held open: ' if is_held else ''}next in {span(due - now)}"


def _tell_of_holds(stack: Stack, holds: Sequence[Hold]) -> None:
    names = {one.function: one.name for one in recovery_of(stack).intakes} if holds else {}
    for hold in holds:
        say(f"Held: {hold_in_words(hold)}.", "bold red")
        say("Such messages are tried again later instead of dying. See why; then deploy a fix, or let it go on:")
        say(f"  {what_fails(stack, hold)}")
        say(f"  {typed(stack, 'resume', argument=names.get(hold.function, 'all'))}")


def _hold_fields(hold: Hold) -> dict[str, Any]:
    return {
        "function": hold.function,
        "release": hold.release,
        "group": hold.group,
        "failed": hold.failed,
        "ran": hold.ran,
        "since": iso(hold.since),
    }
