"""A drill's progress and its account in, what a person sees out."""

from __future__ import annotations

from contextlib import AbstractContextManager

from rich.console import Console
from rich.table import Table

from ops.drill.account import Account
from ops.drill.run import Show
from ops.drill.telling import add_ends, add_wrongs, two_columns
from ops.progress import by_counts

_COLOURS = {"queued": "cyan", "retrying": "yellow", "dead": "red", "done": "green"}


def live(console: Console, events: int) -> AbstractContextManager[Show]:
    """Show a bar a verdict while the drill runs."""
    return by_counts(console, _COLOURS, events)


def account_table(account: Account) -> Table:
    """Return the account as a table: what must be nothing stands apart."""
    table = two_columns("Where each event ended")
    add_ends(table, account.sent, account.done, account.dead.items())
    for name in ("retrying", "parked", "queued"):
        table.add_row(name, str(getattr(account, name)))
    add_wrongs(table, account, "lost", "effects_twice", "good_events_dead")
    table.add_row("seconds", f"{account.seconds:.1f}", style="dim")
    return table


def summary(account: Account) -> str:
    """Return the answer in one sentence."""
    if account.is_balanced:
        return "[bold green]It balances: every event ended, once, and where it belongs."
    return "[bold red]It does not balance: see the table."
