"""A thousand secrets in payloads and in what errors say: the workers, the watchers and the commands tell none."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator

import boto3
import pytest
from mypy_boto3_logs.type_defs import InputLogEventTypeDef

from backstop import PermanentError, SystemFault, TransientError
from ops.stack import Stack
from tests.fakes.handler import ScriptedHandler
from tests.functions.secrets_planted import KINDS, planted
from tests.ops.command import Command, command  # noqa: F401  # a fixture
from tests.ops.conftest import found_by_commands  # noqa: F401  # a fixture
from tests.support import ProcessLane, process_lane
from tests.template.tables import make_table
from tests.watch_lane import REGION, WatchLane, watch_lane

SECRETS = planted(1000)
SAID: list[Callable[[str, str], BaseException]] = [
    lambda one, other: PermanentError(f"card {one} of {other} was refused"),
    lambda one, other: PermanentError(f"{one}: no such customer, asked with {other!r}"),
    lambda one, other: TransientError(f"the gateway answers 429 for key {one}\nX-Api-Key: {other}"),
    lambda one, other: KeyError(one, other),
    lambda one, other: ValueError({"user": one, "nested": [{"note": other}]}),
    lambda one, other: SystemFault(f"GET https://pay.example.com/v1/{one}?key={other} answered 403"),
    lambda one, other: OSError(13, one, other),
]
WRITTEN: list[Callable[[str, str], str]] = [
    lambda one, other: f"[ERROR]\t2026-01-05T09:00:00.000Z\t{'1' * 8}\tcharging {one} failed: {other}",
    lambda one, other: json.dumps({"level": "ERROR", "message": f"no order for {one}", "customer": other}),
    lambda one, other: json.dumps({"level": "error", "msg": one, "err": {"type": "Refused", "message": other}}),
    lambda one, other: json.dumps({"level": "ERROR", "message": other, "exception": text_of_raised(one)}),
    lambda one, other: text_of_raised(f"{one} and {other}"),
]
"""What a team's own code may write beside the events: it stands in its own log as it is, and goes nowhere else."""


def text_of_raised(text: str) -> str:
    try:
        raise RuntimeError(text)
    except RuntimeError:
        return traceback.format_exc()


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    return list(zip(SECRETS[0::2], SECRETS[1::2], strict=True))


def plant(process: ProcessLane, pairs: list[tuple[str, str]]) -> None:
    """Run events that name secrets, with handlers that say them; every tenth is cut off, every tenth has one as id."""
    for number, (one, other) in enumerate(pairs):
        order = process.order(customer=one, note={"card": other, other: "as a name"})
        if number % 10 == 0:
            process.send(json.dumps(order)[:-2])
            continue
        if number % 10 == 1:
            order["id"] = f"order of {one}"
        process.handler.will(order["id"], SAID[number % len(SAID)](one, other))
        process.send(order)
    while process.events.next_due() == process.clock.now():
        process.deliver()


@pytest.fixture(scope="module")
def worked(pairs: list[tuple[str, str]]) -> tuple[list[str], str]:
    """Return the lines that a worker wrote, and the histories with which its messages went on."""
    with process_lane(ScriptedHandler()) as process:
        plant(process, pairs)
        trails = [json.dumps(process.trails(queue)) for queue in (process.retries, process.dead_letters)]
        assert sum(told["pipeline_event"] == "failed" for told in process.reports()) == len(pairs)
        return process.printed().splitlines(), "".join(trails)


@pytest.fixture
def lane(worked: tuple[list[str], str], pairs: list[tuple[str, str]]) -> Iterator[WatchLane]:
    """Return a lane that has watched all of it."""
    lines, _ = worked
    own = [WRITTEN[number % len(WRITTEN)](*pair) for number, pair in enumerate(pairs)]
    with watch_lane() as lane:
        lane.watch(*lines, *own)
        lane.pass_minutes(12)
        yield lane


def told(text: str) -> list[str]:
    """Return the secrets that a text tells, wholly or for the most part."""
    bare = text.replace("\\n", "").replace("\\", "")
    return [secret for secret in SECRETS if secret in bare or secret[4:-4] in bare]


def test_a_worker_logs_none_and_sends_none_on_in_a_history(worked: tuple[list[str], str]) -> None:
    lines, trails = worked
    assert told("\n".join(lines)) == []
    assert told(trails) == []


def test_a_watcher_keeps_none_logs_none_and_tells_none(lane: WatchLane) -> None:
    kept = json.dumps([lane.items("groups"), lane.items("events")])
    said = json.dumps([lane.arrived(), *lane.mails()])
    assert len(lane.counted()) > len(SAID)
    assert len(lane.arrived()) > 2
    assert (told(kept), told(said), told(lane.worker.printed())) == ([], [], [])


@pytest.fixture
def stack(lane: WatchLane) -> Stack:
    """Return the stack whose tables and log the lane has filled."""
    make_table(lane.dynamodb, "audit", "AuditTable")
    logs = boto3.client("logs", region_name=REGION)
    logs.create_log_group(logGroupName="watch")
    logs.create_log_stream(logGroupName="watch", logStreamName="one")
    at = lane.clock.epoch_millis()
    for line in lane.worker.printed().splitlines():
        event: InputLogEventTypeDef = {"timestamp": at, "message": line}
        logs.put_log_events(logGroupName="watch", logStreamName="one", logEvents=[event])
    stack = Stack("shop", boto3.Session("test", "test", region_name=REGION))
    tables = {"FailureGroupsTableName": "groups", "FailedEventsTableName": "events", "AuditTableName": "audit"}
    vars(stack).update(_outputs=tables | {"WatchLogsName": "watch"})
    return stack


@pytest.mark.usefixtures("found_by_commands")
def test_a_command_shows_none_not_even_a_card_that_was_typed_as_a_note(
    lane: WatchLane,
    command: Command,  # noqa: F811
) -> None:
    groups = sorted(lane.counted())
    for number, group in enumerate(groups):
        card = SECRETS[number * KINDS]
        assert command("groups", "note", group, f"see {card}").exit_code == 0
    events = sorted({item["event_id"]["S"] for item in lane.items("events")})[:20]
    said = [
        *(["groups", "--all", "--limit", "1000"], ["alerts", "--full"], ["audit-trail"]),
        *(["groups", "show", group, "--events", "100"] for group in groups),
        *(["groups", "why", group] for group in groups),
        *(["events", "list", "--group", group] for group in groups),
        *(["where", event] for event in events),
    ]
    for words in said:
        for as_json in ([], ["--json"]):
            ran = command(*words, *as_json)
            assert (ran.exit_code, bool(ran.out)) == (0, True), (words, ran.err)
            assert told(ran.out + ran.err) == [], words
