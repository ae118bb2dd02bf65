from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ops.drill.outage.plan import Outage, is_due, read
from ops.drill.plan import Plan, Sort, make
from ops.failure import CallFailed
from ops.local.gateway.health import Mode

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def plan(events: int) -> Plan:
    return make(events, 1, "d", NOW, is_calm=True)


@pytest.mark.parametrize(
    ("span", "mode", "outage"),
    [
        ("60s", "errors", Outage(Mode.ERRORS, 60)),
        ("2m", "slow", Outage(Mode.SLOW, 120)),
        ("1s", "refuse", Outage(Mode.REFUSE, 1)),
        ("60s", "flaky:0.6", Outage(Mode.FLAKY, 60, 0.6)),
    ],
)
def test_an_outage_is_read_as_it_is_typed(span: str, mode: str, outage: Outage) -> None:
    assert read(span, mode, 900) == outage


@pytest.mark.parametrize(
    "mode", ["", "ok", "flaky", "flaky:", "flaky:1.1", "flaky:-1", "flaky:x", "errors:0.5", "ERRORS"]
)
def test_what_is_no_way_to_fail_is_refused(mode: str) -> None:
    with pytest.raises(CallFailed, match=r"errors, slow, refuse or flaky:0\.6"):
        read("60s", mode, 900)


@pytest.mark.parametrize("span", ["", "60", "0s", "-1s", "1.5m", "2d", "a while"])
def test_what_is_no_span_is_refused(span: str) -> None:
    with pytest.raises(CallFailed, match="--outage"):
        read(span, "errors", 10**6)


@pytest.mark.parametrize(("span", "timeout"), [("60s", 60), ("20m", 900)])
def test_an_outage_that_outlasts_the_waiting_is_refused(span: str, timeout: float) -> None:
    with pytest.raises(CallFailed, match="longer --timeout"):
        read(span, "errors", timeout)


def test_a_flaky_gateway_is_the_only_one_that_answers_some_calls() -> None:
    assert [mode for mode in Mode if not Outage(mode, 1).is_whole] == [Mode.FLAKY]


def test_every_order_of_a_calm_drill_is_good() -> None:
    planned = plan(2000)

    assert {event.sort for event in planned.events} == {Sort.GOOD}
    assert {event.mark.fault for event in planned.events} == {None}
    assert planned.late_products == ()


def test_a_calm_drill_is_the_same_for_the_same_seed() -> None:
    assert plan(300) == plan(300)


@pytest.mark.parametrize(
    ("events", "done", "due"),
    [(300, 29, False), (300, 30, True), (300, 299, True), (300, 300, False), (3, 0, False), (3, 1, True)],
)
def test_the_outage_begins_once_a_tenth_is_done_unless_all_are(events: int, done: int, due: bool) -> None:
    assert is_due(plan(events), done) is due
