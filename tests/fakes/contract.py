"""SQS as a client sees it, on the fake or on moto: what a suite needs that both must pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import boto3
import pytest
import time_machine
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.fakes.clock import VirtualClock
from tests.fakes.sqs import FakeSqs


@dataclass
class Sqs:
    """SQS as a client sees it, and the clock that it lives by."""

    client: Any
    clock: VirtualClock

    def queue(self, name: str = "events", **attributes: str) -> str:
        """Make a queue and return its address."""
        return str(self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def arn(self, url: str) -> str:
        """Return the name by which AWS's services know a queue."""
        answer = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def receive(self, url: str, limit: int = 10, **request: Any) -> list[dict[str, Any]]:
        """Receive messages with all that SQS says of them."""
        answer = self.client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=limit,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
            **request,
        )
        return list(answer.get("Messages", []))

    def bodies(self, url: str, limit: int = 10) -> list[str]:
        """Receive messages and return their bodies."""
        return [message["Body"] for message in self.receive(url, limit)]

    def pass_time(self, seconds: float) -> None:
        """Let a moment more pass than is asked for: moto counts a timeout's last millisecond in."""
        self.clock.advance(timedelta(seconds=seconds, milliseconds=5))


@contextmanager
def sqs_of(kind: str) -> Iterator[Sqs]:
    """Set up SQS: `fake` or `moto`."""
    clock = VirtualClock()
    if kind == "fake":
        yield Sqs(FakeSqs(clock), clock)
        return
    with mock_aws(), time_machine.travel(clock.now(), tick=False) as traveller:
        clock.follow(traveller.move_to)
        yield Sqs(_motos_client(), clock)


@cache
def _motos_client() -> Any:
    """Return a client that moto serves anew in each test: making one takes longer than a test."""
    return boto3.client("sqs", region_name="eu-west-1")


def entries(*bodies: str, **more: Any) -> list[dict[str, Any]]:
    """Return the entries of a batch."""
    return [{"Id": str(number), "MessageBody": body, **more} for number, body in enumerate(bodies)]


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    """Return the code of an error without its prefix."""
    return error.value.response["Error"]["Code"].rpartition(".")[2]


def fifo(sqs: Sqs) -> str:
    """Make a FIFO queue."""
    return sqs.queue("orders.fifo", FifoQueue="true", VisibilityTimeout="60")


def send_in_group(sqs: Sqs, url: str, group: str, *bodies: str) -> None:
    """Send messages to a FIFO queue, each with a deduplication id of its own."""
    for body in bodies:
        sqs.client.send_message(
            QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=f"{group}-{body}"
        )
