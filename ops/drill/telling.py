"""A drill's account in, what is printed of it out: what the accounts of all drills have in common."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Protocol

from rich.console import Console, RenderableType
from rich.table import Table

from ops.drill import told as told_of
from ops.drill.told import Told


class Account(Protocol):
    """Where the events of a drill ended."""

    @property
    def is_balanced(self) -> bool:
        """Whether each ended where it belongs."""

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""


def tell(account: Account, parts: Iterable[RenderableType], told: Told | None = None, *, as_json: bool) -> int:
    """Print an account, in parts for people, and what these were told; returns 0 where it balances, 1 where not."""
    if as_json:
        print(json.dumps(account.as_json() | ({} if told is None else told.as_json())))
        return int(not account.is_balanced)
    console = Console()
    for part in parts:
        console.print(part)
    if told is not None:
        told_of.show(told, is_full=False)
    return 0 if account.is_balanced else 1


def two_columns(title: str) -> Table:
    """Return an empty table of names and numbers."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(justify="left")
    table.add_column(justify="right")
    return table


def add_ends(table: Table, sent: int, done: int, dead: Iterable[tuple[str, int]]) -> None:
    """Add how many events were sent, how many are done, and how many are dead for which reason."""
    table.add_row("sent", str(sent), style="bold")
    table.add_row("done", str(done), style="green")
    for reason, count in dead:
        table.add_row(f"dead, {reason}", str(count), style="red")


def add_wrongs(table: Table, account: Account, *names: str) -> None:
    """Add, in a section of its own, what must be nothing."""
    table.add_section()
    for name in names:
        count = getattr(account, name)
        table.add_row(name.replace("_", " "), str(count), style="bold red" if count else "dim")
    table.add_section()
