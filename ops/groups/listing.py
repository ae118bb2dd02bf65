"""A stack in, its groups of failures out: open ones first, the most urgent and most recent of these first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from backstop.alert import label
from backstop.groups import Group, State
from backstop.occurrence import Severity
from ops.groups import counts
from ops.groups.counts import Counts
from ops.groups.found import Known, list_groups, what
from ops.stack import Stack
from ops.tables import cell, say, warn
from ops.terminal import span
from ops.times import iso

RECENT: Final = "14d"
"""How far back groups are shown where nobody says otherwise: what is older is history."""

_COLUMNS: Final = ("group", "what", "times\nlast hour", "now", "seen")
_WHOLE: Final = ("group", "times\nlast hour", "now")
"""What is not folded: it is copied into the next command, or would not be read any more."""
_WIDTHS: Final = {"seen": 16}
"""What takes no more, so that there is room for what fails: `first 20 min ago`."""
_RANKS: Final = {state: rank for rank, state in enumerate(State)}
_BECOMES: Final = {
    "Retry": "tried again",
    "Park": "parked, tried again",
    "Dead": "dead letters",
    "ProcessingFailed": "kept under errors/",
}
_STYLES: Final = {Severity.CRITICAL: "bold red", Severity.ERROR: "red", Severity.WARNING: "yellow"}


def show(stack: Stack, state: State | None, seen_since: datetime | None, limit: int, *, as_json: bool) -> int:
    """Print the groups of a state that were seen since then; returns 0."""
    now = datetime.now(UTC)
    groups, unread = list_groups(stack)
    recent = [one for one in groups if seen_since is None or one.group.last_seen >= seen_since]
    found = in_order((one for one in recent if state in (None, one.group.state(now))), now)
    shown = found[:limit]
    counted, why_not = counts.count(stack, [one.group.group for one in shown], now)
    if as_json:
        told = [fields(one.group, now) | counts.fields(counted.get(one.group.group)) for one in shown]
        others = {"total": len(found), "older": len(groups) - len(recent), "unread": unread, "uncounted": why_not}
        print(json.dumps({"groups": told} | others))
        return 0
    if found:
        Console(highlight=False).print(_table(shown, counted, now))
    else:
        say(_nothing(state, seen_since if len(recent) < len(groups) else None))
    _tell_of_others(len(found), limit, len(groups) - len(recent), unread)
    tell_uncounted(why_not)
    return 0


def in_order(groups: Iterable[Known], now: datetime) -> list[Known]:
    """Return groups in the order in which they are looked at: open first, then by urgency, then the latest."""

    def place(one: Known) -> tuple[int, int, float, str]:
        group = one.group
        return _RANKS[group.state(now)], group.severity.urgency, -group.last_seen.timestamp(), group.group

    return sorted(groups, key=place)


def fields(group: Group, now: datetime) -> dict[str, Any]:
    """Return what a program is told of a group."""
    return {
        "group": label(group.group),
        "state": group.state(now),
        "severity": group.severity,
        "kind": group.kind,
        "error_type": group.error_type,
        "where": group.where,
        "function": group.function,
        "queue": group.queue,
        "stage": group.stage,
        "verdict": group.verdict,
        "occurrences": group.occurrences,
        "first_seen": iso(group.first_seen),
        "last_seen": iso(group.last_seen),
        "release": group.release,
        "releases": sorted(group.releases),
        "note": group.note,
    }


def state_of(group: Group, now: datetime) -> str:
    """Say what state a group is in, and for how long."""
    state = group.state(now)
    if state is State.SILENCED and group.silenced_until is not None:
        return f"{state}, {span(group.silenced_until - now)} left"
    return state


def becomes(group: Group) -> str:
    """Say in a word what becomes of its events."""
    return _BECOMES.get(group.verdict, "")


def _nothing(state: State | None, seen_since: datetime | None) -> str:
    then = "" if seen_since is None else f" since {seen_since:%Y-%m-%d %H:%M} UTC"
    if state is not None:
        return f"No group{' that was seen' if then else ''}{then} is {state}."
    return f"Nothing has failed{then}." if then else "No failures are known."


def _tell_of_others(found: int, limit: int, older: int, unread: list[str]) -> None:
    if limit < found:
        say(f"{limit:,} of {found:,} groups; --limit shows more.")
    if older:
        say(f"Left out, as last seen before that: {older:,}; --all shows them.")
    for why in unread:
        warn(f"not read: {why}")


def tell_uncounted(why_not: str) -> None:
    """Say why it is not known how many events are where, if it is not."""
    if why_not:
        warn(f"how many events are dead, parked or retrying is not known: {why_not}")


def _table(groups: list[Known], counted: Mapping[str, Counts], now: datetime) -> Table:
    table = Table(show_lines=True)
    for column in _COLUMNS:
        table.add_column(column, overflow="fold", no_wrap=column in _WHOLE, max_width=_WIDTHS.get(column))
    for one in groups:
        group = one.group
        style = _STYLES.get(group.severity, "") if group.state(now) is State.OPEN else ""
        table.add_row(*map(_lines, _cells(group, counted.get(group.group), now)), style=style)
    return table


def _cells(group: Group, counts: Counts | None, now: datetime) -> Iterable[Iterable[str]]:
    """Return the lines of each cell: a line a fact, so that a terminal of 100 columns has room for all."""
    release = releases(group)
    return (
        (label(group.group), state_of(group, now), group.severity),
        (what(group), ", ".join(filter(None, (group.kind, group.function))), becomes(group)),
        (f"{group.occurrences:,}", "?" if counts is None else counts.sparkline()),
        ("?",) if counts is None else counts.in_words(),
        (
            f"first {span(now - group.first_seen)} ago",
            f"last {span(now - group.last_seen)} ago",
            f"in {release}" if release else "",
        ),
    )


def _lines(texts: Iterable[str]) -> Text:
    return Text("\n").join(map(cell, filter(None, texts)))


def releases(group: Group) -> str:
    """Name the last release that a group was seen in, and say in how many others."""
    others = len(group.releases - {group.release})
    return f"{group.release} (and {others} more)" if others and group.release else group.release
