"""The team's `handle` in, the Lambda handler of `process` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backstop import invocation
from backstop.aws import clients, sqs
from backstop.effects import Destination, process, response
from backstop.errors import Kinds
from backstop.message import Message, Outgoing, Record, Refused
from backstop.report import Report
from backstop.settings.workers import ProcessSettings
from backstop.wiring import LambdaHandler
from backstop.wiring.worker import Handle, Telling, Worker

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def process_function(handle: Handle, schema: Path, kinds: Kinds | None = None) -> LambdaHandler:
    """Make the Lambda handler of an SQS-triggered function from the team's own `handle` and schema.

    `kinds` says which kind the team's own error types are, where the built-in classification does not know.
    """
    return _Process(handle, schema, kinds).handler


class _Process:
    def __init__(self, handle: Handle, schema: Path, kinds: Kinds | None) -> None:
        self._worker = Worker(handle, schema, kinds, lambda: self._settings.worker, "process")

    def handler(self, event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
        effects = _Effects(self._settings, self._worker.telling())
        self._worker.begin(context)
        with invocation.running(context.get_remaining_time_in_millis):
            staying = process(event["Records"], self._worker.flow(context), effects, self._worker.circumstances)
        return response(staying)

    @cached_property
    def _settings(self) -> ProcessSettings:
        return ProcessSettings.from_environment()


class _Effects:
    """Acts on one batch's verdicts: SQS for messages, the log for reports."""

    def __init__(self, settings: ProcessSettings, telling: Telling) -> None:
        self._sources = settings.worker.source_queue_urls
        self._urls = {
            Destination.RETRY: settings.retry_queue_url,
            Destination.DEAD: settings.worker.dead_letter_queue_url,
        }
        self._telling = telling

    def send(self, destination: Destination, messages: Sequence[Outgoing]) -> Sequence[Refused]:
        return sqs.send(clients.client("sqs"), self._urls[destination], messages)

    def give_back(self, records: Sequence[Record]) -> None:
        sqs.give_back(clients.client("sqs"), self._sources, records)

    def let_go(self, records: Sequence[Record]) -> None:
        sqs.let_go(clients.client("sqs"), self._sources, records)

    def report(self, report: Report) -> None:
        self._telling.report(report)

    def left_to_sqs(self, message: Message, why: str) -> None:
        self._telling.log.left_to_sqs(message, why)

    def count(self) -> None:
        self._telling.count()
