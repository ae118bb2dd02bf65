"""What the person asked of a drill of an outage in, its exit code out."""

from __future__ import annotations

import secrets
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Final

from rich.console import Console

from ops.drill import plan as planning
from ops.drill import telling
from ops.drill.outage.account import Account
from ops.drill.outage.plan import Outage, read
from ops.drill.outage.run import run
from ops.drill.outage.show import account_table, summary
from ops.drill.run import Show
from ops.drill.show import live
from ops.drill.told import Told, told_since
from ops.failure import CallFailed
from ops.local import state
from ops.local.gateway.client import Gateway
from ops.stack import Stack

EVENTS: Final = 5000
MODE: Final = "errors"


def drill(
    name: str, span: str, mode: str, events: int, seed: int, timeout_seconds: float, *, is_local: bool, as_json: bool
) -> int:
    """Rehearse an outage on a stack of the local AWS; returns 0 where all went on by itself, 1 where not.

    Raises CallFailed where it is to be elsewhere: nobody breaks a real gateway.
    """
    outage = read(span, mode, timeout_seconds)
    if not is_local:
        raise CallFailed("--outage breaks the local AWS's payment gateway, and no real one: say --local")
    stack, gateway = Stack.of(name, is_local=True), state.running().gateway
    began = datetime.now(UTC)
    with nullcontext(lambda _: None) if as_json else live(Console(), events) as show:
        account = rehearse(stack, gateway, outage, events, seed, timeout_seconds, show)
    return tell(account, told_since(stack, began), as_json=as_json)


def tell(account: Account, told: Told | None = None, *, as_json: bool) -> int:
    """Print an account; returns 0 where it balances, 1 where it does not."""
    return telling.tell(account, (account_table(account), summary(account)), told, as_json=as_json)


def rehearse(
    stack: Stack,
    gateway: Gateway,
    outage: Outage,
    events: int,
    seed: int,
    timeout_seconds: float,
    show: Show = lambda _: None,
) -> Account:
    """Rehearse an outage amid good orders and return its account; prints nothing."""
    name = f"outage-{seed}-x{secrets.token_hex(4)}"
    plan = planning.make(events, seed, name, datetime.now(UTC), is_calm=True)
    return run(stack, gateway, plan, outage, timeout_seconds, show)
