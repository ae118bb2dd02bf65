from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import pytest

from backstop.backoff import Backoff, Shape
from backstop.budget import Budget
from backstop.errors import SystemFault
from backstop.parking import Limits, OnDeadHead
from backstop.recovery.mode import Mode
from backstop.settings.watchers import IN_DYNAMODB, NotifySettings, RedriveSettings, WatchSettings
from backstop.settings.workers import OrderedSettings, ProcessSettings, TransformSettings, WorkerSettings
from backstop.verdict import Policy

WORKER_ENVIRONMENT = {
    "SOURCE_QUEUE_URLS": "https://sqs.example/1/shop-events,https://sqs.example/1/shop-retry",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.example/1/shop-dead",
    "IDEMPOTENCY_TABLE": "shop-idempotency",
    "IDEMPOTENCY_DAYS": "35",
    "RETRY_BASE_SECONDS": "5",
    "RETRY_LIMIT_SECONDS": "900",
    "RETRY_SHAPE": "fixed",
    "MAX_ATTEMPTS": "6",
    "MAX_RETRY_HOURS": "24",
    "STAGE": "prod",
    "RELEASE": "1.2.3",
    "AWS_LAMBDA_FUNCTION_NAME": "shop-process",
    "LAMBDA_TASK_ROOT": "/var/task",
    "ALLOW_DRILL": "false",
    "CIRCUITS_TABLE": "shop-circuits",
    "RECOVERY_MODE": "suggest",
}
ENVIRONMENT = WORKER_ENVIRONMENT | {"RETRY_QUEUE_URL": "https://sqs.example/1/shop-retry"}
ORDERED_ENVIRONMENT = WORKER_ENVIRONMENT | {
    "DRAIN_QUEUE_URL": "https://sqs.example/1/shop-drain",
    "PARKED_TABLE": "shop-parked",
    "PARKED_BUCKET": "shop-data",
    "MAX_PARKED_EVENTS": "1000",
    "MAX_PARKED_KEYS": "10000",
    "ON_DEAD_HEAD": "skip",
}
STREAM_ENVIRONMENT = {
    "STREAM_NAME": "shop-clicks",
    "STAGE": "prod",
    "RELEASE": "1.2.3",
    "AWS_LAMBDA_FUNCTION_NAME": "shop-transform",
    "LAMBDA_TASK_ROOT": "/var/task",
}
WATCH_ENVIRONMENT = {
    "FAILURE_GROUPS_TABLE": "shop-groups",
    "FAILED_EVENTS_TABLE": "shop-failed",
    "FAILED_EVENT_DAYS": "35",
    "ALERT_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:shop-alerts",
    "ALERT_LIMIT": "5",
    "ALERT_WINDOW_SECONDS": "3600",
    "ALERT_QUIET_SECONDS": "600",
    "DIGEST_AFTER": "20",
    "ALERT_STORE": "dynamodb",
    "STACK_NAME": "shop",
    "STAGE": "prod",
    "RELEASE": "1.2.3",
    "AWS_LAMBDA_FUNCTION_NAME": "shop-watch",
}
NOTIFY_ENVIRONMENT = {
    "CHANNELS_SECRET": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:channels-AbCdEf",
    "STAGE": "prod",
    "RELEASE": "1.2.3",
    "AWS_LAMBDA_FUNCTION_NAME": "shop-notify",
}
REDRIVE_ENVIRONMENT = {
    "CIRCUITS_TABLE": "circuits",
    "REDRIVE_TABLE": "redrives",
    "FAILED_EVENTS_TABLE": "events",
    "FAILURE_GROUPS_TABLE": "groups",
    "PARKED_TABLE": "parked",
    "DATA_BUCKET": "data",
    "DRAIN_QUEUE_URL": "https://sqs.example/1/shop-drain",
    "DEAD_LETTER_QUEUE_URLS": "https://sqs.example/1/shop-dead",
    "SOURCE_QUEUE_URLS": "https://sqs.example/1/shop-events",
    "DEFAULT_QUEUE_URL": "https://sqs.example/1/shop-events",
    "CANARY_WATCH_SECONDS": "60",
    "RESCUE_AFTER_DAYS": "12",
    "MAX_PARKED_EVENTS": "1000",
    "IN_HAND_SECONDS": "35",
    "STAGE": "test",
    "RELEASE": "r1",
    "AWS_LAMBDA_FUNCTION_NAME": "shop-redrive",
}
READERS = [
    (ProcessSettings, ENVIRONMENT),
    (OrderedSettings, ORDERED_ENVIRONMENT),
    (TransformSettings, STREAM_ENVIRONMENT),
    (WatchSettings, WATCH_ENVIRONMENT),
    (NotifySettings, NOTIFY_ENVIRONMENT),
    (RedriveSettings, REDRIVE_ENVIRONMENT),
]
EACH_NAME = [(read, environment, name) for read, environment in READERS for name in environment]

Settings = (
    type[ProcessSettings]
    | type[OrderedSettings]
    | type[TransformSettings]
    | type[WatchSettings]
    | type[NotifySettings]
    | type[RedriveSettings]
)

WORKER = WorkerSettings(
    source_queue_urls={
        "shop-events": "https://sqs.example/1/shop-events",
        "shop-retry": "https://sqs.example/1/shop-retry",
    },
    dead_letter_queue_url="https://sqs.example/1/shop-dead",
    idempotency_table="shop-idempotency",
    idempotency_expiry=timedelta(days=35),
    policy=Policy(
        backoff=Backoff(timedelta(seconds=5), timedelta(seconds=900), Shape.FIXED),
        max_attempts=6,
        max_unknown=3,
        max_age=timedelta(hours=24),
    ),
    stage="prod",
    release="1.2.3",
    function="shop-process",
    own_root="/var/task",
    allows_drills=False,
    circuits_table="shop-circuits",
    recovery_mode=Mode.SUGGEST,
)


def test_all_of_it_is_read() -> None:
    assert ProcessSettings.from_environment(ENVIRONMENT) == ProcessSettings(
        worker=WORKER, retry_queue_url="https://sqs.example/1/shop-retry"
    )


def test_all_that_the_ordered_lane_is_told_is_read() -> None:
    assert OrderedSettings.from_environment(ORDERED_ENVIRONMENT) == OrderedSettings(
        worker=WORKER,
        drain_queue_url="https://sqs.example/1/shop-drain",
        parked_table="shop-parked",
        parked_bucket="shop-data",
        limits=Limits(events_a_key=1000, keys=10_000),
        on_dead_head=OnDeadHead.SKIP,
    )


def test_all_that_a_streams_function_is_told_is_read() -> None:
    assert TransformSettings.from_environment(STREAM_ENVIRONMENT) == TransformSettings(
        stream="shop-clicks", stage="prod", release="1.2.3", function="shop-transform", own_root="/var/task"
    )


def test_all_that_a_watcher_is_told_is_read() -> None:
    read = WatchSettings.from_environment(WATCH_ENVIRONMENT)
    assert read.budget == Budget(5, timedelta(hours=1), timedelta(minutes=10), 20)
    assert (read.groups_table, read.failed_events_table) == ("shop-groups", "shop-failed")
    assert read.failed_events_expiry == timedelta(days=35)
    assert (read.topic_arn, read.store, read.stack) == (WATCH_ENVIRONMENT["ALERT_TOPIC_ARN"], IN_DYNAMODB, "shop")


@pytest.mark.parametrize(
    ("settings", "environment"), READERS, ids=["process", "ordered", "transform", "watch", "notify", "redrive"]
)
def test_they_are_read_from_the_processs_own_environment(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert settings.from_environment() == settings.from_environment(environment)


@pytest.mark.parametrize(
    ("settings", "environment", "name"), EACH_NAME, ids=[f"{read.__name__}-{name}" for read, _, name in EACH_NAME]
)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_what_is_missing_is_named(
    settings: Settings, environment: dict[str, str], name: str, value: str | None
) -> None:
    there = {key: text for key, text in environment.items() if key != name}
    if value is not None:
        there[name] = value
    with pytest.raises(SystemFault, match=rf"\b{name} is missing\b.*template\.yaml"):
        settings.from_environment(there)


OF_ANY_WORKER = {
    "IDEMPOTENCY_DAYS": "a month",
    "RETRY_BASE_SECONDS": "5 s",
    "RETRY_LIMIT_SECONDS": "15m",
    "RETRY_SHAPE": "linear",
    "MAX_ATTEMPTS": "1.5",
    "MAX_RETRY_HOURS": "one",
    "RECOVERY_MODE": "on",
}
OF_THE_ORDERED_LANE = {"MAX_PARKED_EVENTS": "1e3", "MAX_PARKED_KEYS": "many", "ON_DEAD_HEAD": "drop"}
WRONG = [
    *[(ProcessSettings, ENVIRONMENT, name, value) for name, value in OF_ANY_WORKER.items()],
    *[
        (OrderedSettings, ORDERED_ENVIRONMENT, name, value)
        for name, value in (OF_ANY_WORKER | OF_THE_ORDERED_LANE).items()
    ],
]


@pytest.mark.parametrize(
    ("settings", "environment", "name", "value"), WRONG, ids=[f"{read.__name__}-{name}" for read, _, name, _ in WRONG]
)
def test_what_is_wrong_is_named_with_its_value(
    settings: Settings, environment: dict[str, str], name: str, value: str
) -> None:
    with pytest.raises(SystemFault, match=rf"\b{name} is '{value}'.*template\.yaml"):
        settings.from_environment(environment | {name: value})


@pytest.mark.parametrize(("value", "allowed"), [("true", True), ("false", False), ("True", False), ("1", False)])
def test_drills_are_allowed_by_one_word_only(value: str, allowed: bool) -> None:
    told = {"ALLOW_DRILL": value}
    assert ProcessSettings.from_environment(ENVIRONMENT | told).worker.allows_drills is allowed
    assert OrderedSettings.from_environment(ORDERED_ENVIRONMENT | told).worker.allows_drills is allowed


def test_settings_do_not_change() -> None:
    read = ProcessSettings.from_environment(ENVIRONMENT)
    with pytest.raises(AttributeError):
        read.worker.stage = "dev"  # type: ignore[misc]
    assert asdict(read)["worker"]["stage"] == "prod"
