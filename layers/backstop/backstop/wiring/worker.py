"""What the wiring of every function that runs a queue's messages shares: how it runs one, and how it tells of it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backstop import drill
from backstop.aws import clients, metrics
from backstop.aws.idempotency import Idempotency
from backstop.aws.logs import PipelineLog
from backstop.circuit import install
from backstop.effects import Circumstances
from backstop.errors import Kinds
from backstop.event import Event, parser
from backstop.fingerprint import Surroundings
from backstop.message import Message
from backstop.process import Flow
from backstop.report import Report
from backstop.settings.workers import WorkerSettings
from backstop.wiring.clock import now
from backstop.wiring.guards import Guards
from backstop.wiring.vendored import vendored_in

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

Handle = Callable[[Any, Message], object]


class Worker:
    """Runs events by the team's own `handle`, once each. `prefix` is the name that its idempotency records go by."""

    def __init__(
        self, handle: Handle, schema: Path, kinds: Kinds | None, settings: Callable[[], WorkerSettings], prefix: str
    ) -> None:
        self._handle = handle
        self._parse = parser(json.loads(schema.read_text()))
        self._kinds = kinds or {}
        self._read_settings = settings
        self._prefix = prefix

    def begin(self, context: LambdaContext) -> None:
        """Let log lines name this invocation, in-progress records end with it, and circuits be this function's."""
        self._log.begin(context.aws_request_id)
        self._idempotency.begin(context)
        install(self._guards.circuits)
        self._guards.release.begin()

    def flow(self, context: LambdaContext) -> Flow:
        """Return what an invocation settles messages by."""
        return Flow(
            parse=self._parse,
            run=self._run,
            were_running=self._idempotency.were_running,
            remaining_millis=context.get_remaining_time_in_millis,
            now=now,
            dice=random.random,
            policy=self._settings.policy,
            kinds=self._kinds,
            queues=frozenset(self._settings.source_queue_urls),
            excuses=self._guards.excuses,
        )

    def telling(self) -> Telling:
        """Return what tells of an invocation's messages."""
        return Telling(self._log, self._settings.function)

    @cached_property
    def circumstances(self) -> Circumstances:
        """What reports and histories say besides the failure."""
        settings = self._settings
        surroundings = Surroundings(
            function=settings.function, stage=settings.stage, vendored=vendored_in(settings.own_root)
        )
        return Circumstances(settings.own_root, settings.release, settings.policy, now, surroundings)

    def _run(self, event: Event, message: Message) -> None:
        def once() -> None:
            if self._settings.allows_drills:
                drill.inject(message, now())
            self._handle(event, message)

        self._guards.run_begins()
        self._idempotency.run(
            message.event_id, once, was_received_before=message.was_received_before, lineage=message.lineage
        )

    @cached_property
    def _settings(self) -> WorkerSettings:
        return self._read_settings()

    @cached_property
    def _idempotency(self) -> Idempotency:
        settings = self._settings
        client = clients.client("dynamodb")
        return Idempotency(client, settings.idempotency_table, self._prefix, settings.idempotency_expiry)

    @cached_property
    def _guards(self) -> Guards:
        return Guards(self._settings, self._kinds, self.circumstances.surroundings, self._log)

    @cached_property
    def _log(self) -> PipelineLog:
        settings = self._settings
        return PipelineLog(function=settings.function, stage=settings.stage, release=settings.release)


class Telling:
    """Tells of one batch's messages: the log for reports, their counts at the end."""

    def __init__(self, log: PipelineLog, function: str) -> None:
        self.log = log
        self.function = function
        self._reports: list[Report] = []

    def report(self, report: Report) -> None:
        """Write one pipeline event."""
        self.log.write(report)
        self._reports.append(report)

    def count(self) -> None:
        """Publish how much was reported since the last count."""
        metrics.publish(self._reports, self.function)
        self._reports = []
