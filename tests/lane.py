"""The process lane: the real app.py between in-memory queues, on one clock."""

from __future__ import annotations

import importlib.util
import io
import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from types import ModuleType
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
    WorkerDied,
    deliveries_until_quiet,
    run_until_quiet,
)
from tests.fakes.sqs import FakeSqs

PROCESS: Final = Path(__file__).parents[1] / "functions" / "process"
FUNCTION_TIMEOUT: Final = timedelta(seconds=30)


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
        forget_modules()
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


def forget_modules() -> None:
    """Let app.py and handler.py be imported anew."""
    for name in ("app", "handler"):
        sys.modules.pop(name, None)
