"""What the person asked of an ordered drill in, its exit code out."""

from __future__ import annotations

import secrets
from contextlib import nullcontext
from datetime import UTC, datetime

from rich.console import Console

from ops.drill import telling
from ops.drill.ordered import plan as planning
from ops.drill.ordered.account import Account
from ops.drill.ordered.plan import MOST_EVENTS, Plan
from ops.drill.ordered.run import Show, run
from ops.drill.ordered.show import account_table, live, summary
from ops.drill.told import Told, told_since
from ops.failure import CallFailed
from ops.stack import Stack


def drill(
    stack: Stack, keys: int, events: int, seed: int, timeout_seconds: float, *, is_calm: bool, as_json: bool
) -> int:
    """Run an ordered drill of `events` a key on `stack`; returns 0 where it balances, 1 where it does not."""
    began = datetime.now(UTC)
    with nullcontext(lambda _: None) if as_json else live(Console(), keys * events) as show:
        account = rehearse(stack, keys, events, seed, timeout_seconds, show, is_calm=is_calm)
    return tell(account, told_since(stack, began), as_json=as_json)


def tell(account: Account, told: Told | None = None, *, as_json: bool) -> int:
    """Print an account; returns 0 where it balances, 1 where it does not."""
    return telling.tell(account, (account_table(account), summary(account)), told, as_json=as_json)


def rehearse(
    stack: Stack,
    keys: int,
    events: int,
    seed: int,
    timeout_seconds: float,
    show: Show = lambda _: None,
    *,
    is_calm: bool = False,
) -> Account:
    """Run an ordered drill of `events` a key on `stack` and return its account; prints nothing."""
    return run(stack, _plan(keys, events, seed, is_calm=is_calm), timeout_seconds, show)


def _plan(keys: int, events: int, seed: int, *, is_calm: bool) -> Plan:
    """Plan it under an id that no redaction takes for a card's number: its random part begins with a letter."""
    if events > MOST_EVENTS:
        raise CallFailed(f"{events} events a key are too many: an ordered drill takes {MOST_EVENTS} at most")
    drill = f"ordered-{seed}-x{secrets.token_hex(4)}"
    return planning.make(keys, events, seed, drill, datetime.now(UTC), is_calm=is_calm)
