"""What the person asked of a drill of the stream in, its exit code out."""

from __future__ import annotations

import secrets
from contextlib import nullcontext
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

from ops.drill import telling
from ops.drill.stream import plan as planning
from ops.drill.stream.account import Account
from ops.drill.stream.run import Show, run
from ops.drill.stream.show import HOW_FAILURES_ARE_COUNTED, account_table, live, summary
from ops.drill.told import Told, told_since
from ops.stack import Stack


def drill(stack: Stack, clicks: int, seed: int, timeout_seconds: float, *, as_json: bool) -> int:
    """Run a drill of the stream on `stack`; returns 0 where it balances, 1 where it does not."""
    began = datetime.now(UTC)
    with nullcontext(lambda _: None) if as_json else live(Console(), clicks) as show:
        account = rehearse(stack, clicks, seed, timeout_seconds, show)
    return tell(account, told_since(stack, began), as_json=as_json)


def tell(account: Account, told: Told | None = None, *, as_json: bool) -> int:
    """Print an account; returns 0 where it balances, 1 where it does not."""
    counted = Text(HOW_FAILURES_ARE_COUNTED, "dim")
    return telling.tell(account, (account_table(account), counted, summary(account)), told, as_json=as_json)


def rehearse(stack: Stack, clicks: int, seed: int, timeout_seconds: float, show: Show = lambda _: None) -> Account:
    """Run a drill of the stream on `stack` and return its account; prints nothing."""
    return run(stack, planning.make(clicks, seed, _name(seed), datetime.now(UTC)), timeout_seconds, show)


def _name(seed: int) -> str:
    """Return an id for a drill that no redaction takes for a card's number: its random part begins with a letter."""
    return f"clicks-{seed}-x{secrets.token_hex(4)}"
