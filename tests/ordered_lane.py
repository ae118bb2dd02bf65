"""The ordered lane: the real app.py between in-memory queues and moto's tables and bucket, on one clock."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple

from backstop.sequence import wake_up
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults, Request
from tests.fakes.handler import Event, ScriptedHandler
from tests.fakes.queue import FakeQueue
from tests.fakes.source import A_MOMENT, Delivery, LambdaSqsSource, WorkerDied, run_until_quiet
from tests.fakes.sqs import FakeSqs
from tests.fakes.sqs_messages import check_entry, put
from tests.lane import FUNCTION_TIMEOUT, trail_of
from tests.worker import FUNCTIONS, Worker

PROCESS_ORDERED: Final = FUNCTIONS / "process_ordered"
STATUSES: Final = ("placed", "paid", "packed", "shipped", "delivered")
PARKED: Final = "parked"
BUCKET: Final = "shop-data"
ANSWER: Final = "answer"


class Call(NamedTuple):
    """A call that the function made, and the table or queue that it went to."""

    operation: str
    to: str


class WatchedFaults(Faults):
    """Faults that remember which call went where, and that can let the worker die before any of them."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Call] = []
        self._dies_in: int | None = None

    def die_before(self, number: int) -> None:
        """Let the worker die before the call of that number, from 1 on; its answer counts as a call."""
        self._dies_in = number

    def spare(self) -> None:
        """Let no worker die that has not yet."""
        self._dies_in = None

    def die_before_answering(self) -> None:
        """Let the worker die when all is done but its answer."""
        self._dies_in = 0

    def next(self, operation: str, request: Request) -> Fault | None:
        """Note a call and say how it fails, if it does."""
        self.made.append(Call(operation, _destination(request)))
        if self._dies_in is not None:
            self._dies_in -= 1
            if self._dies_in == 0 or (self._dies_in < 0 and operation == ANSWER):
                self._dies_in = None
                raise WorkerDied("killed between two calls")
        return super().next(operation, request)

    @property
    def has_struck(self) -> bool:
        """Whether the worker has died as it was told to."""
        return self._dies_in is None


def about(table: str, marker: str = "") -> Any:
    """Return what tells the requests that are about a table, and in which `marker` stands."""

    def matches(request: Request) -> bool:
        body = request.get("body")
        return _destination(request) == table and isinstance(body, bytes) and marker.encode() in body

    return matches


def _destination(request: Request) -> str:
    if "QueueUrl" in request:
        return str(request["QueueUrl"]).rpartition("/")[2]
    body = request.get("body")
    tables = set(re.findall(rb'"(idempotency|parked|orders)"', body)) if isinstance(body, bytes) else set()
    return ",".join(sorted(table.decode() for table in tables))


@dataclass
class OrderedLane:
    """OrderedQueue, DrainQueue, DeadLetterQueue, ParkedTable and the function between them."""

    clock: VirtualClock
    sqs: FakeSqs
    faults: WatchedFaults
    script: ScriptedHandler | None
    tables: Any = None
    """A DynamoDB client that no fault touches."""
    function_tables: Any = None
    """The function's own DynamoDB client."""
    bucket: Any = None
    """An S3 client that no fault touches."""
    _numbers: dict[str, Iterator[int]] = field(default_factory=dict)

    @property
    def handler(self) -> ScriptedHandler:
        """The script that stands in for the team's handler."""
        assert self.script is not None, "this lane runs the sample's own handler"
        return self.script

    @cached_property
    def worker(self) -> Worker:
        """What runs the function."""
        script = self.script
        return Worker(PROCESS_ORDERED, None if script is None else {"handle": script.handle, "KINDS": script.kinds})

    @cached_property
    def ordered(self) -> FakeQueue:
        """OrderedQueue."""
        return self.sqs.queue("shop-ordered.fifo")

    @cached_property
    def drains(self) -> FakeQueue:
        """DrainQueue."""
        return self.sqs.queue("shop-drain")

    @cached_property
    def dead_letters(self) -> FakeQueue:
        """DeadLetterQueue."""
        return self.sqs.queue("shop-dead")

    @cached_property
    def moved_by_sqs(self) -> FakeQueue:
        """OrderedDeadLetterQueue."""
        return self.sqs.queue("shop-ordered-dead.fifo")

    @cached_property
    def intake(self) -> LambdaSqsSource:
        """What takes batches from OrderedQueue."""
        return LambdaSqsSource(
            self.ordered, self.invoke, self.clock, timeout=FUNCTION_TIMEOUT, function_name="process_ordered"
        )

    @cached_property
    def drainage(self) -> LambdaSqsSource:
        """What takes wake-ups from DrainQueue, one by one."""
        return LambdaSqsSource(
            self.drains,
            self.invoke,
            self.clock,
            batch_size=1,
            timeout=FUNCTION_TIMEOUT,
            function_name="process_ordered",
        )

    def change(self, key: str, event_id: str = "", **fields: Any) -> Event:
        """Return the next change of an order, as the sample's schema has it; its id is `{key}{number}` unless given."""
        number = next(self._numbers.setdefault(key, itertools.count(1)))
        return {
            "id": event_id or f"{key}{number}",
            "order": key,
            "number": number,
            "status": STATUSES[(number - 1) % len(STATUSES)],
            "changed_at": "2026-01-05T09:00:00Z",
        } | fields

    def send(self, *keys: str) -> list[str]:
        """Send a change of each key, in this order, and return the events' ids: `a`, `a` sends a1 and a2."""
        changes = [(key, self.change(key)) for key in keys]
        for key, change in changes:
            self.send_body(key, json.dumps(change))
        return [change["id"] for _, change in changes]

    def send_body(self, key: str, body: str, **more: Any) -> str:
        """Send a body as it is and return the message's id. No fault touches what producers send."""
        entry = {"MessageBody": body, "MessageGroupId": key} | more
        check_entry(self.ordered, entry)
        return put(self.ordered, entry).message_id

    def deliver(self) -> Delivery:
        """Let the function take one batch from OrderedQueue."""
        [delivery] = self.intake.poll()
        return delivery

    def deliver_again(self) -> Delivery:
        """Wait until what was in flight is visible again, and let the function take one batch of it."""
        due = self.ordered.next_due()
        assert due is not None, "nothing is left in OrderedQueue"
        self.clock.advance_to(due)
        return self.deliver()

    def drain(self) -> Delivery:
        """Wait until a wake-up is due and let the function take it."""
        due = self.drains.next_due()
        assert due is not None, "nobody is to be woken"
        self.clock.advance_to(due + A_MOMENT)
        [delivery] = self.drainage.poll()
        return delivery

    def wake(self, key: str) -> Delivery:
        """Wake a key now."""
        return self.ask(wake_up(key))

    def ask(self, body: str) -> Delivery:
        """Let the function take a message of the drain queue now; those that are there already wait."""
        others, self.drains.messages[:] = list(self.drains.messages), []
        put(self.drains, {"MessageBody": body})
        [delivery] = self.drainage.poll()
        self.drains.messages[:0] = others
        return delivery

    def sweep(self) -> Delivery:
        """Do as the schedule does each minute: ask for a sweep."""
        return self.ask('{"sweep": true}')

    def run_until_quiet(self) -> None:
        """Let time pass until both queues are empty, without a sweep."""
        run_until_quiet([self.intake, self.drainage], self.clock)

    def run_with_sweeps(self, minutes: int = 20) -> None:
        """Let so many minutes pass, with a sweep each, and then let both queues run empty."""
        for _ in range(minutes):
            self.clock.advance(timedelta(minutes=1))
            self.sweep()
            for source in (self.intake, self.drainage):
                while source.poll():
                    pass
        self.run_until_quiet()

    def items(self) -> list[dict[str, Any]]:
        """Return what is in ParkedTable, but for the totals."""
        items: list[dict[str, Any]] = self.tables.scan(TableName=PARKED, ConsistentRead=True)["Items"]
        return [item for item in items if item["sort"]["S"] != "totals"]

    def lock(self, key: str) -> dict[str, Any] | None:
        """Return a key's lock; None where it does not wait."""
        return next((plain(one) for one in self.items() if key_and_sort(one) == (key, "lock")), None)

    def parked(self, key: str) -> list[dict[str, Any]]:
        """Return the parked events of a key, in their order."""
        events = [item for item in self.items() if item["key"]["S"] == key and "record" in " ".join(item)]
        return [plain(item) for item in sorted(events, key=key_and_sort)]

    def waiting(self, key: str) -> list[str]:
        """Return the ids of a key's parked events, in their order."""
        return [str(event.get("event_id", "")) for event in self.parked(key)]

    def objects(self) -> list[str]:
        """Return what the bucket has."""
        return [one["Key"] for one in self.bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def runs(self, key: str) -> list[str]:
        """Return the runs of a key's events, in their order."""
        return [event_id for event_id in self.handler.runs if event_id.rstrip("0123456789") == key]

    def calls(self, to: str) -> Counter[str]:
        """Count the calls that went to a table or queue."""
        return Counter(call.operation for call in self.faults.made if to in call.to.split(","))

    def invoke(self, event: Any, context: Any) -> object:
        """Invoke the function; a worker that died is replaced by a new one."""
        try:
            answer = self.worker.invoke(event, context)
            self.faults.next(ANSWER, {})
        except WorkerDied:
            self.worker.restart()
            raise
        return answer

    @contextmanager
    def hearing(self, event: str, act: Callable[..., None]) -> Iterator[None]:
        """Let `act` hear an event of the function's DynamoDB client, and change what it carries."""
        events = self.function_tables.meta.events
        events.register(event, act)
        try:
            yield
        finally:
            events.unregister(event, act)

    def reports(self) -> list[dict[str, Any]]:
        """Return the pipeline events that the function has printed."""
        return self.worker.reports()

    def told(self, message: str) -> list[dict[str, Any]]:
        """Return the lines of that message that the function has printed."""
        return [line for line in self.worker.lines() if line.get("message") == message]

    def measured(self, name: str) -> list[float]:
        """Return the values that the function has published of a metric."""
        return [metric[name][0] for metric in self.worker.metrics() if name in metric]

    def trails(self) -> list[dict[str, Any]]:
        """Return the histories of the dead letters."""
        return [trail_of(message) for message in self.dead_letters.messages]


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item without DynamoDB's types: all as text, but bytes."""
    return {name: next(iter(value.values())) for name, value in item.items()}


def key_and_sort(item: Mapping[str, Any]) -> tuple[str, str]:
    """Return an item's primary key."""
    return item["key"]["S"], item["sort"]["S"]
