"""What the person asked of a drill in, its exit code out."""

from __future__ import annotations

import secrets
from contextlib import nullcontext
from datetime import UTC, datetime

from rich.console import Console

from ops.drill import plan as planning
from ops.drill import telling
from ops.drill.account import Account
from ops.drill.run import Progress, Show, run
from ops.drill.show import account_table, live, summary
from ops.drill.told import Told, told_since
from ops.stack import Stack


def drill(stack: Stack, events: int, seed: int, timeout_seconds: float, *, as_json: bool) -> int:
    """Run a drill on `stack`; returns 0 where it balances, 1 where it does not."""
    began = datetime.now(UTC)
    account = rehearse_live(stack, events, seed, timeout_seconds, as_json=as_json)
    return tell(account, told_since(stack, began), as_json=as_json)


def rehearse_live(
    stack: Stack, events: int, seed: int, timeout_seconds: float, watch: Show = lambda _: None, *, as_json: bool
) -> Account:
    """Run a drill on `stack` and return its account; people see how far it is, and `watch` is told."""
    with nullcontext(lambda _: None) if as_json else live(Console(), events) as show:

        def tell_both(progress: Progress) -> None:
            show(progress)
            watch(progress)

        return rehearse(stack, events, seed, timeout_seconds, tell_both)


def tell(account: Account, told: Told | None = None, *, as_json: bool) -> int:
    """Print an account; returns 0 where it balances, 1 where it does not."""
    return telling.tell(account, (account_table(account), summary(account)), told, as_json=as_json)


def rehearse(stack: Stack, events: int, seed: int, timeout_seconds: float, show: Show = lambda _: None) -> Account:
    """Run a drill on `stack` and return its account; prints nothing."""
    plan = planning.make(events, seed, f"drill-{seed}-{secrets.token_hex(4)}", datetime.now(UTC))
    return run(stack, plan, timeout_seconds, show)
