from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backstop.recovery.mode import Mode
from backstop.recovery.state import CauseKind, Strategy
from ops.drill.outage.account import Before, Step, naive_calls
from ops.drill.outage.plan import Outage
from ops.local.gateway.health import Mode as Failing
from tests.ops.outage.accounts import BEFORE, CALLED, NOW, OUTAGE, STEPS, WELL, account, step

FLAKY = Outage(Failing.FLAKY, 60, 0.6)


def test_an_outage_balances_where_nobody_had_to_do_anything() -> None:
    found = account()

    assert (found.is_balanced, found.wrongs) == (True, [])
    assert (found.calls_in_outage, found.naive_calls, found.ratio) == (60, 3000, 0.02)
    assert (found.began_at, found.paused_at, found.resumed_at) == (
        NOW, NOW + timedelta(seconds=8), NOW + timedelta(seconds=90),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        pytest.param(
            {"orders": {"dead": {"exhausted": 3}, "done": 4997}, "called": replace(CALLED, charges=4997)},
            "3 good orders are dead letters",
            id="orders are dead",
        ),
        pytest.param(
            {"orders": {"lost": 1, "done": 4999}, "called": replace(CALLED, charges=4999)},
            "the orders do not balance",
            id="an order is lost",
        ),
        pytest.param({"orders": {"effects_twice": 1}}, "the orders do not balance", id="stock is taken twice"),
        pytest.param(
            {"orders": {"retrying": 1, "done": 4999}, "called": replace(CALLED, charges=4999)},
            "the orders do not balance",
            id="one retries still",
        ),
        pytest.param(
            {"before": None, "called": replace(CALLED, in_outage=0)},
            "before an outage could begin",
            id="no outage began",
        ),
        pytest.param({"before": replace(BEFORE, calls=0)}, "of the naive 0", id="there is nothing to compare with"),
        pytest.param(
            {"called": replace(CALLED, charges=5001)}, "5001 charges were made for 5000 orders", id="a charge too many"
        ),
        pytest.param(
            {"called": replace(CALLED, charges=4999)}, "4999 charges were made for 5000 orders", id="a charge too few"
        ),
        pytest.param(
            {"called": replace(CALLED, charged_twice=1)}, "1 orders were charged twice", id="one is charged twice"
        ),
        pytest.param(
            {"called": replace(CALLED, in_outage=91)},
            "called 91 times while it was out: at most 3% of the naive 3,000 may be",
            id="too many calls",
        ),
        pytest.param({"recovered": replace(WELL, has_opened=False)}, "did not open", id="the circuit did not open"),
        pytest.param({"recovered": replace(WELL, is_closed=False)}, "not closed again", id="the circuit stays open"),
        pytest.param(
            {"recovered": replace(WELL, are_intakes_on=False)}, "not all intakes are enabled", id="an intake is off"
        ),
        pytest.param({"steps": ()}, "no intake was paused", id="nothing was paused"),
        pytest.param({"steps": STEPS[:1]}, "not resumed by itself", id="nothing was resumed"),
    ],
)
def test_it_does_not_balance_where(changed: dict[str, Any], wrong: str) -> None:
    found = account(**changed)

    assert not found.is_balanced
    assert len(found.wrongs) == 1
    assert wrong in found.wrongs[0]


def test_calls_at_the_limit_are_few_enough() -> None:
    assert account(called=replace(CALLED, in_outage=90)).is_balanced


def test_a_flaky_gateway_may_be_called_more_often_but_its_circuit_must_open() -> None:
    called = replace(CALLED, in_outage=2000)

    assert account(FLAKY, called=called).is_balanced
    assert account(FLAKY, called=called, recovered=replace(WELL, has_opened=False)).wrongs == [
        "the circuit did not open"
    ]


@pytest.mark.parametrize(
    ("before", "naive"),
    [
        pytest.param(BEFORE, 3000, id="at the pace of before"),
        pytest.param(replace(BEFORE, undone=2500), 2500, id="each order that was not done once"),
        pytest.param(replace(BEFORE, seconds=0.0), 0, id="no time to tell a pace by"),
        pytest.param(replace(BEFORE, calls=0), 0, id="no call before"),
    ],
)
def test_a_naive_consumer_would_have_called_so_often(before: Before, naive: int) -> None:
    assert naive_calls(OUTAGE, before) == naive


def test_without_a_naive_number_there_is_no_ratio() -> None:
    assert account(before=replace(BEFORE, calls=0)).ratio is None


@pytest.mark.parametrize(
    ("steps", "paused", "resumed"),
    [
        pytest.param(
            (*STEPS, step(200, Strategy.PAUSE), step(300, Strategy.RESUME)), 8, 300, id="paused anew: the last end"
        ),
        pytest.param((*STEPS, step(200, Strategy.PAUSE)), 8, None, id="paused anew and not resumed"),
        pytest.param(
            (step(8, Strategy.PAUSE), step(9, Strategy.PAUSE, "ordered"), step(90, Strategy.RESUME)),
            8,
            None,
            id="of two intakes one is not resumed",
        ),
        pytest.param(
            (step(8, Strategy.PAUSE), step(90, Strategy.RESUME, cause=CauseKind.PERSON)),
            8,
            None,
            id="a person resumed it",
        ),
        pytest.param((step(8, Strategy.PAUSE, cause=CauseKind.PERSON),), None, None, id="a person paused it"),
        pytest.param((step(8, Strategy.PAUSE, is_suggested=True),), None, None, id="it was only suggested"),
        pytest.param((step(1, Strategy.RESUME), step(8, Strategy.PAUSE)), 8, None, id="resumed before it was paused"),
    ],
)
def test_a_pause_is_what_recovery_did_and_undid_by_itself(
    steps: tuple[Step, ...], paused: int | None, resumed: int | None
) -> None:
    found = account(steps=steps)

    def seconds(at: Any) -> float | None:
        return None if at is None else (at - NOW).total_seconds()

    assert (seconds(found.paused_at), seconds(found.resumed_at)) == (paused, resumed)


@pytest.mark.parametrize("mode", [Mode.SUGGEST, Mode.OFF])
def test_where_recovery_may_not_act_no_pause_is_missed(mode: Mode) -> None:
    assert account(steps=(), recovered=replace(WELL, mode=mode)).is_balanced


def test_json_has_the_orders_and_these_names() -> None:
    told = account().as_json()

    assert list(told)[:10] == [
        "sent", "done", "dead", "retrying", "parked", "queued", "lost", "effects_twice", "good_events_dead", "seconds",
    ]  # fmt: skip
    assert list(told)[10:] == [
        "outage", "calls_in_outage", "naive_calls", "ratio", "charges", "charged_twice", "recovery_mode",
        "circuit_opened", "circuit_closed", "intakes_enabled", "began_at", "paused_at", "resumed_at", "wrongs",
    ]  # fmt: skip
    assert told["outage"] == {"mode": "errors", "seconds": 60, "rate": 0.0}
    assert told["paused_at"] == "2026-01-05T09:00:08.000+00:00"
