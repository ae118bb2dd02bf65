"""What is really in the tables and queues in, where each event of a drill ended out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ops.drill.plan import ENDS_DONE, STOCK, Plan


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: nothing here is taken from the plan.

    `sent` are the numbers of the events that SQS took, `orders` the stored orders' quantities by product, by order id,
    `stock` what is left of each product, `dead` why each number is a dead letter, the rest messages in the queues.
    """

    sent: frozenset[int]
    orders: Mapping[str, Mapping[str, int]]
    stock: Mapping[str, int]
    dead: Mapping[int, str]
    retrying: int
    queued: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Account:
    """Where the events of a drill ended: each in exactly one place, if it balances."""

    sent: int
    done: int
    dead: Mapping[str, int]
    retrying: int
    parked: int
    queued: int
    lost: int
    effects_twice: int
    good_events_dead: int
    seconds: float

    @property
    def is_balanced(self) -> bool:
        """Whether every event ended, where it belongs, and with one effect."""
        moving = self.retrying + self.parked + self.queued
        wrong = self.lost + self.effects_twice + self.good_events_dead
        return not moving and not wrong and self.sent == self.done + sum(self.dead.values())

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


def balance(plan: Plan, found: Found) -> Account:
    """Account for a drill.

    Stock tells what the orders table cannot: more units gone than the stored orders hold is an effect that happened
    twice, fewer one that never did. An order that is stored and yet a dead letter is counted as dead, and as a good
    event at that.
    """
    sent = [event for event in plan.events if event.number in found.sent]
    stored = [event.number for event in sent if event.order_id in found.orders]
    dead = {event.number: found.dead[event.number] for event in sent if event.number in found.dead}
    done = set(stored) - set(dead)
    nowhere = len(sent) - len(done) - len(dead) - found.retrying - found.queued
    gone, held = _units(plan.all_products, found)
    good = {event.number for event in sent if event.sort in ENDS_DONE} | set(stored)
    return Account(
        sent=len(sent),
        done=len(done),
        dead=dict(sorted(Counter(dead.values()).items())),
        retrying=found.retrying,
        parked=0,
        queued=found.queued,
        lost=max(nowhere, 0) + sum(max(held[sku] - gone[sku], 0) for sku in held),
        effects_twice=sum(max(gone[sku] - held[sku], 0) for sku in gone),
        good_events_dead=len(good & set(dead)),
        seconds=round(found.seconds, 1),
    )


def _units(products: Sequence[str], found: Found) -> tuple[Counter[str], Counter[str]]:
    """Return the units that are gone from stock, and those that stored orders hold, by product."""
    gone = Counter({sku: STOCK - found.stock[sku] for sku in products if sku in found.stock})
    held: Counter[str] = Counter()
    for quantities in found.orders.values():
        held.update(quantities)
    return gone, held
