"""The recover lane: the real app.py between circuits, mappings, alarms and people, on one clock; moto is AWS."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final
from unittest.mock import patch

import boto3

from backstop.aws import clients
from backstop.aws.circuits import CircuitTable
from backstop.aws.recovery_log import RecoveryLog, Written
from backstop.aws.release_counts import ReleaseCounts
from backstop.circuits.state import Opening
from backstop.recovery.state import Memory
from backstop.release_counts import Hold
from tests.fakes.clock import START, VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.functions import ACCOUNT, REGION, make_function, make_mapping
from tests.fakes.source import FakeContext
from tests.template.tables import make_table
from tests.watch_lane import Killer
from tests.worker import FUNCTIONS, Worker, deployed

RECOVER: Final = FUNCTIONS / "recover"
FUNCTION: Final = "shop-recover"
TIMEOUT: Final = timedelta(seconds=60)
TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
PROCESS: Final = "shop-process"
ORDERED: Final = "shop-process-ordered"
SWITCH: Final = "shop-PaymentSwitch"
TABLES: Final = {"circuits": "CircuitsTable", "recovery": "RecoveryLogTable"}
SERVICES: Final = ("dynamodb", "lambda", "ssm", "cloudwatch", "sns")
OPEN_FOR: Final = timedelta(seconds=30)

Item = dict[str, Any]


@dataclass
class RecoverLane:
    """The function, the workers that it looks after, their circuits, and a queue that hears what people are told."""

    clock: VirtualClock
    faults: Faults
    killer: Killer
    aws: dict[str, Any] = field(default_factory=dict)
    """Clients that no fault touches, by service."""
    mappings: dict[str, str] = field(default_factory=dict)
    """The ids of the intakes' mappings, by function."""
    worker: Worker = field(default_factory=lambda: Worker(RECOVER, None))
    _arrived: list[Item] = field(default_factory=list)

    @property
    def circuits(self) -> CircuitTable:
        """What everybody knows of circuits."""
        return CircuitTable(self.aws["dynamodb"], "circuits")

    @property
    def log(self) -> RecoveryLog:
        """What the function remembers, and writes down."""
        return RecoveryLog(self.aws["dynamodb"], "recovery")

    @property
    def releases(self) -> ReleaseCounts:
        """What is known of releases."""
        return ReleaseCounts(self.aws["dynamodb"], "circuits")

    def open(self, function: str = PROCESS) -> None:
        """Let a worker have opened the circuit `payments`, and wait for it."""
        now = self.clock.now()
        seen = self.circuits.read("payments")
        assert self.circuits.open(seen, "5 failures in a row", Opening(now, "environment-1", function), OPEN_FOR)
        self.circuits.depend("payments", function)

    def close(self) -> None:
        """Let the circuit have closed."""
        self.circuits.force_close("payments", self.clock.now())

    def hold(self, function: str = PROCESS) -> None:
        """Let a worker have held its release's failures back."""
        self.reconcile()
        assert self.releases.hold(Hold(function, "r1", "a" * 16, 18, 20, self.clock.now()), "environment-1")

    def ring(self, alarm: str = "shop-old", state: str = "ALARM") -> None:
        """Let an alarm ring, or be quiet."""
        self.aws["cloudwatch"].set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="a test says so")

    def invoke(self, event: Item) -> Any:
        """Invoke the function."""
        return self.worker.invoke(event, FakeContext(self.clock, FUNCTION, TIMEOUT))

    def reconcile(self) -> Any:
        """Let the minute have come."""
        return self.invoke({"reconcile": True})

    def wake(self, message: object = "hello") -> Any:
        """Let the topic have delivered something."""
        text = message if isinstance(message, str) else json.dumps(message)
        return self.invoke({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": text}}]})

    def pass_minutes(self, minutes: int) -> None:
        """Let minutes pass, each with its reconcile."""
        for _ in range(minutes):
            self.clock.advance(timedelta(minutes=1))
            self.reconcile()

    def intake(self, function: str = PROCESS) -> tuple[str, int]:
        """Return the state and the concurrency of a worker's intake."""
        found = self.aws["lambda"].get_event_source_mapping(UUID=self.mappings[function])
        return found["State"], found["ScalingConfig"]["MaximumConcurrency"]

    def variables(self, function: str = PROCESS) -> dict[str, str]:
        """Return a worker's variables."""
        found = self.aws["lambda"].get_function_configuration(FunctionName=function)
        return dict(found["Environment"]["Variables"])

    def switch(self) -> str:
        """Return which payment gateway is used."""
        return str(self.aws["ssm"].get_parameter(Name=SWITCH)["Parameter"]["Value"])

    def memory(self) -> Memory:
        """Return what the function remembers."""
        return self.log.memory()

    def written(self, since: datetime = START) -> list[Written]:
        """Return what was done, the oldest first."""
        return self.log.entries(since, 100)[::-1]

    def told(self) -> list[Item]:
        """Return the documents that have come to the topic's subscriber, in their order."""
        sqs = self.aws["sqs"]
        url = sqs.get_queue_url(QueueName="subscriber")["QueueUrl"]
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._arrived.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return self._arrived

    def lines(self, message: str) -> list[Item]:
        """Return the lines with that message in the function's own log."""
        return [line for line in self.worker.lines() if line.get("message") == message]

    def measured(self, name: str) -> list[float]:
        """Return the values of a metric, in their order."""
        return [line[name][0] for line in self.worker.metrics() if name in line]


@contextmanager
def recover_lane(**environment: str) -> Iterator[RecoverLane]:
    """Set a lane up. `environment` overrides the function's variables."""
    lane = RecoverLane(VirtualClock(), Faults(), Killer())
    with ExitStack() as stack:
        # the mappings' ids are known once they are made, and the variables are read at the first invocation
        told: dict[str, str] = {}
        stack.enter_context(deployed(RECOVER, FUNCTION, lane.clock, _ENVIRONMENT | environment))
        stack.callback(logging.Logger.manager.loggerDict.pop, "backstop-recover", None)
        lane.aws = {service: client(service) for service in (*SERVICES, "sqs")}
        _make_stack(lane)
        told |= {name: f"{function},{lane.mappings[function]},10,{alarm}" for name, function, alarm in _INTAKES}
        stack.enter_context(patch.dict("os.environ", told))
        made = {service: client(service, "the function's") for service in SERVICES}
        for one in made.values():
            stack.enter_context(lane.faults.installed(one))
            stack.enter_context(lane.killer.installed(one))
        stack.enter_context(patch.object(clients, "client", made.__getitem__))
        yield lane


@cache
def client(service: Any, _whose: str = "") -> Any:
    """Return a client, made once: making one costs more than most tests, and moto serves it anew."""
    return boto3.client(service, region_name=REGION)


_ENVIRONMENT: Final = {
    "CIRCUITS_TABLE": "circuits",
    "RECOVERY_LOG_TABLE": "recovery",
    "RECOVERY_MODE": "act",
    "MAX_INTAKE_CONCURRENCY": "40",
    "MAX_PAUSE_MINUTES": "60",
    "SWITCHES": f"payments={SWITCH}",
    "ALERT_TOPIC_ARN": TOPIC,
    "STACK_NAME": "shop",
}
_INTAKES: Final = (("EVENTS_INTAKE", PROCESS, "shop-old"), ("ORDERED_INTAKE", ORDERED, "shop-ordered-old"))


def _make_stack(lane: RecoverLane) -> None:
    for name, resource in TABLES.items():
        make_table(lane.aws["dynamodb"], name, resource)
    for function, queue in ((PROCESS, "shop-events"), (ORDERED, "shop-ordered.fifo")):
        make_function(lane.aws["lambda"], function, RELEASE="r1", QUEUE=queue)
        lane.mappings[function] = make_mapping(lane.aws["lambda"], lane.aws["sqs"], function, queue, 10)
    lane.aws["ssm"].put_parameter(Name=SWITCH, Value="primary", Type="String")
    for _, _, alarm in _INTAKES:
        _make_alarm(lane.aws["cloudwatch"], alarm)
    _make_topic(lane.aws["sns"], lane.aws["sqs"])


def _make_alarm(cloudwatch: Any, name: str) -> None:
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        MetricName="ApproximateAgeOfOldestMessage",
        Namespace="AWS/SQS",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )


def _make_topic(sns: Any, sqs: Any) -> None:
    arn = sns.create_topic(Name="alerts")["TopicArn"]
    assert arn == TOPIC
    url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
