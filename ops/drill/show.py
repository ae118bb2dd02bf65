"""A drill's progress and its account in, what a person sees out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich import progress as bars
from rich.console import Console
from rich.table import Table

from ops.drill.account import Account
from ops.drill.run import Progress, Show

_ROWS = (
    ("queued", "cyan"),
    ("retrying", "yellow"),
    ("dead", "red"),
    ("done", "green"),
)


@contextmanager
def live(console: Console, events: int) -> Iterator[Show]:
    """Show a bar a verdict while the drill runs."""
    with bars.Progress(
        bars.TextColumn("{task.description:>9}"),
        bars.BarColumn(bar_width=40),
        bars.TextColumn("{task.completed:>6.0f} of {task.total:.0f}"),
        console=console,
    ) as display:
        rows = {name: display.add_task(f"[{colour}]{name}", total=events) for name, colour in _ROWS}

        def show(progress: Progress) -> None:
            for name, row in rows.items():
                display.update(row, completed=getattr(progress, name))

        yield show


def account_table(account: Account) -> Table:
    """Return the account as a table: what must be nothing stands apart."""
    table = Table(title="Where each event ended", show_header=False, title_justify="left")
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_row("sent", str(account.sent), style="bold")
    table.add_row("done", str(account.done), style="green")
    for reason, count in account.dead.items():
        table.add_row(f"dead, {reason}", str(count), style="red")
    for name in ("retrying", "parked", "queued"):
        table.add_row(name, str(getattr(account, name)))
    table.add_section()
    for name in ("lost", "effects_twice", "good_events_dead"):
        count = getattr(account, name)
        table.add_row(name.replace("_", " "), str(count), style="bold red" if count else "dim")
    table.add_section()
    table.add_row("seconds", f"{account.seconds:.1f}", style="dim")
    return table


def summary(account: Account) -> str:
    """Return the answer in one sentence."""
    if account.is_balanced:
        return "[bold green]It balances: every event ended, once, and where it belongs."
    return "[bold red]It does not balance: see the table."
