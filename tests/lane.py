"""The process lane: the real app.py between in-memory queues, on one clock."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.handler import Event, ScriptedHandler
from tests.fakes.queue import FakeQueue, QueuedMessage
from tests.fakes.source import (
    A_MOMENT,
    Delivery,
    Handler,
    LambdaSqsSource,
    deliveries_until_quiet,
    run_until_quiet,
)
from tests.fakes.sqs import FakeSqs
from tests.worker import FUNCTIONS, Worker

PROCESS: Final = FUNCTIONS / "process"
FUNCTION_TIMEOUT: Final = timedelta(seconds=30)


@dataclass
class ProcessLane:
    """EventsQueue, RetryQueue, DeadLetterQueue and the function between them."""

    clock: VirtualClock
    sqs: FakeSqs
    faults: Faults
    script: ScriptedHandler | None
    tables: Any = None
    """A DynamoDB client that no fault touches."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def handler(self) -> ScriptedHandler:
        """The script that stands in for the team's handler."""
        assert self.script is not None, "this lane runs the sample's own handler"
        return self.script

    @cached_property
    def worker(self) -> Worker:
        """What runs the function."""
        script = self.script
        return Worker(PROCESS, None if script is None else {"handle": script.handle, "KINDS": script.kinds})

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
        self.worker.forget_printed()
        self.handler.forget()

    def invoke(self, event: Any, context: Any) -> object:
        """Invoke the function; a worker that died is replaced by a new one."""
        return self.worker.invoke(event, context)

    def start(self) -> Handler:
        """Return the worker that takes the next batch."""
        return self.worker.start()

    def new_worker(self) -> Handler:
        """Start an execution environment: app.py is imported anew."""
        return self.worker.new()

    def printed(self) -> str:
        """Return what the function has printed."""
        return self.worker.printed()

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines that the function has printed: one JSON object each."""
        return self.worker.lines()

    def reports(self) -> list[dict[str, Any]]:
        """Return the pipeline events among the lines."""
        return self.worker.reports()

    def metrics(self) -> list[dict[str, Any]]:
        """Return the metrics among the lines."""
        return self.worker.metrics()

    def trails(self, queue: FakeQueue) -> list[dict[str, Any]]:
        """Return the histories of the messages in a queue."""
        return [trail_of(message) for message in queue.messages]


def trail_of(message: QueuedMessage) -> dict[str, Any]:
    """Return a message's history as it travels: the attribute `backstop`."""
    trail: dict[str, Any] = json.loads(message.attributes["backstop"]["StringValue"])
    return trail
