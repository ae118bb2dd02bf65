"""A stream drill's progress and its account in, what a person sees out."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Final

from rich.console import Console
from rich.table import Table

from ops.drill.stream.account import Account
from ops.drill.stream.run import Show
from ops.drill.telling import add_wrongs, two_columns
from ops.progress import by_counts

HOW_FAILURES_ARE_COUNTED: Final = (
    "Failed records are counted by their pipeline events: AWS also keeps them under errors/, the local AWS does not."
)

_COLOURS = {"waiting": "cyan", "failed": "red", "delivered": "green"}


def live(console: Console, clicks: int) -> AbstractContextManager[Show]:
    """Show a bar an end while the drill runs; robots that are dropped can only be told from their absence at last."""
    return by_counts(console, _COLOURS, clicks)


def account_table(account: Account) -> Table:
    """Return the account as a table: what must be nothing stands apart."""
    table = two_columns("Where each click ended")
    table.add_row("records sent", str(account.records), style="dim")
    table.add_row("clicks sent", str(account.clicks), style="bold")
    table.add_row("delivered", str(account.delivered), style="green")
    table.add_row("dropped", str(account.dropped), style="cyan")
    table.add_row("failed", str(account.failed), style="red")
    add_wrongs(table, account, "lost", "delivered_wrongly", "good_records_failed", "addresses_in_clear")
    table.add_row("delivered twice", str(account.delivered_twice), style="dim")
    table.add_row("seconds", f"{account.seconds:.1f}", style="dim")
    return table


def summary(account: Account) -> str:
    """Return the answer in a sentence or two."""
    if account.is_balanced:
        return "[bold green]It balances: every click ended where it belongs."
    if not account.lost:
        return "[bold red]It does not balance: see the table."
    return (
        "[bold red]It does not balance: see the table.[/] What looks lost may still be buffered, for up to 6 minutes "
        "on AWS (--timeout), or be kept under errors/ because the function itself failed (PipelineLogs)."
    )
