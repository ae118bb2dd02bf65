"""An outage's account in, what a person sees out."""

from __future__ import annotations

from datetime import datetime

from rich.table import Table

from backstop.recovery.mode import Mode
from ops.drill.outage.account import MOST, Account
from ops.drill.outage.plan import Outage
from ops.drill.telling import add_ends, add_wrongs, two_columns


def account_table(account: Account) -> Table:
    """Return the account as a table: what must be nothing stands apart."""
    table = two_columns(f"{outage_in_words(account.outage)}: what became of it")
    add_ends(table, account.orders.sent, account.orders.done, account.orders.dead.items())
    for name in ("retrying", "queued"):
        table.add_row(name, str(getattr(account.orders, name)))
    add_wrongs(table, account.orders, "lost", "effects_twice", "good_events_dead")
    _add_calls(table, account)
    table.add_section()
    table.add_row("outage began", _time(account.began_at, "it did not"))
    table.add_row("intake paused", _time(account.paused_at, _why_not(account)))
    table.add_row("intake resumed", _time(account.resumed_at, "no"))
    table.add_row("circuit opened", _yes(is_so=account.circuit_opened))
    table.add_row("circuit closed again", _yes(is_so=account.circuit_closed))
    table.add_row("intakes enabled", _yes(is_so=account.intakes_enabled))
    table.add_row("seconds", f"{account.orders.seconds:.1f}", style="dim")
    return table


def summary(account: Account) -> str:
    """Return the answer in a sentence, and what is wrong, each in its own."""
    if account.is_balanced:
        answer = "[bold green]It balances: the outage cost no order, and all went on by itself."
    else:
        answer = "\n".join(("[bold red]It does not balance:", *(f"- {wrong}" for wrong in account.wrongs)))
    if account.paused_at is None and account.recovery_mode is not Mode.ACT:
        answer += f"\n[yellow]No intake was paused: RecoveryMode is {account.recovery_mode} on this stack."
    return answer


def outage_in_words(outage: Outage) -> str:
    """Say what was rehearsed."""
    how = outage.mode if outage.is_whole else f"{outage.mode} {outage.rate:.0%}"
    return f"An outage of {outage.seconds:g} s ({how})"


def _add_calls(table: Table, account: Account) -> None:
    table.add_row("calls to the gateway while it was out", f"{account.calls_in_outage:,}", style="bold")
    table.add_row("a naive consumer's, at least", f"{account.naive_calls:,}")
    limit = f" (at most {MOST:.0%})" if account.outage.is_whole else ""
    table.add_row("ratio", "-" if account.ratio is None else f"{account.ratio:.2%}{limit}")
    table.add_row("charges", f"{account.charges:,}")
    twice = account.charged_twice
    table.add_row("charged twice", str(twice), style="bold red" if twice else "dim")


def _why_not(account: Account) -> str:
    return "no" if account.recovery_mode is Mode.ACT else f"no: RecoveryMode is {account.recovery_mode}"


def _time(at: datetime | None, otherwise: str) -> str:
    return otherwise if at is None else f"{at:%H:%M:%S} UTC"


def _yes(*, is_so: bool) -> str:
    return "yes" if is_so else "no"
