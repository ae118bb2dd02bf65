"""A stack and a plan in; the drill run until only dead heads hold keys up, cleaned up after, and its account out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import monotonic, sleep
from typing import Final, NamedTuple

from backstop.aws.sqs import MAX_ENTRIES
from backstop.parking import State
from ops.drill.ordered.account import Account, Found, balance
from ops.drill.ordered.ground import AT_ONCE, Ground
from ops.drill.ordered.plan import Plan
from ops.failure import CallFailed
from ops.sending import chunks
from ops.stack import Stack

_POLL_SECONDS: Final = 1.0
_QUIET_POLLS: Final = 3


class Progress(NamedTuple):
    """How far a drill is, for whoever watches."""

    queued: int
    parked: int
    done: int


Show = Callable[[Progress], None]


def run(stack: Stack, plan: Plan, timeout_seconds: float, show: Show) -> Account:
    """Send the plan's events, wait until nothing is queued and each key that waits is held, account, and clean up.

    Whatever still moves after `timeout_seconds` is shown as it is. In the end it removes its own held keys, with what
    is parked of them: it is accounted for, and nobody is to be alarmed by a drill. The orders stay, with their history.
    Raises CallFailed where the stack allows no drills or does not hold keys at dead heads, or SQS takes no more.
    """
    ground = Ground(stack, max(map(len, plan.keys.values())))
    ground.store_orders(plan.keys)
    started = monotonic()
    sent = _send(ground, plan, lambda: show(_progress(ground, plan)))
    _wait(ground, plan, started + timeout_seconds, show)
    account = balance(plan, _look(ground, plan, sent, monotonic() - started))
    return replace(account, keys_left=ground.clean_up(plan.keys))


def _send(ground: Ground, plan: Plan, show: Callable[[], None]) -> frozenset[int]:
    """Send round by round: a call holds no two events of a key, and no key is in two calls at once."""
    sent: set[int] = set()
    shown = monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for events in plan.rounds:
            calls = list(chunks(events, MAX_ENTRIES))
            for call, why in zip(calls, pool.map(ground.send, calls), strict=True):
                if why:
                    raise CallFailed(f"SQS took {len(sent)} events, then no more: {why}")
                sent.update(event.number for event in call)
            if monotonic() - shown > _POLL_SECONDS:
                show()
                shown = monotonic()
    return frozenset(sent)


def _wait(ground: Ground, plan: Plan, deadline: float, show: Show) -> None:
    """Wait until nothing has moved a few times in a row: SQS counts are approximate."""
    quiet = 0
    while quiet < _QUIET_POLLS and monotonic() < deadline:
        show(_progress(ground, plan))
        quiet = 0 if _is_moving(ground, plan) else quiet + 1
        sleep(_POLL_SECONDS)


def _is_moving(ground: Ground, plan: Plan) -> bool:
    if ground.depth("OrderedQueue") or ground.depth("DrainQueue"):
        return True
    return any(lock.state is not State.HELD for lock in ground.locks(plan.keys).values())


def _progress(ground: Ground, plan: Plan) -> Progress:
    return Progress(
        queued=ground.depth("OrderedQueue"),
        parked=sum(lock.waiting for lock in ground.locks(plan.keys).values()),
        done=ground.count_applied(plan.keys),
    )


def _look(ground: Ground, plan: Plan, sent: frozenset[int], seconds: float) -> Found:
    return Found(
        sent=sent,
        orders=ground.orders(plan.keys),
        parked=ground.parked(plan.keys),
        states={key: lock.state for key, lock in ground.locks(plan.keys).items()},
        queued=ground.depth("OrderedQueue"),
        seconds=seconds,
    )
