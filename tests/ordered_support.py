"""Sets the ordered lane up: an environment, moto's tables and bucket behind real boto3 calls, queues, one clock."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, Final
from unittest.mock import patch

import boto3

from backstop.aws import clients
from backstop.circuit import install
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.handler import ScriptedHandler
from tests.fakes.sqs import FakeSqs
from tests.lane import FUNCTION_TIMEOUT
from tests.ordered_lane import BUCKET, PARKED, PROCESS_ORDERED, OrderedLane, WatchedFaults
from tests.worker import deployed

_NAME: Final = "shop-process-ordered"
_REGION: Final = "eu-west-1"


@contextmanager
def ordered_lane(script: ScriptedHandler | None = None, **environment: str) -> Iterator[OrderedLane]:
    """Set a lane up. Without a script it runs the sample's own handler, on table `orders`."""
    clock, faults = VirtualClock(), WatchedFaults()
    lane = OrderedLane(clock, make_queues(clock, faults), faults, script)
    with ExitStack() as stack:
        stack.enter_context(deployed(PROCESS_ORDERED, _NAME, clock, _environment(lane) | environment))
        lane.tables, lane.function_tables, lane.bucket = _tables(), _client("dynamodb"), _bucket()
        made: Mapping[str, Any] = {"sqs": lane.sqs, "dynamodb": _client("dynamodb"), "s3": _client("s3")}
        stack.enter_context(faults.installed(made["dynamodb"]))
        stack.enter_context(faults.installed(made["s3"]))
        stack.enter_context(patch.object(clients, "client", made.__getitem__))
        stack.callback(install, None)
        yield lane


def make_queues(clock: VirtualClock, faults: Faults) -> FakeSqs:
    """Make the queues as template.yaml has them."""
    sqs = FakeSqs(clock, faults)
    kept = {"MessageRetentionPeriod": "1209600"}
    hidden = {"VisibilityTimeout": str(6 * int(FUNCTION_TIMEOUT.total_seconds()))}
    sqs.create_queue(QueueName="shop-dead", Attributes=kept)
    sqs.create_queue(QueueName="shop-ordered-dead.fifo", Attributes=kept | {"FifoQueue": "true"})
    redrive = {"deadLetterTargetArn": sqs.queue("shop-ordered-dead.fifo").arn, "maxReceiveCount": 1000}
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "RedrivePolicy": json.dumps(redrive)}
    sqs.create_queue(QueueName="shop-ordered.fifo", Attributes=kept | hidden | fifo)
    sqs.create_queue(QueueName="shop-drain", Attributes=hidden | {"MessageRetentionPeriod": "3600"})
    return sqs


def _environment(lane: OrderedLane) -> dict[str, str]:
    return {
        "ALLOW_DRILL": "false",
        "SOURCE_QUEUE_URLS": lane.ordered.url,
        "DRAIN_QUEUE_URL": lane.drains.url,
        "DEAD_LETTER_QUEUE_URL": lane.dead_letters.url,
        "PARKED_TABLE": PARKED,
        "PARKED_BUCKET": BUCKET,
        "MAX_PARKED_EVENTS": "1000",
        "MAX_PARKED_KEYS": "10000",
        "ON_DEAD_HEAD": "hold",
        "IDEMPOTENCY_TABLE": "idempotency",
        "IDEMPOTENCY_DAYS": "35",
        "MAX_ATTEMPTS": "6",
        "MAX_RETRY_HOURS": "24",
        "RETRY_SHAPE": "exponential",
        "RETRY_BASE_SECONDS": "5",
        "RETRY_LIMIT_SECONDS": "900",
        "CIRCUITS_TABLE": "circuits",
        "RECOVERY_MODE": "act",
        "ORDERS_TABLE": "orders",
    }


@cache
def _client(service: str) -> Any:
    """Return the function's client, made once: making one costs more than most tests, and moto serves it anew."""
    return boto3.client(service, region_name=_REGION)  # type: ignore[call-overload]


@cache
def _untouched(service: str) -> Any:
    return boto3.client(service, region_name=_REGION)  # type: ignore[call-overload]


def _tables() -> Any:
    client = _untouched("dynamodb")
    for table in ("idempotency", "circuits", "orders"):
        _make_table(client, table, {"id": "S"}, ["id"])
    index = {"IndexName": "due", "KeySchema": _schema(["sort", "due"]), "Projection": {"ProjectionType": "KEYS_ONLY"}}
    types = {"key": "S", "sort": "S", "due": "N"}
    _make_table(client, PARKED, types, ["key", "sort"], GlobalSecondaryIndexes=[index])
    return client


def _make_table(client: Any, name: str, types: Mapping[str, str], keys: Sequence[str], **more: Any) -> None:
    client.create_table(
        TableName=name,
        KeySchema=_schema(keys),
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


def _schema(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def _bucket() -> Any:
    client = _untouched("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": _REGION})
    return client
