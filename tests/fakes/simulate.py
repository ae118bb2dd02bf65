"""One stream with poison in it through three consumers on the same fake: what each poison costs its neighbours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from backstop import PermanentError
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.handler import Act, ScriptedHandler
from tests.fakes.queue import FakeQueue
from tests.fakes.source import LambdaSqsSource, WorkerDied, run_until_quiet
from tests.lane import FUNCTION_TIMEOUT
from tests.support import make_queues, process_lane


@dataclass(frozen=True)
class Outcome:
    """What became of a stream. Deliveries count each time that a message reached the function."""

    consumer: str
    events: int
    deliveries: int
    good_events_dead: int
    poison_dead: int
    runs_of_done_events: int
    """How often an event was run again although it had been done: its effect happens again."""

    @property
    def deliveries_an_event(self) -> float:
        """Return the price of the stream: 1 where nothing fails."""
        return self.deliveries / self.events


@dataclass(frozen=True)
class _Stream:
    """Events of which a part is poison, and a handler that fails on each of those."""

    events: Sequence[Mapping[str, Any]]
    poison: frozenset[str]
    handler: ScriptedHandler

    def outcome(self, consumer: str, sources: Sequence[LambdaSqsSource], dead_letters: FakeQueue) -> Outcome:
        dead = {json.loads(letter.body)["id"] for letter in dead_letters.messages}
        finished = self.handler.finished
        return Outcome(
            consumer=consumer,
            events=len(self.events),
            deliveries=sum(len(delivery.ids) for source in sources for delivery in source.deliveries),
            good_events_dead=len(dead - self.poison),
            poison_dead=len(dead & self.poison),
            runs_of_done_events=sum(finished.values()) - len(finished),
        )


def compare(
    events: int = 1000, poison: float = 0.01, seed: int = 0, *, poison_kills_workers: bool = False
) -> list[Outcome]:
    """Send the same stream through a naive function, a bare partial batch and Backstop, and say what came of it.

    `poison` is the share of events that fail for good: each by an error, or by taking its worker down.
    """
    act = WorkerDied("out of memory") if poison_kills_workers else PermanentError("poison")
    naive, partial, backstop = (_stream(events, poison, seed, act) for _ in range(3))
    return [
        _bare("naive function", _raising, naive, seed, reports_failures=False),
        _bare("bare partial batch", _reporting, partial, seed, reports_failures=True),
        _backstop(backstop, seed),
    ]


def _stream(events: int, poison: float, seed: int, act: Act) -> _Stream:
    handler = ScriptedHandler()
    ids = [f"order-{number}" for number in range(events)]
    poisonous = frozenset(Random(seed).sample(ids, round(events * poison)))
    for event_id in poisonous:
        handler.will(event_id, act)
    order = {"customer": "c", "currency": "EUR", "placed_at": "2026-01-05T09:00:00Z"}
    items = [{"sku": "tea", "quantity": 1}]
    return _Stream([{"id": event_id, **order, "items": items} for event_id in ids], poisonous, handler)


Run = Callable[[Mapping[str, Any]], None]


def _raising(records: Sequence[Mapping[str, Any]], run: Run) -> None:
    for record in records:
        run(record)


def _reporting(records: Sequence[Mapping[str, Any]], run: Run) -> dict[str, Any]:
    failures = []
    for record in records:
        try:
            run(record)
        except Exception:  # noqa: BLE001  # what a bare partial batch does with any failure
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def _bare(
    consumer: str,
    consume: Callable[[Sequence[Mapping[str, Any]], Run], object],
    stream: _Stream,
    seed: int,
    *,
    reports_failures: bool,
) -> Outcome:
    clock = VirtualClock()
    sqs = make_queues(clock, Faults(), seed=seed, is_shuffled=True)
    queue = sqs.queue("shop-events")

    def run(record: Mapping[str, Any]) -> None:
        stream.handler.run(json.loads(record["body"]))

    source = LambdaSqsSource(
        queue,
        lambda event, context: consume(event["Records"], run),
        clock,
        timeout=FUNCTION_TIMEOUT,
        reports_failures=reports_failures,
    )
    for event in stream.events:
        queue.put(json.dumps(event), {}, {})
    run_until_quiet([source], clock)
    return stream.outcome(consumer, [source], sqs.queue("shop-dead"))


def _backstop(stream: _Stream, seed: int) -> Outcome:
    with process_lane(stream.handler, seed=seed, is_shuffled=True) as lane:
        lane.send(*map(dict, stream.events))
        lane.run_until_quiet()
        return stream.outcome("Backstop", [lane.events_source, lane.retries_source], lane.dead_letters)
