"""Sets the process lane up: an environment, moto's tables behind real boto3 calls, queues, one clock for all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
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
from tests.lane import FUNCTION_TIMEOUT, PROCESS, ProcessLane
from tests.worker import deployed

__all__ = ["MAX_RECEIVE_COUNT", "ProcessLane", "ScriptedHandler", "make_queues", "process_lane"]

VISIBILITY_TIMEOUT: Final = 6 * FUNCTION_TIMEOUT
MAX_RECEIVE_COUNT: Final = 10


@contextmanager
def process_lane(
    script: ScriptedHandler | None = None, *, seed: int = 0, is_shuffled: bool = False, **environment: str
) -> Iterator[ProcessLane]:
    """Set a lane up. Without a script it runs the sample's own handler, on tables `catalog` and `orders`.

    Shuffled queues hand out in any order, as AWS's may; `environment` overrides the function's variables.
    """
    clock, faults = VirtualClock(), Faults()
    lane = ProcessLane(clock, make_queues(clock, faults, seed=seed, is_shuffled=is_shuffled), faults, script)
    with ExitStack() as stack:
        stack.enter_context(deployed(PROCESS, "shop-process", clock, _environment(lane) | environment, seed=seed))
        lane.tables = _tables()
        stack.enter_context(faults.installed(_dynamodb()))
        made: Mapping[str, Any] = {"sqs": lane.sqs, "dynamodb": _dynamodb()}
        stack.enter_context(patch.object(clients, "client", made.__getitem__))
        stack.callback(install, None)
        yield lane


def make_queues(clock: VirtualClock, faults: Faults, *, seed: int, is_shuffled: bool) -> FakeSqs:
    """Make the three queues as template.yaml has them."""
    sqs = FakeSqs(clock, faults, seed, is_shuffled=is_shuffled)
    sqs.create_queue(QueueName="shop-dead", Attributes={"MessageRetentionPeriod": "1209600"})
    redrive = {"deadLetterTargetArn": sqs.queue("shop-dead").arn, "maxReceiveCount": MAX_RECEIVE_COUNT}
    attributes = {
        "MessageRetentionPeriod": "1209600",
        "VisibilityTimeout": str(int(VISIBILITY_TIMEOUT.total_seconds())),
        "RedrivePolicy": json.dumps(redrive),
    }
    for name in ("shop-events", "shop-retry"):
        sqs.create_queue(QueueName=name, Attributes=attributes)
    return sqs


def _environment(lane: ProcessLane) -> dict[str, str]:
    return {
        "ALLOW_DRILL": "false",
        "SOURCE_QUEUE_URLS": f"{lane.events.url},{lane.retries.url}",
        "RETRY_QUEUE_URL": lane.retries.url,
        "DEAD_LETTER_QUEUE_URL": lane.dead_letters.url,
        "IDEMPOTENCY_TABLE": "idempotency",
        "IDEMPOTENCY_DAYS": "35",
        "MAX_ATTEMPTS": "6",
        "MAX_RETRY_HOURS": "24",
        "RETRY_SHAPE": "exponential",
        "RETRY_BASE_SECONDS": "5",
        "RETRY_LIMIT_SECONDS": "900",
        "CIRCUITS_TABLE": "circuits",
        "RECOVERY_MODE": "act",
        "CATALOG_TABLE": "catalog",
        "ORDERS_TABLE": "orders",
    }


@cache
def _dynamodb() -> Any:
    """Return the function's client, made once: making one costs more than most tests, and moto serves it anew."""
    return boto3.client("dynamodb", region_name="eu-west-1")


@cache
def _untouched_dynamodb() -> Any:
    return boto3.client("dynamodb", region_name="eu-west-1")


def _tables() -> Any:
    client = _untouched_dynamodb()
    for table, key in (("idempotency", "id"), ("circuits", "id"), ("catalog", "sku"), ("orders", "id")):
        client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    return client
