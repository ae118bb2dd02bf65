"""A number of events and a seed in, the orders of a drill out: what is sent, and what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from random import Random
from typing import Any, Final

from backstop.drill import Fault, Mark

STOCK: Final = 10**9
CURRENCY: Final = "EUR"
SYSTEM_FAULT_SECONDS: Final = 8.0


class Sort(StrEnum):
    """What a drill's event is like."""

    GOOD = "good"
    DUPLICATE = "duplicate"
    LATE = "late"
    SYSTEM = "system"
    MALFORMED = "malformed"
    UNPRICED = "unpriced"
    EXIT = "exit"
    LOOP = "loop"


ENDS_DONE: Final = frozenset({Sort.GOOD, Sort.DUPLICATE, Sort.LATE, Sort.SYSTEM})
"""What is in order, or will be: none of these may end as a dead letter."""

_SHARES: Final = {
    Sort.DUPLICATE: 0.05,
    Sort.LATE: 0.04,
    Sort.SYSTEM: 0.03,
    Sort.MALFORMED: 0.04,
    Sort.UNPRICED: 0.005,
    Sort.EXIT: 0.005,
    Sort.LOOP: 0.003,
}
_KILLERS: Final = frozenset({Sort.EXIT, Sort.LOOP})
_SLOW: Final = frozenset({Sort.LATE, Sort.SYSTEM, Sort.UNPRICED})


@dataclass(frozen=True, slots=True)
class Planned:
    """An event of a drill. `order_id` is empty where the body is no order."""

    number: int
    sort: Sort
    order_id: str
    body: str
    mark: Mark

    @property
    def copies(self) -> int:
        """How often it is sent."""
        return 2 if self.sort is Sort.DUPLICATE else 1


@dataclass(frozen=True, slots=True)
class Plan:
    """A drill's products and events, in the order in which they are sent."""

    drill: str
    products: tuple[str, ...]
    late_products: tuple[str, ...]
    unpriced_product: str
    events: tuple[Planned, ...]

    @property
    def all_products(self) -> tuple[str, ...]:
        """Every product that its orders name."""
        return (*self.products, *self.late_products, self.unpriced_product)


def make(events: int, seed: int, drill: str, now: datetime, *, is_calm: bool = False) -> Plan:
    """Plan a drill: the same numbers, sorts and quantities for the same `events` and `seed`; ids begin with `drill`.

    A calm drill has good orders only.
    """
    random = Random(seed)
    products = tuple(f"{drill}-p{number}" for number in range(max(5, events // 100)))
    late = () if is_calm else tuple(f"{drill}-late{number}" for number in range(3))
    unpriced = f"{drill}-unpriced"
    choices = {Sort.LATE: late, Sort.UNPRICED: (unpriced,)}
    planned = tuple(
        _plan_event(number, sort, drill, choices.get(sort, products), random, now)
        for number, sort in enumerate([Sort.GOOD] * events if is_calm else _sorts(events, random))
    )
    return Plan(drill, products, late, unpriced, planned)


def _sorts(events: int, random: Random) -> list[Sort]:
    """Return what each event is like: what takes long to end stands in the first half, and killers stand apart."""
    special = [sort for sort, share in _SHARES.items() for _ in range(_count(events, share))][:events]
    killers = [sort for sort in special if sort in _KILLERS]
    slow = [sort for sort in special if sort in _SLOW]
    quick = [sort for sort in special if sort not in _KILLERS | _SLOW] + [Sort.GOOD] * (events - len(special))
    for some in (killers, quick):
        random.shuffle(some)
    half = max(events // 2 - len(slow) - len(killers), 0)
    first = slow + quick[:half]
    random.shuffle(first)
    for place, killer in enumerate(killers):
        first.insert(int((place + random.uniform(0.25, 0.75)) * len(first) / len(killers)), killer)
    return first + quick[half:]


def _count(events: int, share: float) -> int:
    """At least one of each, from fifty events on."""
    return max(round(events * share), 1) if events >= 50 else int(events * share)


def _plan_event(
    number: int, sort: Sort, drill: str, products: tuple[str, ...], random: Random, now: datetime
) -> Planned:
    order_id = f"{drill}-{number:06d}"
    skus = random.sample(products, min(len(products), random.randint(1, 3)))
    order = {
        "id": order_id,
        "customer": f"customer-{random.randint(1, 500)}",
        "currency": CURRENCY,
        "placed_at": now.isoformat(timespec="seconds"),
        "items": [{"sku": sku, "quantity": random.randint(1, 5)} for sku in skus],
    }
    faults = {Sort.EXIT: Fault.EXIT, Sort.LOOP: Fault.LOOP, Sort.SYSTEM: Fault.SYSTEM}
    until = now.timestamp() + SYSTEM_FAULT_SECONDS if sort is Sort.SYSTEM else 0.0
    mark = Mark(drill, number, faults.get(sort), until)
    if sort is Sort.MALFORMED:
        return Planned(number, sort, "", _malformed(order, random), mark)
    return Planned(number, sort, order_id, json.dumps(order), mark)


def _malformed(order: dict[str, Any], random: Random) -> str:
    """Break an order in one of the ways in which senders break theirs."""
    body = json.dumps(order)
    first, *others = order["items"]
    return random.choice(
        (
            body[: len(body) // 2],
            "not JSON at all",
            json.dumps(order | {"customer": "\ud800"}),  # a lone surrogate: not UTF-8, as far as SQS lets it through
            body.replace('"quantity": ', '"quantity": NaN, "was": ', 1),
            json.dumps({name: value for name, value in order.items() if name != "items"}),
            json.dumps(order | {"items": []}),
            json.dumps(order | {"items": [first | {"quantity": -1}, *others]}),
            json.dumps(order | {"items": [first | {"quantity": "two"}, *others]}),
            json.dumps(order | {"items": {"sku": first["sku"]}}),
            json.dumps(order | {"id": 17}),
            json.dumps(order | {"price": 0.01}),
            json.dumps([order]),
            "[" * 10_000 + "]" * 10_000,
        )
    )
