"""Alarms: those of the names given that ring, and no others of the account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from backstop.aws.alarms import Alarms
from backstop.errors import SystemFault


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        client: Any = boto3.client("cloudwatch", region_name="eu-west-1")
        for name, state in (("old", "ALARM"), ("new", "OK"), ("silent", "INSUFFICIENT_DATA"), ("others", "ALARM")):
            client.put_metric_alarm(
                AlarmName=name,
                MetricName="ApproximateAgeOfOldestMessage",
                Namespace="AWS/SQS",
                Statistic="Maximum",
                Period=60,
                EvaluationPeriods=1,
                Threshold=1,
                ComparisonOperator="GreaterThanThreshold",
            )
            client.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test says so")
        yield client


def test_only_those_that_were_asked_for_and_ring_are_told(client: Any) -> None:
    assert Alarms(client).ringing({"old", "new", "silent", "gone"}) == {"old"}


def test_without_names_nothing_is_asked(client: Any) -> None:
    assert Alarms(client).ringing(()) == frozenset()


def test_a_refusal_is_a_fault() -> None:
    session = boto3.Session("test", "test", region_name="eu-west-1")
    stub: Any
    with Stubber(session.client("cloudwatch")) as stub:
        stub.add_client_error("describe_alarms", "AccessDenied")
        with pytest.raises(SystemFault, match="alarms could not be read: AccessDenied"):
            Alarms(stub.client).ringing({"old"})
