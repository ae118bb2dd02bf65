"""The whole system on the local AWS, its access control on: drills, worker deaths, a permission taken away."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from ops.drill import plan
from ops.drill.account import Account
from ops.drill.run import run
from ops.local.state import LocalAws
from ops.stack import Stack

TIMEOUT_SECONDS = 240


def drill(stack: Stack, events: int, seed: int, name: str) -> Account:
    planned = plan.make(events, seed, name, datetime.now(UTC))
    return run(stack, planned, TIMEOUT_SECONDS, lambda _: None)


def test_a_drill_balances_and_ends_each_event_where_it_belongs(stack: Stack) -> None:
    account = drill(stack, 250, 7, "whole")

    assert account.is_balanced
    assert set(account.dead) == {"permanent", "exhausted", "crashed"}
    planned = plan.make(250, 7, "whole", datetime.now(UTC))
    assert account.done == sum(event.sort in plan.ENDS_DONE for event in planned.events)


def test_killing_every_worker_every_two_seconds_loses_nothing_and_doubles_nothing(
    stack: Stack, local_aws: LocalAws
) -> None:
    with killing_workers(local_aws, every_seconds=2, for_seconds=20) as killed:
        account = drill(stack, 800, 11, "killed")

    assert killed() > 10, "the rehearsal killed too few workers to show anything"
    assert (account.lost, account.effects_twice) == (0, 0)
    assert (account.queued, account.retrying) == (0, 0)
    assert account.sent == account.done + sum(account.dead.values())


def test_without_its_permission_to_send_a_worker_leaves_the_message_with_sqs_and_says_why(
    stack: Stack, local_aws: LocalAws
) -> None:
    """So access control is real here, and what cannot be sent on is not let go."""
    role = stack.resources("AWS::IAM::Role")["ProcessRole"]
    iam = stack.session.client("iam", endpoint_url=local_aws.endpoint_url)
    with without_policies(iam, role, "Failures", "LocalBatchCalls"):
        sent = stack.sqs.send_message(QueueUrl=stack.queue_urls["EventsQueue"], MessageBody="no event, no permission")
        line = wait_for(lambda: log_line(stack, local_aws, sent["MessageId"]))
        depth = stack.sqs.get_queue_attributes(
            QueueUrl=stack.queue_urls["EventsQueue"], AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
        )["Attributes"]
    assert "AccessDenied" in line["why"]
    assert depth == {"ApproximateNumberOfMessagesNotVisible": "1"}

    letter = wait_for(lambda: dead_letter(stack, "no event, no permission"))
    assert json.loads(letter["MessageAttributes"]["backstop"]["StringValue"])["dead_because"] == "permanent"


@contextmanager
def killing_workers(local_aws: LocalAws, *, every_seconds: int, for_seconds: int) -> Iterator[Callable[[], int]]:
    killed: list[int] = []
    stopped = Event()

    def kill() -> None:
        for _ in range(for_seconds // every_seconds):
            if stopped.wait(every_seconds):
                return
            for pid in workers(local_aws):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    thread = Thread(target=kill)
    thread.start()
    try:
        yield lambda: len(killed)
    finally:
        stopped.set()
        thread.join()


def workers(local_aws: LocalAws) -> list[int]:
    """Return the processes that the emulator runs functions in: its children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == local_aws.pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


@contextmanager
def without_policies(iam: Any, role: str, *names: str) -> Iterator[None]:
    documents = {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}
    for name in names:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    try:
        yield
    finally:
        for name, document in documents.items():
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def log_line(stack: Stack, local_aws: LocalAws, message_id: str) -> dict[str, Any] | None:
    logs = stack.session.client("logs", endpoint_url=local_aws.endpoint_url)
    events = logs.filter_log_events(logGroupName=stack.output("PipelineLogsName"), filterPattern=f'"{message_id}"')
    lines: list[dict[str, Any]] = [json.loads(event["message"]) for event in events["events"]]
    return lines[-1] if lines else None


def dead_letter(stack: Stack, body: str) -> Any:
    url = stack.queue_urls["DeadLetterQueue"]
    while messages := stack.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=5, MessageAttributeNames=["All"]
    ).get("Messages"):
        for message in messages:
            if message["Body"] == body:
                return message
    return None


def wait_for(look: Callable[[], Any], seconds: float = 90) -> Any:
    """Look until something is there; the local AWS does its work in its own time."""
    pause = Event()
    for _ in range(int(seconds / 0.5)):
        if found := look():
            return found
        pause.wait(0.5)
    pytest.fail(f"nothing came within {seconds} s")
