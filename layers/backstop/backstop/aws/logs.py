"""Pipeline events in, JSON lines in the function's log out."""

from __future__ import annotations

from typing import Final

from aws_lambda_powertools import Logger

from backstop.circuits.report import CircuitReport
from backstop.circuits.state import CircuitState
from backstop.errors import StoreUnavailable
from backstop.letter import Letter
from backstop.message import Message
from backstop.redact import redact
from backstop.report import Report

_LEVELS: Final = {
    "Done": "INFO", "Retry": "WARNING", "Park": "WARNING", "Dead": "ERROR", "ProcessingFailed": "ERROR",
    "Redriven": "INFO",
}  # fmt: skip


class PipelineLog:
    """Writes what befell messages. `circumstances` (function, stage, release) stand in each line."""

    def __init__(self, **circumstances: str) -> None:
        self._logger = Logger(service="backstop", level="INFO")
        self._logger.append_keys(**circumstances)

    def begin(self, request_id: str) -> None:
        """Let each line name this invocation."""
        self._logger.append_keys(request_id=request_id)

    def write(self, report: Report) -> None:
        """Write one pipeline event."""
        level = getattr(self._logger, _LEVELS[report.verdict].lower())
        level(f"{report.pipeline_event}: {report.verdict}", extra=report.fields())

    def write_circuit(self, report: CircuitReport) -> None:
        """Write the pipeline event of a circuit, or of a release."""
        level = self._logger.error if report.after == CircuitState.OPEN else self._logger.info
        level(f"{report.pipeline_event}: {report.circuit} is {report.after}", extra=report.fields())

    def not_counted(self, error: StoreUnavailable) -> None:
        """Say that the table of circuits does not answer, so that all calls go through."""
        self._logger.warning("circuits are not known", extra={"why": redact(str(error))})

    def left_to_sqs(self, message: Message, why: str) -> None:
        """Say that a message stays with SQS, which will deliver it again."""
        self._logger.error(
            "left to SQS", extra={"message_id": message.message_id, "queue": message.queue, "why": redact(why)}
        )

    def not_buried(self, message: Message, why: str) -> None:
        """Say that the dead letters did not take a message, which waits in its place."""
        event = {"event_id": redact(message.event_id), "key": redact(message.key), "why": redact(why)}
        self._logger.error("not sent to the dead letters", extra=event)

    def not_woken(self, keys: int, why: str) -> None:
        """Say that keys could not be woken: the sweep will."""
        self._logger.warning("not woken", extra={"keys": keys, "why": redact(why)})

    def not_redriven(self, letter: Letter, redrive_id: str, why: str) -> None:
        """Say that a dead letter stays where it lies."""
        event = {"event_id": redact(letter.name), "redrive_id": redrive_id, "why": redact(why)}
        self._logger.warning("not redriven", extra=event)

    def put_back(self, stream: str, count: int) -> None:
        """Say that records went back to their stream: an answer was full, or time was short."""
        self._logger.warning("put back on the stream", extra={"stream": stream, "records": count})
