"""What the template tells `recover` is read; what is missing or wrong is named."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backstop.errors import SystemFault
from backstop.recovery.mode import Mode
from backstop.recovery.state import Bounds, Intake
from backstop.settings.recovery import RecoverySettings

ENVIRONMENT = {
    "CIRCUITS_TABLE": "shop-circuits",
    "RECOVERY_LOG_TABLE": "shop-recovery",
    "RECOVERY_MODE": "act",
    "MAX_INTAKE_CONCURRENCY": "20",
    "MAX_PAUSE_MINUTES": "60",
    "EVENTS_INTAKE": "shop-process,id-1,10,shop-OldestEventAlarm",
    "ORDERED_INTAKE": "shop-process-ordered,id-2,5,shop-OldestOrderedEventAlarm, the second",
    "SWITCHES": "payments=/shop/payments,stock=/shop/stock",
    "ALERT_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:shop-alerts",
    "STACK_NAME": "shop",
    "STAGE": "prod",
    "RELEASE": "1.2.3",
    "AWS_LAMBDA_FUNCTION_NAME": "shop-recover",
}


def test_all_of_it_is_read() -> None:
    assert RecoverySettings.from_environment(ENVIRONMENT) == RecoverySettings(
        circuits_table="shop-circuits",
        recovery_log_table="shop-recovery",
        mode=Mode.ACT,
        bounds=Bounds(20, timedelta(hours=1)),
        intakes=(
            Intake("events", "shop-process", "id-1", 10, "shop-OldestEventAlarm"),
            Intake("ordered", "shop-process-ordered", "id-2", 5, "shop-OldestOrderedEventAlarm, the second"),
        ),
        switches={"payments": "/shop/payments", "stock": "/shop/stock"},
        topic_arn="arn:aws:sns:eu-west-1:123456789012:shop-alerts",
        stack="shop",
        stage="prod",
        release="1.2.3",
        function="shop-recover",
    )


@pytest.mark.parametrize("name", [name for name in ENVIRONMENT if name != "SWITCHES"])
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_what_is_missing_is_named(name: str, value: str | None) -> None:
    there = {key: text for key, text in ENVIRONMENT.items() if key != name} | ({} if value is None else {name: value})
    with pytest.raises(SystemFault, match=rf"\b{name} is missing\b.*template\.yaml"):
        RecoverySettings.from_environment(there)


@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_there_need_be_no_switch(value: str | None) -> None:
    there = {key: text for key, text in ENVIRONMENT.items() if key != "SWITCHES"}
    assert RecoverySettings.from_environment(there | ({} if value is None else {"SWITCHES": value})).switches == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RECOVERY_MODE", "Act"),
        ("MAX_INTAKE_CONCURRENCY", "many"),
        ("MAX_PAUSE_MINUTES", "1h"),
        ("EVENTS_INTAKE", "shop-process,id-1,ten,alarm"),
        ("ORDERED_INTAKE", "shop-process-ordered,id-2"),
        ("SWITCHES", "payments"),
    ],
)
def test_what_is_wrong_is_named_with_its_value(name: str, value: str) -> None:
    with pytest.raises(SystemFault, match=rf"\b{name} is '{value}'.*template\.yaml"):
        RecoverySettings.from_environment(ENVIRONMENT | {name: value})
