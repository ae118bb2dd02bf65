"""A stream drill's progress and its account in, what a person sees out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich import progress as bars
from rich.console import Console
from rich.table import Table

from ops.drill.stream.account import Account
from ops.drill.stream.run import Progress, Show

HOW_FAILURES_ARE_COUNTED: Final = (
    "Failed records are counted by their pipeline events: AWS also keeps them under errors/, the local AWS does not."
)

_ROWS = (("waiting", "cyan"), ("failed", "red"), ("delivered", "green"))


@contextmanager
def live(console: Console, clicks: int) -> Iterator[Show]:
    """Show a bar an end while the drill runs; robots that are dropped can only be told from their absence at last."""
    with bars.Progress(
        bars.TextColumn("{task.description:>9}"),
        bars.BarColumn(bar_width=40),
        bars.TextColumn("{task.completed:>6.0f} of {task.total:.0f}"),
        console=console,
    ) as display:
        rows = {name: display.add_task(f"[{colour}]{name}", total=clicks) for name, colour in _ROWS}

        def show(progress: Progress) -> None:
            for name, row in rows.items():
                display.update(row, completed=getattr(progress, name))

        yield show


def account_table(account: Account) -> Table:
    """Return the account as a table: what must be nothing stands apart."""
    table = Table(title="Where each click ended", show_header=False, title_justify="left")
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_row("records sent", str(account.records), style="dim")
    table.add_row("clicks sent", str(account.clicks), style="bold")
    table.add_row("delivered", str(account.delivered), style="green")
    table.add_row("dropped", str(account.dropped), style="cyan")
    table.add_row("failed", str(account.failed), style="red")
    table.add_section()
    for name in ("lost", "delivered_wrongly", "good_records_failed", "addresses_in_clear"):
        count = getattr(account, name)
        table.add_row(name.replace("_", " "), str(count), style="bold red" if count else "dim")
    table.add_section()
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
