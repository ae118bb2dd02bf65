"""A stack in, what operators did to it out: who, what, to how many, when, and what came of it; the newest first."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from ops import audit
from ops.stack import Stack
from ops.tables import cell, say

SINCE: Final = "30d"
"""How far back it is shown where nobody says otherwise."""

_COLUMNS: Final = ("at", "who", "command", "count", "result")
_OPEN: Final = "begun: it goes on, or was interrupted"


def show(stack: Stack, since: datetime, command: str, limit: int, *, as_json: bool) -> int:
    """Print what was done since then; with `command`, only by commands in which those words stand. Returns 0."""
    asked = tuple(command.split())
    found = list(islice(_matching(audit.entries(stack, since), asked), limit + 1))
    entries, has_more = found[:limit], len(found) > limit
    if as_json:
        print(json.dumps({"entries": [_told(one) for one in entries], "has_more": has_more}))
        return 0
    if not entries:
        say(f"Nothing was changed{f' by {command}' if asked else ''} since {since:%Y-%m-%d %H:%M} UTC.")
        return 0
    Console(highlight=False).print(_table(entries))
    if has_more:
        say(f"The newest {limit:,}; --limit shows more.")
    return 0


def _matching(entries: Iterable[audit.Entry], asked: tuple[str, ...]) -> Iterable[audit.Entry]:
    """Keep the entries in whose command these words stand, one after the other."""
    return (one for one in entries if not asked or _stands_in(one.command.split(), asked))


def _stands_in(words: list[str], asked: tuple[str, ...]) -> bool:
    return any(tuple(words[start : start + len(asked)]) == asked for start in range(len(words)))


def _told(entry: audit.Entry) -> dict[str, Any]:
    return {
        "at": entry.moment,
        "who": entry.who,
        "command": entry.command,
        "subject": entry.subject,
        "count": entry.count,
        "result": entry.result,
        "is_concluded": entry.is_concluded,
    }


def _table(entries: Iterable[audit.Entry]) -> Table:
    table = Table()
    for column in _COLUMNS:
        table.add_column(column, overflow="fold", justify="right" if column == "count" else "left")
    for entry in entries:
        result = entry.result if entry.is_concluded else _OPEN
        cells = (entry.moment, entry.who, entry.command, f"{entry.count:,}", result)
        table.add_row(*map(cell, cells), style=_style(entry))
    return table


def _style(entry: audit.Entry) -> str:
    if not entry.is_concluded:
        return "yellow"
    return "" if entry.result == audit.DONE else "red"
