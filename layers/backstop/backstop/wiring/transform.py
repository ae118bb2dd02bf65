"""The team's `transform` in, the Lambda handler of a stream's processor out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backstop import invocation
from backstop.aws import clients, firehose, metrics
from backstop.aws.logs import PipelineLog
from backstop.errors import Kinds
from backstop.fingerprint import Surroundings
from backstop.report import Report
from backstop.settings.workers import TransformSettings
from backstop.stream import Read, reader
from backstop.transform import Flow, Transform, answer
from backstop.wiring import LambdaHandler
from backstop.wiring.vendored import vendored_in

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def transform_function(transform: Transform, schema: Path, kinds: Kinds | None = None) -> LambdaHandler:
    """Make the Lambda handler of a stream's processor from the team's own `transform` and schema.

    `kinds` says which kind the team's own error types are, where the built-in classification does not know.
    """
    return _Transform(transform, reader(json.loads(schema.read_text())), kinds or {}).handler


class _Transform:
    def __init__(self, transform: Transform, read: Read, kinds: Kinds) -> None:
        self._transform = transform
        self._read = read
        self._kinds = kinds

    def handler(self, event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
        settings = self._settings
        self._log.begin(context.aws_request_id)
        remaining = context.get_remaining_time_in_millis
        flow = Flow(
            self._read,
            self._transform,
            remaining,
            self._kinds,
            settings.stream,
            settings.own_root,
            Surroundings(function=settings.function, stage=settings.stage, vendored=vendored_in(settings.own_root)),
        )
        with invocation.running(remaining):
            answers = answer(event["records"], flow, _Effects(settings, self._log))
        return {"records": answers}

    @cached_property
    def _settings(self) -> TransformSettings:
        return TransformSettings.from_environment()

    @cached_property
    def _log(self) -> PipelineLog:
        settings = self._settings
        return PipelineLog(function=settings.function, stage=settings.stage, release=settings.release)


class _Effects:
    """Acts on one batch: the stream for what goes back, the log for reports, their counts at the end."""

    def __init__(self, settings: TransformSettings, log: PipelineLog) -> None:
        self._settings = settings
        self._log = log
        self._reports: list[Report] = []

    def put_back(self, data: Sequence[bytes]) -> Sequence[str]:
        return firehose.put(clients.client("firehose"), self._settings.stream, data)

    def report(self, report: Report) -> None:
        self._log.write(report)
        self._reports.append(report)

    def count(self, put_back: int) -> None:
        if put_back:
            self._log.put_back(self._settings.stream, put_back)
        metrics.publish(self._reports, self._settings.function, put_back)
        self._reports = []
