"""The team's `handle` in, the Lambda handler of `process_ordered` out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backstop import invocation
from backstop.aws import clients, metrics, sqs
from backstop.aws.parked import ParkedTable
from backstop.drain import drain, sweep
from backstop.effects import response
from backstop.errors import Kinds, StoreUnavailable, SystemFault
from backstop.ingest import ingest
from backstop.message import Message, Outgoing, Record, queue_name, read
from backstop.report import Report
from backstop.sequence import Lane, wanted
from backstop.settings.workers import OrderedSettings
from backstop.wiring import LambdaHandler, ordered
from backstop.wiring.clock import now
from backstop.wiring.worker import Handle, Telling, Worker

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def process_ordered_function(handle: Handle, schema: Path, kinds: Kinds | None = None) -> LambdaHandler:
    """Make the Lambda handler of the ordered lane from the team's own `handle` and schema.

    `kinds` says which kind the team's own error types are, where the built-in classification does not know.
    """
    return _ProcessOrdered(handle, schema, kinds).handler


class _ProcessOrdered:
    def __init__(self, handle: Handle, schema: Path, kinds: Kinds | None) -> None:
        self._worker = Worker(handle, schema, kinds, lambda: self._settings.worker, "process_ordered")

    def handler(self, event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
        lane = self._lane(context)
        self._worker.begin(context)
        records = event["Records"]
        with invocation.running(context.get_remaining_time_in_millis):
            queue = queue_name(records[0])
            if queue in self._settings.worker.source_queue_urls:
                return response(ingest(records, lane))
            if queue in self._settings.queue_urls:
                return response([record["messageId"] for record in records if not _acted_on(record, lane)])
        raise SystemFault(f"{queue or 'the event'} is no queue of this function's: see its events in template.yaml")

    def _lane(self, context: LambdaContext) -> Lane:
        settings = self._settings
        return Lane(
            flow=self._worker.flow(context),
            parking=self._parking,
            effects=_Effects(settings, self._worker.telling()),
            circumstances=self._worker.circumstances,
            limits=settings.limits,
            on_dead_head=settings.on_dead_head,
            new_generation=ordered.new_generation,
        )

    @cached_property
    def _settings(self) -> OrderedSettings:
        return OrderedSettings.from_environment()

    @cached_property
    def _parking(self) -> ParkedTable:
        settings = self._settings
        return ordered.parked_table(settings.parked_table, settings.parked_bucket, settings.limits.events_a_key)


def _acted_on(record: Record, lane: Lane) -> bool:
    """Do what a message of the drain queue asks for; returns whether that is over with."""
    message = read(record, "", frozenset(), now())
    try:
        key = wanted(record["body"])
    except ValueError:
        lane.effects.left_to_sqs(message, "it neither names a key to wake nor asks for a sweep: dropped")
        return True
    try:
        sweep(lane) if key is None else drain(key, record, lane)
    except StoreUnavailable as error:
        lane.effects.left_to_sqs(message, str(error))
        return False
    return True


class _Effects:
    """Acts for the ordered lane: SQS for messages, the log for reports."""

    def __init__(self, settings: OrderedSettings, telling: Telling) -> None:
        self._settings = settings
        self._telling = telling

    def bury(self, letter: Outgoing) -> str:
        refused = sqs.send(clients.client("sqs"), self._settings.worker.dead_letter_queue_url, [letter])
        return refused[0].why if refused else ""

    def wake(self, keys: Sequence[str], delay_seconds: int) -> None:
        ordered.wake(keys, delay_seconds, self._settings.drain_queue_url, self._telling.log)

    def keep(self, records: Sequence[Record], seconds: int) -> Collection[str]:
        return sqs.keep(clients.client("sqs"), self._settings.queue_urls, records, seconds)

    def give_back(self, records: Sequence[Record]) -> None:
        sqs.give_back(clients.client("sqs"), self._settings.worker.source_queue_urls, records)

    def let_go(self, records: Sequence[Record]) -> None:
        sqs.let_go(clients.client("sqs"), self._settings.worker.source_queue_urls, records)

    def report(self, report: Report) -> None:
        self._telling.report(report)

    def left_to_sqs(self, message: Message, why: str) -> None:
        self._telling.log.left_to_sqs(message, why)

    def not_buried(self, message: Message, why: str) -> None:
        self._telling.log.not_buried(message, why)

    def measure(self, **values: float) -> None:
        metrics.measure(values, self._telling.function)

    def count(self) -> None:
        self._telling.count()
