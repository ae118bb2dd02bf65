"""A stack with an ordered lane, at a time that stands still, and its keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import time_machine
from moto import mock_aws

from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command, Ran
from tests.ops.keys.ground import ORDERED, Ground, ground_of

SESSION = boto3.Session("test", "test", region_name="eu-west-1")  # of all tests here: reading a model takes its time


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    clock = VirtualClock()
    with time_machine.travel(clock.now(), tick=False) as traveller:
        clock.follow(traveller.move_to)
        yield clock


@pytest.fixture
def faults() -> Faults:
    """How the stack's own clients fail."""
    return Faults()


@pytest.fixture
def sqs(clock: VirtualClock, faults: Faults) -> FakeSqs:
    sqs = FakeSqs(clock, faults)
    for name in ("shop-dead", "shop-drain"):
        sqs.create_queue(QueueName=name)
    sqs.create_queue(QueueName=ORDERED, Attributes={"FifoQueue": "true"})
    return sqs


@pytest.fixture
def stack(sqs: FakeSqs) -> Stack:
    stack = Stack("shop", SESSION)
    outputs = {
        "OrderedQueueUrl": sqs.queue(ORDERED).url,
        "DrainQueueUrl": sqs.queue("shop-drain").url,
        "DeadLetterQueueUrl": sqs.queue("shop-dead").url,
        "ParkedTableName": "parked",
        "AuditTableName": "audit",
        "DataBucketName": "data",
    }
    vars(stack).update(sqs=sqs, _outputs=outputs)
    return stack


@pytest.fixture
def ground(stack: Stack, sqs: FakeSqs, clock: VirtualClock, faults: Faults) -> Iterator[Ground]:
    with mock_aws():
        ground = ground_of(stack, sqs, clock)
        with faults.installed(stack.dynamodb):
            yield ground


@pytest.fixture
def keys(command: Command, ground: Ground, found_by_commands: None, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `backstop keys` where nobody sits."""
    monkeypatch.setenv("COLUMNS", "300")

    def run(*words: str) -> Ran:
        ran = command("keys", *words)
        assert "Traceback" not in ran.err
        assert "unexpectedly" not in ran.err
        return ran

    return run


Rows = Callable[[Ran], list[list[str]]]


@pytest.fixture
def rows() -> Rows:
    """Read what the tables on standard output say, row by row."""

    def read(ran: Ran) -> list[list[str]]:
        lines: list[Any] = [re.split("[│┃]", line)[1:-1] for line in ran.out.splitlines() if line[:1] in {"│", "┃"}]
        return [[cell.strip() for cell in line] for line in lines]

    return read
