"""The whole system on the local AWS, its access control on: drills, worker deaths, a permission taken away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from ops.drill import plan
from ops.drill.account import Account
from ops.drill.run import run
from ops.local.state import LocalAws
from ops.stack import Stack
from tests.stack.killing import killing_workers
from tests.stack.waiting import wait_for

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
