"""Failures of the deployed workers on the local AWS: counted by group, told of within the budget, forwarded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from ops.local import sam, state
from ops.local.deploy import build_folder
from ops.local.state import LocalAws
from ops.stack import Stack, local_session
from tests.fakes.receiver import Receiver, receiver
from tests.ops.command import Command, command  # noqa: F401  # a fixture
from tests.stack.inbox import Inbox, inbox
from tests.stack.test_drills import without_policies
from tests.stack.waiting import wait_for

WITH_CHANNELS = "with-channels"


@pytest.fixture(scope="module")
def heard(stack: Stack) -> Iterator[Inbox]:
    """Return what hears of this stack's alerts, from now on."""
    with inbox(stack) as found:
        yield found


@pytest.fixture(scope="module")
def mismatch(stack: Stack, heard: Inbox) -> dict[str, Any]:
    """Return the alert of an order that asks for a product in a currency in which it is not sold."""
    stock(stack, "coffee", currency="USD")
    order(stack, "mismatched-0", "coffee")
    [alert] = wait_for(lambda: heard.alerts(error_type="CurrencyMismatch"))
    return dict(alert)


def stock(stack: Stack, sku: str, currency: str = "EUR", count: int = 1000) -> None:
    item = {"sku": {"S": sku}, "currency": {"S": currency}, "stock": {"N": str(count)}, "price": {"N": "900"}}
    stack.dynamodb.put_item(TableName=stack.output("CatalogTableName"), Item=item)


def order(stack: Stack, order_id: str, sku: str) -> None:
    """Send an order of one piece, in euros."""
    event = {"id": order_id, "customer": "c", "currency": "EUR", "placed_at": "2026-11-21T00:00:00Z"}
    body = json.dumps(event | {"items": [{"sku": sku, "quantity": 1}]})
    stack.sqs.send_message(QueueUrl=stack.queue_urls["EventsQueue"], MessageBody=body)


def invoke_watch(stack: Stack, event: dict[str, Any]) -> Any:
    answer = stack.functions.invoke(FunctionName=stack.output("WatchFunctionName"), Payload=json.dumps(event))
    payload = answer["Payload"].read()
    assert answer.get("FunctionError") is None, payload
    return json.loads(payload)


def sweep(stack: Stack) -> None:
    """Do what the schedule does each minute."""
    assert invoke_watch(stack, {"sweep": True}) == {"untold": 0}


def swept(stack: Stack, heard: Inbox, **wanted: Any) -> list[dict[str, Any]]:
    """Return the alerts with these fields after a sweep, the oldest first."""
    sweep(stack)
    return heard.alerts(**wanted)


@pytest.mark.usefixtures("found_by_commands")
def test_a_dead_order_is_told_of_once_and_shown_as_a_group_an_event_and_an_alert(
    mismatch: dict[str, Any],
    heard: Inbox,
    command: Command,  # noqa: F811
) -> None:
    groups = json.loads(command("groups", "--local", "--json").out)["groups"]
    [group] = [one for one in groups if one["error_type"] == "CurrencyMismatch"]
    event = json.loads(command("where", "mismatched-0", "--local", "--json").out)
    sent = json.loads(command("alerts", "--local", "--json").out)["alerts"]

    assert (mismatch["reason"], mismatch["severity"], mismatch["event_id"]) == ("first", "error", "mismatched-0")
    assert (group["group"], group["state"], group["verdict"]) == (mismatch["group"], "open", "Dead")
    assert (event["state"], event["history"][0]["group"]) == ("dead", mismatch["group"])
    assert [one["alert"] for one in sent if one["alert"]["group"] == mismatch["group"]] == [mismatch]
    [notification] = [one for one in heard.look() if json.loads(one["Message"]) == mismatch]
    assert notification["Subject"] == f"[local] ERROR: {mismatch['title']}"
    assert notification["MessageAttributes"]["severity"]["Value"] == "error"


@pytest.mark.usefixtures("found_by_commands")
def test_a_silenced_group_is_counted_and_told_of_only_when_it_is_reopened(
    mismatch: dict[str, Any],
    stack: Stack,
    heard: Inbox,
    command: Command,  # noqa: F811
) -> None:
    group = mismatch["group"]
    assert command("groups", "silence", group, "--for", "2h", "--local").exit_code == 0
    for number in range(1, 10):  # ten are told of, otherwise
        order(stack, f"mismatched-{number}", "coffee")
    wait_for(lambda: json.loads(command("groups", "show", group, "--local", "--json").out)["occurrences"] == 10)
    sweep(stack)

    reopened = datetime.now(UTC)
    assert command("groups", "reopen", group, "--local").exit_code == 0
    told = wait_for(lambda: swept(stack, heard, group=group)[1:])

    assert datetime.fromisoformat(told[0]["at"]) >= reopened
    assert told[0]["occurrences"] == 10


@pytest.mark.usefixtures("found_by_commands")
def test_a_test_alert_arrives_where_alerts_do(heard: Inbox, command: Command) -> None:  # noqa: F811
    ran = command("alerts", "test", "--local", "--json")

    assert (ran.exit_code, json.loads(ran.out)["sent"]) == (0, True)
    assert wait_for(lambda: heard.alerts(reason="test"))


@pytest.mark.usefixtures("found_by_commands")
def test_a_delivery_that_comes_again_is_counted_and_told_of_once(
    stack: Stack,
    heard: Inbox,
    command: Command,  # noqa: F811
) -> None:
    event = json.loads((state.ROOT / "events" / "watch.json").read_text())

    answers = [invoke_watch(stack, event) for _ in range(2)]

    assert answers == [{"occurrences": 4, "untold": 0}] * 2
    groups = json.loads(command("groups", "--all", "--local", "--json").out)["groups"]
    counted = {one["error_type"]: one["occurrences"] for one in groups if "1A2B3C4D5E6F" in one["function"]}
    assert counted == {"PriceNotPublished": 2, "Timeout": 1}
    told = [alert["error_type"] for alert in heard.alerts(reason="first") if "1A2B3C4D5E6F" in alert["function"]]
    assert sorted(told) == ["PriceNotPublished", "Timeout"]


@pytest.mark.usefixtures("found_by_commands")
def test_a_watcher_without_its_tables_stops_no_worker_and_tells_people_all_the_same(
    stack: Stack,
    local_aws: LocalAws,
    heard: Inbox,
    command: Command,  # noqa: F811
) -> None:
    stock(stack, "cup")
    stock(stack, "sold-out", count=0)
    iam = stack.session.client("iam", endpoint_url=local_aws.endpoint_url)
    role = stack.resources("AWS::IAM::Role")["WatchRole"]
    with without_policies(iam, role, "Groups", "FailedEvents"):
        order(stack, "unwatched-dead", "sold-out")
        for number in range(20):
            order(stack, f"unwatched-{number}", "cup")
        wait_for(lambda: all(is_done(stack, f"unwatched-{number}") for number in range(20)))
        [told] = wait_for(lambda: heard.alerts(error_type="OutOfStock"))
        why = wait_for(lambda: why_not_kept(stack))

    assert told["event_id"] == "unwatched-dead"
    assert "AccessDenied" in why
    assert "OutOfStock" not in command("groups", "--local", "--json").out


def is_done(stack: Stack, order_id: str) -> bool:
    found = stack.dynamodb.get_item(TableName=stack.output("OrdersTableName"), Key={"id": {"S": order_id}})
    return "Item" in found


def why_not_kept(stack: Stack) -> str:
    lines = stack.logs.filter_log_events(logGroupName=stack.output("WatchLogsName"))["events"]
    return " ".join(line["message"] for line in lines if '"batch not kept"' in line["message"])


def test_an_alert_is_forwarded_to_a_channel_as_text(stack: Stack, local_aws: LocalAws) -> None:
    """In a stack of its own, that has a secret with a channel: a webhook on this machine."""
    with receiver() as webhook, stack_with_channel(stack, local_aws, webhook) as with_channel:
        stock(with_channel, "coffee", currency="USD")
        order(with_channel, "mismatched", "coffee")
        [notice] = wait_for(lambda: webhook.at("team"))

    assert notice["title"] == "[prod] ERROR: CurrencyMismatch in handler:read_prices"
    assert "what:      CurrencyMismatch, permanent\n" in notice["message"]
    assert f"--stack {WITH_CHANNELS}" in notice["message"]


@contextmanager
def stack_with_channel(stack: Stack, local_aws: LocalAws, webhook: Receiver) -> Iterator[Stack]:
    """Deploy what is built once more, so that it forwards alerts."""
    secrets = stack.session.client("secretsmanager", endpoint_url=local_aws.endpoint_url)
    secret = secrets.create_secret(Name=WITH_CHANNELS, SecretString=webhook.url("team"))["ARN"]
    [deployed] = stack.cloudformation.describe_stacks(StackName=stack.name)["Stacks"]
    given = {one["ParameterKey"]: one["ParameterValue"] for one in deployed["Parameters"]}
    same = [f"{name}={given[name]}" for name in ("Runtime", "Architecture", "Timing")]
    sam.run(
        local_aws, "deploy", "--stack-name", WITH_CHANNELS,
        "--template-file", str(build_folder(stack.name) / "template.yaml"),
        "--parameter-overrides", " ".join([*same, f"ChannelsSecretArn={secret}"]),
    )  # fmt: skip
    try:
        yield Stack(WITH_CHANNELS, local_session(), local_aws.endpoint_url)
    finally:
        stack.cloudformation.delete_stack(StackName=WITH_CHANNELS)


def test_that_a_failure_is_over_is_told_of_once(mismatch: dict[str, Any], stack: Stack, heard: Inbox) -> None:
    """AlertQuietSeconds after it occurred last, by the schedule or a sweep, whichever comes first."""
    group = mismatch["group"]

    [end] = wait_for(lambda: swept(stack, heard, group=group, reason="end"))

    for _ in range(3):
        sweep(stack)
    assert heard.alerts(group=group, reason="end") == [end]
    assert (end["severity"], end["is_over"]) == ("info", True)
