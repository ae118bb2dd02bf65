"""A stack and a plan in; the drill run until every click is accounted for, and its account out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Final, NamedTuple

from ops.drill.stream.account import Account, Found, balance
from ops.drill.stream.ground import Ground
from ops.drill.stream.plan import Plan
from ops.failure import CallFailed
from ops.sending import chunks
from ops.stack import Stack

_RECORDS: Final = 100
"""Records of a call: fewer than Firehose takes, because the local AWS answers only when it has transformed them all."""

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 10.0
_PAUSE_SHARE: Final = 0.1
"""How long the next pause is, of the time that has passed: soon on the local AWS, and seldom on AWS, which buffers."""

_QUIET_POLLS: Final = 3


class Progress(NamedTuple):
    """How far a drill is, for whoever watches; in clicks, but for `failed`, which are records."""

    waiting: int
    delivered: int
    failed: int


Show = Callable[[Progress], None]


def run(stack: Stack, plan: Plan, timeout_seconds: float, show: Show) -> Account:
    """Put the plan's records on the stream, wait until each click is found somewhere, and account.

    Then it looks a few times more: what must not be delivered may come late. Whatever is nowhere after
    `timeout_seconds` is lost, as far as it can tell. Raises CallFailed where the stack allows no drills, or the stream
    takes nothing.
    """
    ground = Ground(stack, plan.drill, datetime.now(UTC))
    started = monotonic()
    sent = _send(ground, plan, show)
    quiet = 0
    while True:
        account = balance(plan, _look(ground, sent, monotonic() - started))
        show(Progress(account.lost, account.delivered, account.failed))
        quiet = 0 if account.lost else quiet + 1
        passed = monotonic() - started
        if quiet > _QUIET_POLLS or passed >= timeout_seconds:
            return account
        pause = min(max(passed * _PAUSE_SHARE, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        sleep(min(pause, timeout_seconds - passed))


def _send(ground: Ground, plan: Plan, show: Show) -> frozenset[int]:
    sent: set[int] = set()
    clicks = 0
    for some in chunks(plan.records, _RECORDS):
        whys = ground.put([record.data for record in some])
        if all(whys):
            raise CallFailed(f"the stream took {len(sent)} records, then no more: {whys[0]}")
        taken = [record for record, why in zip(some, whys, strict=True) if not why]
        sent.update(record.number for record in taken)
        clicks += sum(len(record.ids) for record in taken)
        show(Progress(clicks, 0, 0))
    return frozenset(sent)


def _look(ground: Ground, sent: frozenset[int], seconds: float) -> Found:
    ground.read_data()
    return Found(
        sent=sent,
        delivered=ground.delivered,
        strange=ground.strange,
        addresses=ground.addresses,
        failures=ground.failures(),
        seconds=seconds,
    )
