"""A stream's Lambda processor: batches of records in, invocations and what becomes of each record out."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from tests.fakes.clock import VirtualClock
from tests.fakes.firehose_answers import (
    FUNCTION_ERROR,
    MAX_PAYLOAD_BYTES,
    Failure,
    InvocationFailed,
    Outcome,
    read_answer,
)
from tests.fakes.source import A_MOMENT, FakeContext, Handler, WorkerDied


@dataclass(frozen=True, slots=True)
class BufferedRecord:
    """A record as a stream keeps it. The function knows it by `record_id`, and nobody else does."""

    record_id: str
    data: bytes
    arrived_at: datetime

    def handed_over(self) -> dict[str, Any]:
        """Return the record as the function is given it."""
        return {
            "recordId": self.record_id,
            "approximateArrivalTimestamp": millis(self.arrived_at),
            "data": base64.b64encode(self.data).decode(),
        }


@dataclass(frozen=True, slots=True)
class Invocation:
    """One try to transform a batch. `error` is what the function raised, or why its answer was of no use."""

    event: Mapping[str, Any]
    answer: object = None
    error: BaseException | None = None


class Transformed(NamedTuple):
    """A batch that Firehose is done with: what becomes of each record, and how many invocations that took."""

    records: Sequence[BufferedRecord]
    outcomes: Sequence[Outcome]
    attempts: int

    @property
    def delivered(self) -> list[tuple[BufferedRecord, bytes]]:
        """The records that were transformed, and into what."""
        pairs = zip(self.records, self.outcomes, strict=True)
        return [(record, outcome) for record, outcome in pairs if isinstance(outcome, bytes)]

    @property
    def failed(self) -> list[tuple[BufferedRecord, Failure]]:
        """The records that failed, and why."""
        pairs = zip(self.records, self.outcomes, strict=True)
        return [(record, outcome) for record, outcome in pairs if isinstance(outcome, Failure)]


class Processor:
    """A function that transforms a stream's records, and what Firehose does when it fails.

    Amazon Data Firehose Developer Guide, "Handle failure in data transformation": a failed invocation is tried again,
    three times if nothing else was said; then all records of the batch have failed. That the next try follows at once
    is not documented.
    """

    def __init__(
        self,
        stream_arn: str,
        handler: Handler,
        clock: VirtualClock,
        *,
        retries: int,
        timeout: timedelta,
        function_name: str,
    ) -> None:
        self.invocations: list[Invocation] = []
        self._stream_arn = stream_arn
        self._handler = handler
        self._clock = clock
        self._attempts = 1 + retries
        self._timeout = timeout
        self._function_name = function_name
        self._random = Random(stream_arn)

    @property
    def function_arn(self) -> str:
        """The name by which AWS's services know the function."""
        return self._context().invoked_function_arn

    def process(self, records: Sequence[BufferedRecord]) -> Iterator[Transformed]:
        """Transform a batch: in one invocation, or in several, one after the other, where it fills more than one."""
        for batch in _fitting(records, self._event([])):
            yield self._transform(batch)

    def _transform(self, records: Sequence[BufferedRecord]) -> Transformed:
        failure = FUNCTION_ERROR
        for attempt in range(1, self._attempts + 1):
            try:
                return Transformed(records, self._invoke(records), attempt)
            except InvocationFailed as error:
                failure = error.failure
        return Transformed(records, [failure] * len(records), self._attempts)

    def _invoke(self, records: Sequence[BufferedRecord]) -> list[Outcome]:
        self._clock.advance(A_MOMENT)
        event = self._event(records)
        answer: object = None
        try:
            answer = self._call(event)
            outcomes = read_answer(answer, [record.record_id for record in records])
        except (Exception, WorkerDied) as error:
            self.invocations.append(Invocation(event, answer, error))
            if isinstance(error, InvocationFailed):
                raise
            raise InvocationFailed(FUNCTION_ERROR, "the function failed") from error
        self.invocations.append(Invocation(event, answer))
        return outcomes

    def _call(self, event: Mapping[str, Any]) -> object:
        """Run the function; Lambda kills it at its timeout, so what it returns later is lost, unlike what it did."""
        deadline = self._clock.now() + self._timeout
        answer = self._handler(json.loads(json.dumps(event)), self._context())
        if self._clock.now() > deadline:
            raise WorkerDied(f"Task timed out after {self._timeout.total_seconds():.2f} seconds")
        return answer

    def _context(self) -> FakeContext:
        return FakeContext(self._clock, self._function_name, self._timeout)

    def _event(self, records: Sequence[BufferedRecord]) -> dict[str, Any]:
        """Return a batch as Lambda hands it over: each try has an id of its own, its records keep theirs."""
        return {
            "invocationId": str(uuid.UUID(int=self._random.getrandbits(128), version=4)),
            "deliveryStreamArn": self._stream_arn,
            "region": "eu-west-1",
            "records": [record.handed_over() for record in records],
        }


def millis(moment: datetime) -> int:
    """Return a moment as Firehose writes it: milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


def _fitting(records: Sequence[BufferedRecord], frame: Mapping[str, Any]) -> Iterator[list[BufferedRecord]]:
    """Split a batch into what invocations carry."""
    batch: list[BufferedRecord] = []
    size = empty = _size(frame)
    for record in records:
        taken = _size(record.handed_over()) + len(",")
        if batch and size + taken > MAX_PAYLOAD_BYTES:
            yield batch
            batch, size = [], empty
        batch.append(record)
        size += taken
    if batch:
        yield batch


def _size(value: Mapping[str, Any]) -> int:
    return len(json.dumps(value, separators=(",", ":")))
