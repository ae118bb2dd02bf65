"""A stack and a plan in; the drill run until nothing moves any more, and its account out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Final, NamedTuple

from backstop.drill import ATTRIBUTE
from ops.drill.account import Account, Found, balance
from ops.drill.ground import Ground
from ops.drill.plan import Plan
from ops.failure import CallFailed
from ops.sending import Entry, send
from ops.stack import Stack

LATE_SECONDS: Final = 4.0
"""When the late products get their price: sooner than five delays of at least a second each are over."""

_POLL_SECONDS: Final = 1.0
_QUIET_POLLS: Final = 3


class Progress(NamedTuple):
    """How far a drill is, for whoever watches."""

    sent: int
    done: int
    dead: int
    retrying: int
    queued: int


Show = Callable[[Progress], None]


@dataclass
class _Watched:
    done: set[str]
    dead_before: int


def run(stack: Stack, plan: Plan, timeout_seconds: float, show: Show) -> Account:
    """Send the plan's events, publish the late prices, wait until nothing is queued or retrying, and account.

    Whatever still moves after `timeout_seconds` is shown as it is. Raises CallFailed where the stack allows no drills.
    """
    ground = Ground(stack)
    ground.stock_up(plan)
    watched = _Watched(set(), ground.depth("DeadLetterQueue"))
    started = monotonic()
    sent = _send(stack, plan, lambda count: show(_progress(ground, plan, watched, count)))
    if plan.late_products:
        sleep(max(started + LATE_SECONDS - monotonic(), 0))
        ground.publish_prices(plan.late_products)
    _wait(ground, plan, watched, len(sent), started + timeout_seconds, show)
    seconds = monotonic() - started
    return balance(plan, _look(ground, plan, sent, seconds))


def _send(stack: Stack, plan: Plan, show: Callable[[int], None]) -> frozenset[int]:
    copies = [event for event in plan.events for _ in range(event.copies)]
    entries = [Entry.of(number, event.body, {ATTRIBUTE: event.mark.serialise()}) for number, event in enumerate(copies)]
    sent: set[int] = set()
    shown = monotonic()
    for call in send(stack.sqs, stack.queue_urls["EventsQueue"], entries):
        if call.is_broken:
            raise CallFailed(f"SQS took {len(sent)} events, then no more: {next(iter(call.refused.values()))}")
        sent.update(copies[number].number for number in call.taken)
        if monotonic() - shown > _POLL_SECONDS:
            show(len(sent))
            shown = monotonic()
    return frozenset(sent)


def _wait(ground: Ground, plan: Plan, watched: _Watched, sent: int, deadline: float, show: Show) -> None:
    """Wait until the queues have been empty a few times in a row: SQS counts are approximate."""
    quiet = 0
    while quiet < _QUIET_POLLS and monotonic() < deadline:
        progress = _progress(ground, plan, watched, sent)
        show(progress)
        quiet = 0 if progress.queued + progress.retrying else quiet + 1
        sleep(_POLL_SECONDS)


def _progress(ground: Ground, plan: Plan, watched: _Watched, sent: int) -> Progress:
    pending = [event.order_id for event in plan.events if event.order_id and event.order_id not in watched.done]
    watched.done.update(ground.orders(pending[:1000]))
    return Progress(
        sent=sent,
        done=len(watched.done),
        dead=max(ground.depth("DeadLetterQueue") - watched.dead_before, 0),
        retrying=ground.depth("RetryQueue"),
        queued=ground.depth("EventsQueue"),
    )


def _look(ground: Ground, plan: Plan, sent: frozenset[int], seconds: float) -> Found:
    return Found(
        sent=sent,
        orders=ground.orders([event.order_id for event in plan.events if event.order_id]),
        stock=ground.stock(plan.all_products),
        dead=ground.dead(plan.drill),
        retrying=ground.depth("RetryQueue"),
        queued=ground.depth("EventsQueue"),
        seconds=seconds,
    )
