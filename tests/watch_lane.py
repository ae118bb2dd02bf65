"""The watch lane: the real app.py between a log and a topic, on one clock; moto is DynamoDB, SNS and SQS."""

from __future__ import annotations

import base64
import gzip
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import boto3
from moto.sns.models import sns_backends

from backstop.aws import clients
from backstop.lines import PIPELINE_EVENTS
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.handler import ScriptedHandler
from tests.fakes.source import FakeContext, WorkerDied
from tests.support import process_lane
from tests.template.tables import make_table
from tests.worker import FUNCTIONS, Worker, deployed

WATCH: Final = FUNCTIONS / "watch"
FUNCTION: Final = "shop-watch"
TIMEOUT: Final = timedelta(seconds=60)
REGION: Final = "eu-west-1"
ACCOUNT: Final = "123456789012"
TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
TABLES: Final = {"groups": "FailureGroupsTable", "events": "FailedEventsTable"}
MOST: Final = 1000
"""Lines a delivery."""

ENVIRONMENT: Final = {
    "STACK_NAME": "shop",
    "FAILURE_GROUPS_TABLE": "groups",
    "FAILED_EVENTS_TABLE": "events",
    "FAILED_EVENT_DAYS": "35",
    "ALERT_TOPIC_ARN": TOPIC,
    "ALERT_LIMIT": "5",
    "ALERT_WINDOW_SECONDS": "3600",
    "ALERT_QUIET_SECONDS": "600",
    "DIGEST_AFTER": "20",
    "ALERT_STORE": "dynamodb",
}
"""What the template tells the function (which `deployed` adds stage, release and name to)."""


Item = dict[str, Any]


class Mail(NamedTuple):
    """An alert as the topic took it: all that any subscriber can be sent, whatever its protocol."""

    subject: str
    messages: dict[str, str]
    attributes: dict[str, str]


class Killer:
    """Counts the AWS calls of a function, and kills its worker at one of them: before it has an effect, or after."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.at: tuple[int, str] | None = None
        """The number of the call, and `before` or `after` it."""

    def arm(self, call: int, moment: str) -> None:
        """Kill at a call, counted from now on."""
        self.calls.clear()
        self.at = (call, moment)

    def disarm(self) -> None:
        """Kill no more."""
        self.at = None
        self.calls.clear()

    @contextmanager
    def installed(self, client: Any) -> Iterator[None]:
        """See the calls of a boto3 client."""
        service = client.meta.service_model.service_name

        def before(model: Any, **_: object) -> None:
            self.calls.append(model.name)
            self._kill("before")

        def after(**_: object) -> None:
            self._kill("after")

        events = client.meta.events
        events.register_first(f"before-call.{service}", before)
        events.register_last(f"after-call.{service}", after)
        try:
            yield
        finally:
            events.unregister(f"before-call.{service}", before)
            events.unregister(f"after-call.{service}", after)

    def _kill(self, moment: str) -> None:
        if self.at == (len(self.calls) - 1, moment):
            self.at = None
            raise WorkerDied(f"killed {moment} call {len(self.calls)}: {self.calls[-1]}")


@dataclass
class WatchLane:
    """The function, its tables, its topic and a queue that subscribes to it."""

    clock: VirtualClock
    faults: Faults
    killer: Killer
    dynamodb: Any = None
    """A client that no fault touches, as `sqs`."""
    sqs: Any = None
    worker: Worker = field(default_factory=lambda: Worker(WATCH, None))
    _numbers: Iterator[int] = field(default_factory=count)
    _arrived: list[Any] = field(default_factory=list)

    def payloads(self, *lines: str, stream: str = "2026/01/05/shop-process[$LATEST]a") -> list[Item]:
        """Return what a subscription invokes the function with, for lines that one worker has written."""
        at = self.clock.epoch_millis()
        events = [{"id": f"{next(self._numbers):056}", "timestamp": at, "message": line} for line in lines]
        return [payload(events[start : start + MOST], stream) for start in range(0, len(events), MOST)]

    def watch(self, *lines: str) -> list[Item]:
        """Let the function watch lines; returns what it was invoked with, so that it can be again."""
        invoked = self.payloads(*lines)
        for one in invoked:
            self.invoke(one)
        return invoked

    def invoke(self, event: Item) -> Any:
        """Invoke the function."""
        return self.worker.invoke(event, FakeContext(self.clock, FUNCTION, TIMEOUT))

    def sweep(self) -> Any:
        """Let the function follow up, as the schedule does each minute."""
        return self.invoke({"sweep": True})

    def pass_minutes(self, minutes: int) -> None:
        """Let minutes pass, each with its sweep."""
        for _ in range(minutes):
            self.clock.advance(timedelta(minutes=1))
            self.sweep()

    def arrived(self) -> list[Any]:
        """Return the documents that have come to the topic's subscriber, in their order."""
        url = self.sqs.get_queue_url(QueueName="subscriber")["QueueUrl"]
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._arrived.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return self._arrived

    def reasons(self) -> list[tuple[str, int]]:
        """Return why people were told, and of how many occurrences."""
        return [(document["reason"], document["occurrences"]) for document in self.arrived()]

    def mails(self) -> list[Mail]:
        """Return what the topic took for all protocols: moto's own memory, as moto sends no mail."""
        taken = sns_backends[ACCOUNT][REGION].topics[TOPIC].sent_notifications
        return [
            Mail(str(subject), json.loads(message), {name: one["Value"] for name, one in (attributes or {}).items()})
            for _, message, subject, attributes, _ in taken
        ]

    def items(self, table: str) -> list[Item]:
        """Return all items of a table, the counters of beginnings left out."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table)
        found = [item for page in pages for item in page["Items"]]
        return [item for item in found if not item.get("group", {"S": ""})["S"].startswith("#")]

    def counted(self) -> dict[str, int]:
        """Return how often each group has failed, as its table says."""
        return {item["group"]["S"]: int(item["occurrences"]["N"]) for item in self.items("groups")}

    def log(self, message: str) -> list[Item]:
        """Return the lines with that message in the function's own log."""
        return [line for line in self.worker.lines() if line["message"] == message]


def lines_of(*errors: BaseException) -> list[str]:
    """Return what the real `process` function writes when its handler raises these, an event each, the first time."""
    with process_lane(ScriptedHandler()) as process:
        orders = [process.order() for _ in errors]
        for order, error in zip(orders, errors, strict=True):
            process.handler.will(order["id"], error)
        process.send(*orders)
        while process.events.next_due() == process.clock.now():
            process.deliver()
        return process.printed().splitlines()


def payload(events: Sequence[Item], stream: str, filters: Sequence[str] = (PIPELINE_EVENTS,)) -> Item:
    """Return what CloudWatch Logs invokes a function with."""
    content = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": "pipeline",
        "logStream": stream,
        "subscriptionFilters": list(filters),
        "logEvents": list(events),
    }
    return packed(json.dumps(content).encode())


def packed(content: bytes) -> Item:
    """Return content as a subscription delivers it."""
    return {"awslogs": {"data": base64.b64encode(gzip.compress(content)).decode()}}


@contextmanager
def watch_lane(**environment: str) -> Iterator[WatchLane]:
    """Set a lane up. `environment` overrides the function's variables."""
    clock, faults, killer = VirtualClock(), Faults(), Killer()
    lane = WatchLane(clock, faults, killer)
    with ExitStack() as stack:
        stack.enter_context(deployed(WATCH, FUNCTION, clock, ENVIRONMENT | environment))
        stack.callback(logging.Logger.manager.loggerDict.pop, "backstop-watch", None)
        lane.dynamodb, lane.sqs = client("dynamodb"), client("sqs")
        make_tables(lane.dynamodb)
        _make_topic(lane.sqs)
        made = {service: client(service, "the function's") for service in ("dynamodb", "sns")}
        for one in made.values():
            stack.enter_context(faults.installed(one))
            stack.enter_context(killer.installed(one))
        stack.enter_context(patch.object(clients, "client", made.__getitem__))
        yield lane


@cache
def client(service: Any, _whose: str = "") -> Any:
    """Return a client, made once: making one costs more than most tests, and moto serves it anew."""
    return boto3.client(service, region_name=REGION)


def make_tables(dynamodb: Any) -> None:
    """Make the tables as template.yaml has them."""
    for name, resource in TABLES.items():
        make_table(dynamodb, name, resource)


def _make_topic(sqs: Any) -> None:
    sns = client("sns")
    arn = sns.create_topic(Name="alerts")["TopicArn"]
    assert arn == TOPIC
    url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue, Attributes=raw)
