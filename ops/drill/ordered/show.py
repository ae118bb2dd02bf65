"""An ordered drill's progress and its account in, what a person sees out."""

from __future__ import annotations

from contextlib import AbstractContextManager

from rich.console import Console
from rich.table import Table

from ops.drill.ordered.account import Account, Delays
from ops.drill.ordered.run import Show
from ops.drill.telling import add_ends, add_wrongs, two_columns
from ops.progress import by_counts

_COLOURS = {"queued": "cyan", "parked": "yellow", "done": "green"}


def live(console: Console, events: int) -> AbstractContextManager[Show]:
    """Show a bar a place while the drill runs; what is parked waits for its time, or behind a dead head."""
    return by_counts(console, _COLOURS, events)


def account_table(account: Account) -> Table:
    """Return the account as a table: what must be nothing stands apart."""
    table = two_columns("Where each status change ended")
    add_ends(table, account.sent, account.done, account.dead.items())
    table.add_row("parked behind", str(account.parked), style="yellow")
    table.add_row("queued", str(account.queued))
    add_wrongs(table, account, "lost", "effects_twice", "order_violations", "good_events_dead", "keys_not_as_planned")
    table.add_row("unrelated keys: delay p50, p99", _seconds(account.unrelated_delay_seconds))
    table.add_row("other keys: delay p50, p99", _seconds(account.other_delay_seconds))
    table.add_section()
    table.add_row("keys left", str(account.keys_left), style="yellow" if account.keys_left else "dim")
    table.add_row("seconds", f"{account.seconds:.1f}", style="dim")
    return table


def summary(account: Account) -> str:
    """Return the answer in a sentence or two."""
    if account.is_balanced:
        answer = "[bold green]It balances: every event ended where it belongs, and each key in its order.[/]"
    else:
        answer = "[bold red]It does not balance: see the table.[/]"
    return f"{answer} Keys are left that still wait: see `backstop keys`." if account.keys_left else answer


def _seconds(delays: Delays) -> str:
    return ", ".join("-" if seconds is None else f"{seconds:.1f} s" for seconds in (delays.p50, delays.p99))
