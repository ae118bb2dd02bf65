"""The team's `handle` in, the Lambda handler of an SQS-triggered function out."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backstop import drill, invocation
from backstop.aws import clients, metrics, sqs
from backstop.aws.idempotency import Idempotency
from backstop.aws.logs import PipelineLog
from backstop.effects import Circumstances, Destination, process, response
from backstop.errors import Kinds
from backstop.event import Event, Parse, parser
from backstop.message import Message, Outgoing, Record, Refused
from backstop.process import Flow
from backstop.report import Report
from backstop.settings import ProcessSettings
from backstop.wiring import LambdaHandler

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

Handle = Callable[[Any, Message], object]


def process_function(handle: Handle, schema: Path, kinds: Kinds | None = None) -> LambdaHandler:
    """Make the Lambda handler of an SQS-triggered function from the team's own `handle` and schema.

    `kinds` says which kind the team's own error types are, where the built-in classification does not know.
    """
    return _Process(handle, parser(json.loads(schema.read_text())), kinds or {}).handler


class _Process:
    def __init__(self, handle: Handle, parse: Parse, kinds: Kinds) -> None:
        self._handle = handle
        self._parse = parse
        self._kinds = kinds

    def handler(self, event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
        effects = _Effects(self._settings, self._log)
        self._log.begin(context.aws_request_id)
        self._idempotency.begin(context)
        with invocation.running(context.get_remaining_time_in_millis):
            staying = process(event["Records"], self._flow(context), effects, self._circumstances)
        return response(staying)

    def _flow(self, context: LambdaContext) -> Flow:
        return Flow(
            parse=self._parse,
            run=self._run,
            were_running=self._idempotency.were_running,
            remaining_millis=context.get_remaining_time_in_millis,
            now=_now,
            dice=random.random,
            policy=self._settings.policy,
            kinds=self._kinds,
            queues=frozenset(self._settings.source_queue_urls),
        )

    def _run(self, event: Event, message: Message) -> None:
        def once() -> None:
            if self._settings.allows_drills:
                drill.inject(message, _now())
            self._handle(event, message)

        self._idempotency.run(
            message.event_id, once, was_received_before=message.was_received_before, lineage=message.lineage
        )

    @cached_property
    def _settings(self) -> ProcessSettings:
        return ProcessSettings.from_environment()

    @cached_property
    def _idempotency(self) -> Idempotency:
        settings = self._settings
        client = clients.client("dynamodb")
        return Idempotency(client, settings.idempotency_table, "process", settings.idempotency_expiry)

    @cached_property
    def _log(self) -> PipelineLog:
        settings = self._settings
        return PipelineLog(function=settings.function, stage=settings.stage, release=settings.release)

    @cached_property
    def _circumstances(self) -> Circumstances:
        settings = self._settings
        return Circumstances(settings.own_root, settings.release, settings.policy, _now)


class _Effects:
    """Acts on one batch's verdicts: SQS for messages, the log for reports, their counts at the end."""

    def __init__(self, settings: ProcessSettings, log: PipelineLog) -> None:
        self._settings = settings
        self._log = log
        self._reports: list[Report] = []

    def send(self, destination: Destination, messages: Sequence[Outgoing]) -> Sequence[Refused]:
        urls = {
            Destination.RETRY: self._settings.retry_queue_url,
            Destination.DEAD: self._settings.dead_letter_queue_url,
        }
        return sqs.send(clients.client("sqs"), urls[destination], messages)

    def give_back(self, records: Sequence[Record]) -> None:
        sqs.give_back(clients.client("sqs"), self._settings.source_queue_urls, records)

    def let_go(self, records: Sequence[Record]) -> None:
        sqs.let_go(clients.client("sqs"), self._settings.source_queue_urls, records)

    def report(self, report: Report) -> None:
        self._log.write(report)
        self._reports.append(report)

    def left_to_sqs(self, message: Message, why: str) -> None:
        self._log.left_to_sqs(message, why)

    def count(self) -> None:
        metrics.publish(self._reports, self._settings.function)
        self._reports = []


def _now() -> datetime:
    return datetime.now(UTC)
