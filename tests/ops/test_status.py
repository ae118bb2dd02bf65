from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from ops import status
from ops.stack import Stack
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
EARLIER = datetime(2026, 1, 5, 11, 59, tzinfo=UTC)
QUEUES = ("EventsQueue", "RetryQueue", "DeadLetterQueue")
RESOURCES = [
    ("ProcessFunction", "shop-process", "AWS::Lambda::Function"),
    ("DeadLettersAlarm", "shop-dead-letters", "AWS::CloudWatch::Alarm"),
    ("EventsQueue", "shop-events", "AWS::SQS::Queue"),
    ("ClicksStream", "shop-clicks", "AWS::KinesisFirehose::DeliveryStream"),
]


STREAM = {
    "DeliveryStreamName": "shop-clicks",
    "DeliveryStreamARN": "arn:aws:firehose:eu-west-1:123456789012:deliverystream/shop-clicks",
    "DeliveryStreamStatus": "ACTIVE",
    "DeliveryStreamType": "DirectPut",
    "VersionId": "1",
    "Destinations": [],
    "HasMoreDestinations": False,
}


class Aws:
    """What CloudFormation, Lambda and CloudWatch answer, each call once and in this order."""

    def __init__(self, stack: Stack) -> None:
        clients: dict[str, Any] = {
            service: stack.session.client(service) for service in ("cloudformation", "lambda", "cloudwatch", "firehose")
        }
        self.stubs = {service: Stubber(client) for service, client in clients.items()}
        vars(stack).update(
            cloudformation=clients["cloudformation"],
            functions=clients["lambda"],
            cloudwatch=clients["cloudwatch"],
            firehose=clients["firehose"],
        )

    def answers(
        self,
        *,
        ages: dict[datetime, float] | None = None,
        alarm: str = "OK",
        resources: list[tuple[str, str, str]] = RESOURCES,
    ) -> None:
        points = [{"Timestamp": moment, "Maximum": age} for moment, age in (ages or {}).items()]
        for _ in QUEUES:
            self.stubs["cloudwatch"].add_response("get_metric_statistics", {"Datapoints": points})
        listed = {"StackResourceSummaries": [summary(*resource) for resource in resources]}
        self.stubs["cloudformation"].add_response("list_stack_resources", listed, {"StackName": "shop"})
        self.stubs["firehose"].add_response(
            "describe_delivery_stream", {"DeliveryStreamDescription": STREAM}, {"DeliveryStreamName": "shop-clicks"}
        )
        self.stubs["lambda"].add_response(
            "get_function_configuration", {"State": "Active", "LastModified": "2026-01-05T09:00:00"}
        )
        mapping = {"EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:shop-events", "State": "Enabled"}
        self.stubs["lambda"].add_response("list_event_source_mappings", {"EventSourceMappings": [mapping]})
        found = {"AlarmName": "shop-dead-letters", "StateValue": alarm, "StateUpdatedTimestamp": NOON}
        self.stubs["cloudwatch"].add_response("describe_alarms", {"MetricAlarms": [found]}, {"AlarmNames": ANY})
        for stub in self.stubs.values():
            stub.activate()


def summary(logical: str, physical: str, resource_type: str) -> dict[str, Any]:
    return {
        "LogicalResourceId": logical,
        "PhysicalResourceId": physical,
        "ResourceType": resource_type,
        "LastUpdatedTimestamp": NOON,
        "ResourceStatus": "CREATE_COMPLETE",
    }


@pytest.fixture
def aws(stack: Stack) -> Aws:
    return Aws(stack)


@pytest.mark.parametrize(
    ("alarm", "exit_code"), [("ALARM", 1), ("OK", 0), ("INSUFFICIENT_DATA", 0)], ids=lambda value: str(value)
)
@pytest.mark.usefixtures("found_by_commands")
def test_only_an_alarm_that_rings_is_a_no(alarm: str, exit_code: int, aws: Aws, command: Command) -> None:
    aws.answers(alarm=alarm)

    ran = command("status", "--json")

    assert ran.exit_code == exit_code
    assert json.loads(ran.out)["alarms"] == [
        {"alarm": "DeadLettersAlarm", "state": alarm, "since": "2026-01-05T12:00:00+00:00"}
    ]


def test_it_tells_of_each_queue_stream_and_function(
    aws: Aws, stack: Stack, sqs: FakeSqs, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.answers(ages={NOON: 75.0, EARLIER: 300.0})
    queue = sqs.queue("shop-events")
    for delay in (0, 0, 0, 60):
        sqs.send_message(QueueUrl=queue.url, MessageBody="{}", DelaySeconds=delay)
    queue.receive(1)

    status.show(stack, as_json=True)

    shown = json.loads(capsys.readouterr().out)
    assert shown["queues"][0] == {
        "queue": "EventsQueue", "waiting": 2, "in_flight": 1, "delayed": 1, "oldest_seconds": 75,
    }  # fmt: skip
    assert [queue["queue"] for queue in shown["queues"]] == list(QUEUES)
    assert shown["streams"] == [{"stream": "ClicksStream", "state": "ACTIVE"}]
    assert shown["functions"] == [
        {
            "function": "ProcessFunction",
            "state": "Active",
            "changed": "2026-01-05T09:00:00",
            "intake": "shop-events Enabled",
        }
    ]


def test_an_age_that_nobody_knows_is_a_dash_for_people_and_null_for_programs(
    aws: Aws, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.answers()
    aws.answers()

    status.show(stack, as_json=False)
    people = capsys.readouterr().out
    status.show(stack, as_json=True)

    assert [line.split()[-2] for line in people.splitlines() if "RetryQueue" in line] == ["-"]
    assert "None" not in people
    assert {queue["oldest_seconds"] for queue in json.loads(capsys.readouterr().out)["queues"]} == {None}


def test_a_stack_without_alarms_is_fine(aws: Aws, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    aws.answers(resources=[resource for resource in RESOURCES if "Alarm" not in resource[0]])

    assert status.show(stack, as_json=False) == 0
    assert "Alarms" in capsys.readouterr().out
