from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from backstop.drill import Mark
from ops.drill.account import Account, Found, balance
from ops.drill.plan import STOCK, Plan, Planned, Sort

SORTS = (Sort.GOOD, Sort.GOOD, Sort.DUPLICATE, Sort.LATE, Sort.MALFORMED, Sort.EXIT)
"""Numbers 0 to 5: each good order takes two units of tea."""


def event(number: int, sort: Sort) -> Planned:
    return Planned(number, sort, "" if sort is Sort.MALFORMED else f"o-{number}", "{}", Mark("d", number))


PLAN = Plan("d", ("tea",), ("late",), "unpriced", tuple(event(number, sort) for number, sort in enumerate(SORTS)))
TEA = {"tea": 2}
BALANCED = Found(
    sent=frozenset(range(6)),
    orders={"o-0": TEA, "o-1": TEA, "o-2": TEA, "o-3": {"late": 1}},
    stock={"tea": STOCK - 6, "late": STOCK - 1, "unpriced": STOCK},
    dead={4: "permanent", 5: "crashed"},
    retrying=0,
    queued=0,
    seconds=12.34,
)


def without(order_id: str) -> Mapping[str, Mapping[str, int]]:
    return {name: quantities for name, quantities in BALANCED.orders.items() if name != order_id}


def stock(**left: int) -> Mapping[str, int]:
    return {**BALANCED.stock, **left}


def test_a_drill_balances_where_every_event_ended_where_it_belongs() -> None:
    account = balance(PLAN, BALANCED)

    assert account == Account(
        sent=6, done=4, dead={"crashed": 1, "permanent": 1}, retrying=0, parked=0, queued=0, lost=0, effects_twice=0,
        good_events_dead=0, seconds=12.3,
    )  # fmt: skip
    assert account.is_balanced


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        pytest.param({"orders": without("o-1"), "stock": stock(tea=STOCK - 4)}, {"lost": 1}, id="an event is nowhere"),
        pytest.param({"dead": {4: "permanent"}}, {"lost": 1}, id="a dead letter is nowhere"),
        pytest.param({"stock": stock(tea=STOCK - 8)}, {"effects_twice": 2}, id="stock is taken twice"),
        pytest.param({"stock": stock(tea=STOCK - 4)}, {"lost": 2}, id="an order is stored, its stock is not taken"),
        pytest.param(
            {"stock": {"late": STOCK - 1}}, {"lost": 6}, id="a product that orders hold is not in the catalogue"
        ),
        pytest.param(
            {"stock": stock(tea=STOCK - 4, late=STOCK - 3)},
            {"lost": 2, "effects_twice": 2},
            id="too much of one product does not make up for too little of another",
        ),
        pytest.param(
            {"orders": without("o-1"), "stock": stock(tea=STOCK - 4), "dead": {**BALANCED.dead, 1: "exhausted"}},
            {"good_events_dead": 1},
            id="a good event is a dead letter",
        ),
        pytest.param(
            {"orders": without("o-3"), "stock": stock(late=STOCK), "dead": {**BALANCED.dead, 3: "exhausted"}},
            {"good_events_dead": 1},
            id="a late event is a dead letter",
        ),
        pytest.param(
            {"dead": {**BALANCED.dead, 0: "moved by SQS"}}, {"good_events_dead": 1}, id="an order is stored and dead"
        ),
        pytest.param(
            {"orders": {**BALANCED.orders, "o-5": TEA}, "stock": stock(tea=STOCK - 8)},
            {"good_events_dead": 1},
            id="a faulty order is stored and dead",
        ),
        pytest.param(
            {"orders": without("o-1"), "stock": stock(tea=STOCK - 4), "retrying": 1}, {"retrying": 1}, id="one retries"
        ),
        pytest.param(
            {"orders": without("o-1"), "stock": stock(tea=STOCK - 4), "queued": 1}, {"queued": 1}, id="one is queued"
        ),
        pytest.param({"queued": 1}, {"queued": 1}, id="a copy of one that is done is queued"),
    ],
)
def test_it_does_not_balance_where(changed: dict[str, Any], wrong: dict[str, int]) -> None:
    account = balance(PLAN, replace(BALANCED, **changed))

    names = ("lost", "effects_twice", "good_events_dead", "retrying", "parked", "queued")
    assert {name: getattr(account, name) for name in names if getattr(account, name)} == wrong
    assert not account.is_balanced


def test_each_event_is_counted_in_one_place() -> None:
    account = balance(PLAN, replace(BALANCED, dead={**BALANCED.dead, 0: "moved by SQS"}))

    assert account.done + sum(account.dead.values()) == account.sent


def test_what_was_not_sent_is_not_missed() -> None:
    found = replace(BALANCED, sent=frozenset(range(5)), dead={4: "permanent"})

    account = balance(PLAN, found)

    assert (account.sent, account.lost, account.is_balanced) == (5, 0, True)


def test_letters_of_events_that_were_not_sent_are_not_counted() -> None:
    found = replace(BALANCED, sent=frozenset(range(5)))

    assert balance(PLAN, found).dead == {"permanent": 1}


def test_json_has_these_names_in_this_order() -> None:
    assert list(balance(PLAN, BALANCED).as_json()) == [
        "sent", "done", "dead", "retrying", "parked", "queued", "lost", "effects_twice", "good_events_dead", "seconds",
    ]  # fmt: skip
