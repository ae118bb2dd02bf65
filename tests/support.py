"""The process lane on fakes: the real app.py between in-memory queues, real boto3 calls to moto's tables, one clock."""

from __future__ import annotations

import importlib.util
import io
import itertools
import json
import logging
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from unittest.mock import patch

import boto3
import time_machine
from moto import mock_aws

from backstop import Kind, Message
from backstop.aws import clients
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.queue import FakeQueue, QueuedMessage
from tests.fakes.source import (
    A_MOMENT,
    Delivery,
    Handler,
    LambdaSqsSource,
    WorkerDied,
    deliveries_until_quiet,
    run_until_quiet,
)
from tests.fakes.sqs import FakeSqs

PROCESS: Final = Path(__file__).parents[1] / "functions" / "process"
FUNCTION_TIMEOUT: Final = timedelta(seconds=30)
VISIBILITY_TIMEOUT: Final = 6 * FUNCTION_TIMEOUT
MAX_RECEIVE_COUNT: Final = 10

Event = dict[str, Any]
Act = BaseException | Callable[[Event, Any], object] | None
"""What the handler does with an event: nothing but finish, raise, or run something first."""


class ScriptedHandler:
    """The team's handler, told what to do with each event; one that it is told nothing of is simply done."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        """The ids of events in the order in which they were run."""
        self.finished: Counter[str] = Counter()
        """How often each event was run to its end: its effects."""
        self.messages: list[Message] = []
        self.kinds: dict[type[BaseException], Kind] = {}
        """The handler's own table of errors."""
        self._acts: dict[str, list[Act]] = {}

    def will(self, event_id: str, *acts: Act) -> None:
        """Say what each run of an event does; the last act stands for all later runs."""
        self._acts[event_id] = list(acts)

    def forget(self) -> None:
        """Forget what was told and what was done."""
        for remembered in (self.runs, self.messages, self.finished, self._acts):
            remembered.clear()

    def handle(self, event: Event, message: Message) -> None:
        """Do as told."""
        self.messages.append(message)
        self.run(event, message)

    def run(self, event: Event, message: Message | None = None) -> None:
        """Do as told, where nobody says anything of the message."""
        event_id = event["id"]
        self.runs.append(event_id)
        acts = self._acts.get(event_id, [None])
        act = acts.pop(0) if len(acts) > 1 else acts[0]
        if isinstance(act, BaseException):
            raise act.with_traceback(None)  # an error that is raised again would keep the frames of its former life
        if act is not None:
            act(event, message)
        self.finished[event_id] += 1


@dataclass
class ProcessLane:
    """EventsQueue, RetryQueue, DeadLetterQueue and the function between them."""

    clock: VirtualClock
    sqs: FakeSqs
    faults: Faults
    script: ScriptedHandler | None
    stdout: io.TextIOWrapper = field(
        default_factory=lambda: io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    )
    """Takes UTF-8 only, as a function's own does."""
    tables: Any = None
    """A DynamoDB client that no fault touches."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _worker: Handler | None = None

    @property
    def handler(self) -> ScriptedHandler:
        """The script that stands in for the team's handler."""
        assert self.script is not None, "this lane runs the sample's own handler"
        return self.script

    @cached_property
    def events(self) -> FakeQueue:
        """EventsQueue."""
        return self.sqs.queue("shop-events")

    @cached_property
    def retries(self) -> FakeQueue:
        """RetryQueue."""
        return self.sqs.queue("shop-retry")

    @cached_property
    def dead_letters(self) -> FakeQueue:
        """DeadLetterQueue."""
        return self.sqs.queue("shop-dead")

    @cached_property
    def events_source(self) -> LambdaSqsSource:
        """What takes batches from EventsQueue."""
        return LambdaSqsSource(self.events, self.invoke, self.clock, timeout=FUNCTION_TIMEOUT)

    @cached_property
    def retries_source(self) -> LambdaSqsSource:
        """What takes batches from RetryQueue."""
        return LambdaSqsSource(self.retries, self.invoke, self.clock, timeout=FUNCTION_TIMEOUT)

    def order(self, event_id: str = "", **fields: Any) -> Event:
        """Return an order as the sample's schema has it, with an id of its own."""
        return {
            "id": event_id or f"order-{next(self._numbers)}",
            "customer": "c-1",
            "currency": "EUR",
            "placed_at": "2026-01-05T09:00:00Z",
            "items": [{"sku": "tea", "quantity": 1}],
        } | fields

    def send(self, *events: Event | str, **more: Any) -> list[str]:
        """Send events (or bodies as they are) to EventsQueue and return the messages' ids."""
        bodies = [event if isinstance(event, str) else json.dumps(event) for event in events]
        sends = [self.sqs.send_message(QueueUrl=self.events.url, MessageBody=body, **more) for body in bodies]
        return [str(sent["MessageId"]) for sent in sends]

    def deliver(self) -> Delivery:
        """Let the function take one batch from EventsQueue."""
        [delivery] = self.events_source.poll()
        return delivery

    def deliver_retries(self) -> Delivery:
        """Wait until a retry is due and let the function take that batch from RetryQueue."""
        due = self.retries.next_due()
        assert due is not None, "there is nothing to retry"
        self.clock.advance_to(due + A_MOMENT)
        [delivery] = self.retries_source.poll()
        return delivery

    def run_until_quiet(self) -> None:
        """Let time pass until every message is done or dead."""
        run_until_quiet([self.events_source, self.retries_source], self.clock)

    def deliveries_until_quiet(self) -> Iterator[Delivery]:
        """Do as `run_until_quiet`, and hand out each delivery when it has happened."""
        return deliveries_until_quiet([self.events_source, self.retries_source], self.clock)

    def bodies(self) -> set[str]:
        """Return the bodies of all messages that are in one of the queues."""
        queues = (self.events, self.retries, self.dead_letters)
        return {message.body for queue in queues for message in queue.messages}

    def forget(self) -> None:
        """Empty queues, script, faults and what was printed. What is done stays known, and the worker stays warm."""
        for queue in self.sqs.queues.values():
            queue.messages.clear()
            queue.deleted.clear()
        self.faults.clear()
        self.faults.calls.clear()
        self.sqs.calls.clear()
        self.sqs.refuses = lambda operation, entry: False
        self.stdout.seek(0)
        self.stdout.truncate()
        self.handler.forget()

    def invoke(self, event: Any, context: Any) -> object:
        """Invoke the function; a worker that died is replaced by a new one."""
        worker = self.start()
        try:
            with redirect_stdout(self.stdout):
                return worker(event, context)
        except WorkerDied:
            self._worker = None
            raise

    def start(self) -> Handler:
        """Return the worker that takes the next batch."""
        if self._worker is None:
            self._worker = self.new_worker()
        return self._worker

    def new_worker(self) -> Handler:
        """Start an execution environment: app.py is imported anew."""
        _forget_modules()
        if self.script is not None:
            stand_in = ModuleType("handler")
            vars(stand_in).update(handle=self.script.handle, KINDS=self.script.kinds)
            sys.modules["handler"] = stand_in
        spec = importlib.util.spec_from_file_location("app", PROCESS / "app.py")
        assert spec is not None
        assert spec.loader is not None
        app = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(app)
        handler: Handler = app.lambda_handler
        return handler

    def printed(self) -> str:
        """Return what the function has printed."""
        written = self.stdout.buffer
        assert isinstance(written, io.BytesIO)
        return written.getvalue().decode()

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines that the function has printed: one JSON object each."""
        return [json.loads(line) for line in self.printed().splitlines()]

    def reports(self) -> list[dict[str, Any]]:
        """Return the pipeline events among the lines."""
        return [line for line in self.lines() if "pipeline_event" in line]

    def metrics(self) -> list[dict[str, Any]]:
        """Return the metrics among the lines."""
        return [line for line in self.lines() if "_aws" in line]

    def trails(self, queue: FakeQueue) -> list[dict[str, Any]]:
        """Return the histories of the messages in a queue."""
        return [trail_of(message) for message in queue.messages]


def trail_of(message: QueuedMessage) -> dict[str, Any]:
    """Return a message's history as it travels: the attribute `backstop`."""
    trail: dict[str, Any] = json.loads(message.attributes["backstop"]["StringValue"])
    return trail


@contextmanager
def process_lane(
    script: ScriptedHandler | None = None, *, seed: int = 0, is_shuffled: bool = False, **environment: str
) -> Iterator[ProcessLane]:
    """Set a lane up. Without a script it runs the sample's own handler, on tables `catalog` and `orders`.

    Shuffled queues hand out in any order, as AWS's may; `environment` overrides the function's variables.
    """
    import stamina  # as the product: only where it is needed

    clock, faults = VirtualClock(), Faults()
    lane = ProcessLane(clock, make_queues(clock, faults, seed=seed, is_shuffled=is_shuffled), faults, script)
    with ExitStack() as stack:
        clock.follow(stack.enter_context(time_machine.travel(clock.now(), tick=False)).move_to)
        stack.enter_context(mock_aws())
        stack.enter_context(patch.dict(os.environ, _environment(lane) | environment))
        stack.callback(_forget_modules)
        stack.enter_context(patch.object(sys, "path", [str(PROCESS), *sys.path]))
        stack.callback(_forget_logger)
        stack.callback(random.setstate, random.getstate())
        random.seed(seed)
        stack.enter_context(stamina.set_testing(True, attempts=3, cap=True))  # tries again without a wait
        lane.tables = _tables()
        stack.enter_context(faults.installed(_dynamodb()))
        made: Mapping[str, Any] = {"sqs": lane.sqs, "dynamodb": _dynamodb()}
        stack.enter_context(patch.object(clients, "client", made.__getitem__))
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
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_LAMBDA_FUNCTION_NAME": "shop-process",
        "LAMBDA_TASK_ROOT": str(PROCESS),
        "STAGE": "test",
        "RELEASE": "r1",
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
    for table, key in (("idempotency", "id"), ("catalog", "sku"), ("orders", "id")):
        client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    return client


def _forget_modules() -> None:
    for name in ("app", "handler"):
        sys.modules.pop(name, None)


def _forget_logger() -> None:
    """Let the next lane's logger write to its own standard output: one logger a service is kept otherwise."""
    logging.Logger.manager.loggerDict.pop("backstop", None)
