"""The redrive lane: the real app.py between dead letters and where they came from, on one clock; moto is the rest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import boto3

from backstop.aws import clients
from backstop.aws.failed_events import FailedEvents
from backstop.aws.redrive_jobs import RedriveJobs
from backstop.occurrence import Occurrence
from backstop.redrive import REST, Job
from backstop.selection import Selection
from backstop.trail import ATTRIBUTE, Trail
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.queue import FakeQueue, QueuedMessage
from tests.fakes.source import FakeContext
from tests.fakes.sqs import FakeSqs
from tests.support import make_queues
from tests.template.tables import make_table
from tests.watch_lane import Killer
from tests.worker import FUNCTIONS, Worker, deployed

REDRIVE: Final = FUNCTIONS / "redrive"
FUNCTION: Final = "shop-redrive"
TIMEOUT: Final = timedelta(seconds=300)
REGION: Final = "eu-west-1"
BUCKET: Final = "shop-data"
DEAD: Final = "shop-dead"
ORDERED_DEAD: Final = "shop-ordered-dead.fifo"
EVENTS: Final = "shop-events"
TABLES: Final = {
    "redrives": "RedriveTable",
    "circuits": "CircuitsTable",
    "events": "FailedEventsTable",
    "groups": "FailureGroupsTable",
    "parked": "ParkedTable",
}
A: Final = "a" * 16
B: Final = "b" * 16

Item = dict[str, Any]


@dataclass
class RedriveLane:
    """The function, the queues that dead letters lie in and came from, its tables and its bucket."""

    clock: VirtualClock
    sqs: FakeSqs
    faults: Faults
    killer: Killer
    dynamodb: Any = None
    """A client that no fault touches, as `s3`."""
    s3: Any = None
    function_tables: Any = None
    """The function's own client, in which `faults` are, as `function_bucket`."""
    function_bucket: Any = None
    worker: Worker = field(default_factory=lambda: Worker(REDRIVE, None))

    @property
    def dead_letters(self) -> FakeQueue:
        """DeadLetterQueue."""
        return self.sqs.queue(DEAD)

    @property
    def events(self) -> FakeQueue:
        """EventsQueue."""
        return self.sqs.queue(EVENTS)

    @property
    def jobs(self) -> RedriveJobs:
        """What the function writes down, without faults."""
        return RedriveJobs(self.dynamodb, "redrives")

    def bury(self, event_id: str, group: str = A, *, place: str = DEAD, **known: Any) -> QueuedMessage:
        """Let a worker have sent an event to the dead letters."""
        trail = replace(died(self.clock.now(), event_id, group), **known)
        attributes = {ATTRIBUTE: {"DataType": "String", "StringValue": trail.serialise()}}
        return self.sqs.queue(place).put(json.dumps({"id": event_id, "card": "4111-secret"}), attributes, {})

    def begin(
        self,
        job_id: str = "r1",
        *,
        is_canary: bool = False,
        rate: float = 100,
        places: tuple[str, ...] = (DEAD,),
        **chosen: Any,
    ) -> Job:
        """Begin a job, of what is dead by now."""
        selection = Selection(**{"frozen_at": self.clock.now()} | chosen)
        job = Job(job_id, selection, places, rate, is_canary, self.clock.now(), step=0 if is_canary else REST)
        assert self.jobs.create(job)
        return job

    def turn(self, job_id: str = "r1") -> Item:
        """Let a turn be taken, and wait until the next one is due, as RedriveStateMachine does."""
        answer = self.invoke({"job": job_id})
        self.clock.advance(timedelta(seconds=answer["wait_seconds"]))
        return answer

    def run(self, job_id: str = "r1", most: int = 500) -> Item:
        """Take turns until the job is over."""
        for _ in range(most):
            answer = self.turn(job_id)
            if answer["is_over"]:
                return answer
        raise AssertionError("the job comes to no end")

    def invoke(self, event: Item) -> Item:
        """Invoke the function."""
        answer: Any = self.worker.invoke(event, FakeContext(self.clock, FUNCTION, TIMEOUT))
        return json.loads(json.dumps(answer))  # type: ignore[no-any-return]

    def arrived(self) -> Counter[str]:
        """Return the events that came to EventsQueue, and how often."""
        return Counter(event_of(message) for message in self.events.messages)

    def dead(self, place: str = DEAD) -> set[str]:
        """Return the events that are dead letters."""
        return {event_of(message) for message in self.sqs.queue(place).messages}

    def is_hidden(self, place: str = DEAD) -> bool:
        """Whether somebody hides a dead letter."""
        return any(message.visible_at > self.clock.now() for message in self.sqs.queue(place).messages)

    def hear_of(self, event_id: str, redrive_id: str, verdict: str = "Dead") -> None:
        """Let the watchers have heard of an event that was redriven."""
        heard = Occurrence(
            group=A,
            at=self.clock.now(),
            line=f"{event_id:>56}",
            event_id=event_id,
            verdict=verdict,
            redrive_id=redrive_id,
        )
        FailedEvents(self.dynamodb, "events", timedelta(days=35)).record([heard])

    def objects(self) -> list[str]:
        """Return the keys of the bucket's objects."""
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]

    def redriven(self) -> list[Item]:
        """Return the pipeline events of letters that went back."""
        return [line for line in self.worker.reports() if line["pipeline_event"] == "redriven"]


def died(at: datetime, event_id: str, group: str = A) -> Trail:
    """Return the history of an event that died of an outage."""
    return Trail(
        attempt=6,
        event_id=event_id,
        first_failed_at=at - timedelta(minutes=30),
        last_failed_at=at,
        source_queue=EVENTS,
        verdict="dead",
        dead_because="exhausted",
        kind="transient",
        error_type="Unreachable",
        group=group,
        reason="no answer",
        release="1.0",
    )


def event_of(message: QueuedMessage) -> str:
    """Return the id of a message's event."""
    return str(json.loads(message.body)["id"])


@contextmanager
def redrive_lane(**environment: str) -> Iterator[RedriveLane]:
    """Set a lane up. `environment` overrides the function's variables."""
    clock, faults, killer = VirtualClock(), Faults(), Killer()
    lane = RedriveLane(clock, _queues(clock, faults), faults, killer)
    with ExitStack() as stack:
        stack.enter_context(deployed(REDRIVE, FUNCTION, clock, _environment(lane.sqs) | environment))
        lane.dynamodb, lane.s3 = client("dynamodb"), client("s3")
        for name, resource in TABLES.items():
            make_table(lane.dynamodb, name, resource)
        lane.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        made: Mapping[str, Any] = {"sqs": lane.sqs} | {
            service: client(service, "the function's") for service in ("dynamodb", "s3")
        }
        for service in ("dynamodb", "s3"):
            stack.enter_context(faults.installed(made[service]))
            stack.enter_context(killer.installed(made[service]))
        lane.function_tables, lane.function_bucket = made["dynamodb"], made["s3"]
        stack.enter_context(patch.object(clients, "client", made.__getitem__))
        stack.enter_context(patch.object(clients, "client_once", made.__getitem__))
        sleep = SimpleNamespace(sleep=lambda seconds: clock.advance(timedelta(seconds=seconds)))
        stack.enter_context(patch("backstop.wiring.redrive.time", sleep))
        yield lane


@cache
def client(service: Any, _whose: str = "") -> Any:
    """Return a client, made once: making one costs more than most tests, and moto serves it anew."""
    return boto3.client(service, region_name=REGION)


def _queues(clock: VirtualClock, faults: Faults) -> FakeSqs:
    sqs = make_queues(clock, faults, seed=0, is_shuffled=True)
    kept = {"MessageRetentionPeriod": "1209600"}
    sqs.create_queue(QueueName=ORDERED_DEAD, Attributes=kept | {"FifoQueue": "true"})
    sqs.create_queue(QueueName="shop-ordered.fifo", Attributes=kept | {"FifoQueue": "true"})
    sqs.create_queue(QueueName="shop-drain", Attributes={"MessageRetentionPeriod": "3600"})
    return sqs


def _environment(sqs: FakeSqs) -> dict[str, str]:
    def urls(*names: str) -> str:
        return ",".join(sqs.queue(name).url for name in names)

    return {
        "REDRIVE_TABLE": "redrives",
        "CIRCUITS_TABLE": "circuits",
        "FAILED_EVENTS_TABLE": "events",
        "FAILURE_GROUPS_TABLE": "groups",
        "PARKED_TABLE": "parked",
        "DATA_BUCKET": BUCKET,
        "DRAIN_QUEUE_URL": urls("shop-drain"),
        "DEAD_LETTER_QUEUE_URLS": urls(DEAD, ORDERED_DEAD),
        "SOURCE_QUEUE_URLS": urls(EVENTS, "shop-retry", "shop-ordered.fifo"),
        "DEFAULT_QUEUE_URL": urls(EVENTS),
        "MAX_PARKED_EVENTS": "1000",
        "IN_HAND_SECONDS": "180",
        "CANARY_WATCH_SECONDS": "60",
        "RESCUE_AFTER_DAYS": "12",
    }
