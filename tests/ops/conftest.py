"""A stack whose queues are in memory and whose tables are moto's, and the command that is run on it."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ops.drill import command as drill
from ops.drill.ordered import command as ordered_drill
from ops.drill.stream import command as stream_drill
from ops.drill.told import Told
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.sqs import FakeSqs
from tests.ops.command import command
from tests.support import make_queues

__all__ = ["command"]

SIGNED_OUT = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION")


@pytest.fixture(autouse=True)
def _signed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may find the credentials of whoever runs it."""
    for name in SIGNED_OUT:
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def sqs(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> FakeSqs:
    sqs = make_queues(clock, Faults(), seed=0, is_shuffled=False)
    call, one_at_a_time = sqs._call, Lock()

    def call_alone(*arguments: Any) -> Any:
        """Take calls from several threads one by one: the fake is made for one thread."""
        with one_at_a_time:
            return call(*arguments)

    monkeypatch.setattr(sqs, "_call", call_alone)
    return sqs


@pytest.fixture
def stack(sqs: FakeSqs) -> Stack:
    stack = Stack("shop", boto3.Session("test", "test", region_name="eu-west-1"))
    outputs = {
        "EventsQueueUrl": sqs.queue("shop-events").url,
        "RetryQueueUrl": sqs.queue("shop-retry").url,
        "DeadLetterQueueUrl": sqs.queue("shop-dead").url,
        "CatalogTableName": "catalog",
        "OrdersTableName": "orders",
        "DrillsAllowed": "true",
    }
    vars(stack).update(sqs=sqs, _outputs=outputs)  # where its cached properties keep what they have found
    return stack


@pytest.fixture
def tables(stack: Stack) -> Iterator[None]:
    with mock_aws():
        for table, key in (("catalog", "sku"), ("orders", "id")):
            stack.dynamodb.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        yield


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let drills find at once that people were told this; `tests/ops/test_told.py` is about how they find out."""
    for one in (drill, ordered_drill, stream_drill):
        monkeypatch.setattr(one, "told_since", lambda *_: Told(groups=2, occurrences=5, alerts=()))


@pytest.fixture
def found_by_commands(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command be about this stack."""
    monkeypatch.setattr(Stack, "of", lambda _name, *, is_local: stack)
