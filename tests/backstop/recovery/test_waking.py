"""What woke recovery is told in the log, and decides nothing; its own notices are the only ones that it ends at."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from backstop.publication import serialise, trial_publication
from backstop.recovery.alert import recovery_alert
from backstop.recovery.state import Tell
from backstop.recovery.waking import Waking, waking

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
OWN = serialise(
    recovery_alert(Tell("circuit payments", "payments is down", "It was paused"), "shop", "prod", NOW).document
)
ALERT = serialise(trial_publication("shop", "prod", NOW).document)
ALARM = json.dumps({"AlarmName": "shop-OldestEventAlarm", "NewStateValue": "ALARM"})


def sns(*messages: Any) -> dict[str, Any]:
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": message}} for message in messages]}


def test_the_minute_reconciles() -> None:
    assert waking({"reconcile": True}) == Waking(("the minute",), is_reconcile=True)


def test_an_alarm_is_named() -> None:
    assert waking(sns(ALARM)) == Waking(("shop-OldestEventAlarm",))


def test_an_alert_is_named_by_its_title() -> None:
    assert waking(sns(ALERT)) == Waking(("This is a test: alerts arrive",))


def test_what_recovery_told_itself_wakes_it_for_nothing() -> None:
    assert waking(sns(OWN)).is_own


def test_what_it_told_itself_together_with_an_alarm_does_wake_it() -> None:
    assert waking(sns(OWN, ALARM)) == Waking(("payments is down", "shop-OldestEventAlarm"))


def test_what_is_named_is_redacted_and_short() -> None:
    [name] = waking(sns(json.dumps({"AlarmName": "password=hunter2 " + "x" * 5000}))).by
    assert "hunter2" not in name
    assert len(name) <= 220


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"reconcile": "true"}, id="no boolean"),
        pytest.param({"Records": None}, id="no records"),
        pytest.param({"Records": [None, 1, {}, {"Sns": []}]}, id="records of another shape"),
        pytest.param(
            sns(None, 5, "no JSON", "[]", "[" * 100_000, '{"reason": ["recovery"]}'), id="messages without a name"
        ),
    ],
)
def test_anything_else_wakes_it_too(event: dict[str, Any]) -> None:
    woken = waking(event)
    assert not woken.is_own
    assert not woken.is_reconcile
