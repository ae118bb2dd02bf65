from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ops.drill.stream.account import Account, Failure, Found, balance
from ops.drill.stream.plan import Plan, Planned, Sort

PLAN = Plan(
    "d",
    (
        Planned(0, Sort.CLICK, b"", good=("d-c0",)),
        Planned(1, Sort.GZIPPED, b"", good=("d-c1",)),
        Planned(2, Sort.SEVERAL, b"", good=("d-c2", "d-c4"), robots=("d-c3",)),
        Planned(3, Sort.ROBOT, b"", robots=("d-c5",)),
        Planned(4, Sort.MALFORMED, b"", broken=("d-c6",)),
        Planned(5, Sort.MALFORMED, b"", broken=("d-c7",)),
    ),
)
GOOD = {"d-c0": 1, "d-c1": 1, "d-c2": 1, "d-c4": 1}
NAMELESS, NAMED = Failure("r-4", ""), Failure("r-5", "d-c7")
BALANCED = Found(
    sent=frozenset(range(6)), delivered=GOOD, strange=0, addresses=0, failures=[NAMELESS, NAMED], seconds=12.34
)


def without(*ids: str) -> dict[str, int]:
    return {click_id: times for click_id, times in GOOD.items() if click_id not in ids}


def test_a_drill_balances_where_every_click_ended_where_it_belongs() -> None:
    account = balance(PLAN, BALANCED)

    assert account == Account(
        records=6, clicks=8, delivered=4, dropped=2, failed=2, lost=0, delivered_wrongly=0, good_records_failed=0,
        addresses_in_clear=0, delivered_twice=0, seconds=12.3,
    )  # fmt: skip
    assert account.is_balanced


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        pytest.param({"delivered": without("d-c0")}, {"lost": 1}, id="a good click is nowhere"),
        pytest.param({"delivered": without("d-c4")}, {"lost": 1}, id="one of several is nowhere"),
        pytest.param({"delivered": without("d-c2", "d-c4")}, {"lost": 2}, id="all of several are nowhere"),
        pytest.param({"failures": [NAMED]}, {"lost": 1}, id="a malformed record is nowhere"),
        pytest.param({"failures": []}, {"lost": 2}, id="no failure is told of"),
        pytest.param({"delivered": GOOD | {"d-c5": 1}}, {"delivered_wrongly": 1}, id="a robot is delivered"),
        pytest.param({"delivered": GOOD | {"d-c3": 2}}, {"delivered_wrongly": 1}, id="a robot among several, twice"),
        pytest.param(
            {"delivered": GOOD | {"d-c6": 1}, "failures": [NAMED]},
            {"delivered_wrongly": 1, "lost": 1},
            id="a malformed record is delivered and no failure is told of",
        ),
        pytest.param({"delivered": GOOD | {"d-c99": 1}}, {"delivered_wrongly": 1}, id="what never was is delivered"),
        pytest.param({"strange": 2}, {"delivered_wrongly": 2}, id="lines that are no clicks"),
        pytest.param({"addresses": 3}, {"addresses_in_clear": 3}, id="addresses in clear"),
        pytest.param(
            {"delivered": without("d-c0"), "failures": [NAMELESS, NAMED, Failure("r-0", "d-c0")]},
            {"good_records_failed": 1},
            id="a good record failed, by name",
        ),
        pytest.param(
            {"delivered": without("d-c2", "d-c4"), "failures": [NAMELESS, NAMED, Failure("r-2", "d-c4")]},
            {"good_records_failed": 1},
            id="a record of several failed, by the name of one",
        ),
        pytest.param(
            {"failures": [NAMELESS, NAMED, Failure("r-3", "d-c5")]}, {"good_records_failed": 1}, id="a robot's failed"
        ),
        pytest.param(
            {"delivered": without("d-c0"), "failures": [NAMELESS, NAMED, Failure("r-0", "")]},
            {"good_records_failed": 1},
            id="a good record failed, without a name",
        ),
        pytest.param(
            {"delivered": without("d-c2"), "failures": [NAMELESS, NAMED, Failure("r-0", "")]},
            {"good_records_failed": 1, "lost": 1},
            id="a record of which something was delivered cannot have failed",
        ),
        pytest.param(
            {"failures": [NAMELESS, NAMED, Failure("r-0", "")]},
            {"good_records_failed": 1},
            id="more failures than malformed records",
        ),
        pytest.param(
            {"failures": [NAMELESS, NAMED, Failure("r-0", "d-c0")]},
            {"good_records_failed": 1},
            id="a good click is delivered, and its record failed",
        ),
    ],
)
def test_it_does_not_balance_where(changed: dict[str, Any], wrong: dict[str, int]) -> None:
    account = balance(PLAN, replace(BALANCED, **changed))

    names = ("lost", "delivered_wrongly", "good_records_failed", "addresses_in_clear")
    assert {name: getattr(account, name) for name in names if getattr(account, name)} == wrong
    assert not account.is_balanced


@pytest.mark.parametrize(
    ("changed", "dropped"),
    [
        pytest.param({}, 2, id="both are nowhere"),
        pytest.param({"delivered": GOOD | {"d-c5": 1}}, 1, id="one is delivered"),
        pytest.param({"failures": [NAMELESS, NAMED, Failure("r-3", "d-c5")]}, 1, id="one's record failed"),
        pytest.param(
            {"delivered": without("d-c2", "d-c4"), "failures": [NAMELESS, NAMED, Failure("r-2", "d-c2")]},
            1,
            id="one shares a record that failed",
        ),
    ],
)
def test_a_robot_that_is_nowhere_is_dropped(changed: dict[str, Any], dropped: int) -> None:
    assert balance(PLAN, replace(BALANCED, **changed)).dropped == dropped


def test_a_click_that_is_delivered_twice_is_shown_and_allowed() -> None:
    account = balance(PLAN, replace(BALANCED, delivered=GOOD | {"d-c0": 3}))

    assert (account.delivered, account.delivered_twice, account.is_balanced) == (4, 2, True)


def test_a_failure_that_is_told_of_under_two_names_of_one_record_is_one() -> None:
    failures = [NAMELESS, NAMED, Failure("r-2", "d-c2"), Failure("r-9", "d-c4")]

    assert balance(PLAN, replace(BALANCED, delivered=without("d-c2", "d-c4"), failures=failures)).failed == 3


def test_what_was_not_sent_is_not_missed() -> None:
    found = replace(BALANCED, sent=frozenset({1, 2, 5}), delivered=without("d-c0"), failures=[NAMED])

    account = balance(PLAN, found)

    assert (account.records, account.clicks, account.delivered, account.dropped) == (3, 5, 3, 1)
    assert account.is_balanced


def test_what_arrives_although_the_stream_did_not_say_that_it_took_it_is_not_counted() -> None:
    found = replace(BALANCED, sent=frozenset(range(1, 6)))

    account = balance(PLAN, found)

    assert (account.clicks, account.delivered, account.is_balanced) == (7, 3, True)


def test_each_click_is_counted_in_one_place() -> None:
    account = balance(PLAN, BALANCED)

    assert account.clicks == account.delivered + account.dropped + account.failed


def test_json_has_these_names_in_this_order() -> None:
    assert list(balance(PLAN, BALANCED).as_json()) == [
        "records", "clicks", "delivered", "dropped", "failed", "lost", "delivered_wrongly", "good_records_failed",
        "addresses_in_clear", "delivered_twice", "seconds",
    ]  # fmt: skip
