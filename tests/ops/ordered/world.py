"""The ordered lane as it is deployed, between in-memory queues and moto's tables: what an ordered drill runs on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import boto3

from backstop.aws import clients
from backstop.aws.parked import ParkedTable
from backstop.aws.parked_record import ParkedRecords
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.queue import FakeQueue
from tests.fakes.source import Delivery, LambdaSqsSource, WorkerDied
from tests.fakes.sqs import FakeSqs
from tests.worker import FUNCTIONS, Worker, deployed

TIMEOUT: Final = timedelta(seconds=3)
VISIBILITY: Final = 6 * TIMEOUT

_TABLES: Final = {"orders": "id", "idempotency": "id", "circuits": "id"}
_FIFO: Final = {"FifoQueue": "true"}
_HIDES: Final = {"VisibilityTimeout": str(int(VISIBILITY.total_seconds()))}


@dataclass
class World:
    """The function works while the drill waits; `deaths` counts its workers that died, `waits` the drill's waits."""

    clock: VirtualClock
    sqs: FakeSqs
    dynamodb: Any
    variables: dict[str, str]
    worker: Worker = field(default_factory=lambda: Worker(FUNCTIONS / "process_ordered", None))
    is_working: bool = True
    deaths: int = 0
    waits: int = 0

    @property
    def ordered(self) -> FakeQueue:
        """OrderedQueue."""
        return self.sqs.queue("shop-ordered.fifo")

    @property
    def drains(self) -> FakeQueue:
        """DrainQueue."""
        return self.sqs.queue("shop-drain")

    @property
    def parked(self) -> ParkedTable:
        """ParkedTable."""
        return ParkedTable(self.dynamodb, "parked", ParkedRecords(lambda: _no_bucket(), "none"), 1000)

    def wait(self, seconds: float) -> None:
        """Let time pass, in which batches are handed over."""
        self.waits += 1
        self.clock.advance(timedelta(seconds=seconds))
        while self.is_working and self._work():
            pass

    def items(self, table: str) -> list[dict[str, Any]]:
        """Return all that a table holds."""
        items: list[dict[str, Any]] = self.dynamodb.scan(TableName=table)["Items"]
        return items

    def _work(self) -> list[Delivery]:
        return [delivery for source in self._sources() for delivery in source.poll()]

    def _sources(self) -> list[LambdaSqsSource]:
        return [
            LambdaSqsSource(queue, self._invoke, self.clock, timeout=TIMEOUT, function_name="shop-process-ordered")
            for queue in (self.ordered, self.drains)
        ]

    def _invoke(self, event: Any, context: Any) -> object:
        try:
            return self.worker.invoke(event, context)
        except WorkerDied:
            self.deaths += 1
            raise


@contextmanager
def ordered_world(clock: VirtualClock, sqs: FakeSqs) -> Iterator[World]:
    """Set the lane up, with the sample's own handler."""
    sqs.create_queue(QueueName="shop-ordered.fifo", Attributes=_FIFO | _HIDES)
    sqs.create_queue(QueueName="shop-drain", Attributes=_HIDES)
    variables = _variables(sqs)
    with ExitStack() as stack:
        stack.enter_context(deployed(FUNCTIONS / "process_ordered", "shop-process-ordered", clock, variables))
        dynamodb = _one_at_a_time(boto3.client("dynamodb", region_name="eu-west-1"))
        _make_tables(dynamodb)
        stack.enter_context(patch.object(clients, "client", {"sqs": sqs, "dynamodb": dynamodb}.__getitem__))
        stack.enter_context(patch("os._exit", _die))
        yield World(clock, sqs, dynamodb, variables)


def give(stack: Stack, world: World) -> None:
    """Let a stack be this world's."""
    configuration = {"Environment": {"Variables": world.variables}}
    outputs = {
        "OrderedQueueUrl": world.ordered.url,
        "DrainQueueUrl": world.drains.url,
        "ParkedTableName": "parked",
        "DataBucketName": "none",
        "ProcessOrderedFunctionName": "shop-process-ordered",
    }
    stack._outputs.update(outputs)
    functions = SimpleNamespace(get_function_configuration=lambda FunctionName: configuration)  # noqa: N803  # boto3's name
    vars(stack).update(dynamodb=world.dynamodb, functions=functions)


def _variables(sqs: FakeSqs) -> dict[str, str]:
    return {
        "ALLOW_DRILL": "true",
        "SOURCE_QUEUE_URLS": sqs.queue("shop-ordered.fifo").url,
        "DRAIN_QUEUE_URL": sqs.queue("shop-drain").url,
        "DEAD_LETTER_QUEUE_URL": sqs.queue("shop-dead").url,
        "PARKED_TABLE": "parked",
        "PARKED_BUCKET": "none",
        "MAX_PARKED_EVENTS": "1000",
        "MAX_PARKED_KEYS": "10000",
        "ON_DEAD_HEAD": "hold",
        "IDEMPOTENCY_TABLE": "idempotency",
        "CIRCUITS_TABLE": "circuits",
        "RECOVERY_MODE": "act",
        "IDEMPOTENCY_DAYS": "35",
        "MAX_ATTEMPTS": "6",
        "MAX_RETRY_HOURS": "24",
        "RETRY_SHAPE": "exponential",
        "RETRY_BASE_SECONDS": "1",
        "RETRY_LIMIT_SECONDS": "900",
        "ORDERS_TABLE": "orders",
    }


def _make_tables(dynamodb: Any) -> None:
    for table, key in _TABLES.items():
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    dynamodb.create_table(
        TableName="parked",
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}, {"AttributeName": "sort", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind} for name, kind in (("key", "S"), ("sort", "S"), ("due", "N"))
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "sort", "KeyType": "HASH"}, {"AttributeName": "due", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )  # fmt: skip


def _one_at_a_time(client: Any) -> Any:
    """Let a client take calls from several threads one by one: moto is made for one thread."""
    call, lock = client._make_api_call, Lock()

    def call_alone(*arguments: Any) -> Any:
        with lock:
            return call(*arguments)

    client._make_api_call = call_alone
    return client


def _die(status: int) -> None:
    raise WorkerDied(f"exit {status}")


def _no_bucket() -> Any:
    raise AssertionError("no event of a drill is so large that it needs the bucket")
