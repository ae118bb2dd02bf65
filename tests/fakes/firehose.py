"""A Data Firehose stream in memory: records in, batches to a function, and what became of each record in a bucket."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any, Final

from botocore.model import Shape
from botocore.session import Session
from botocore.validate import validate_parameters

from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults, error_of
from tests.fakes.firehose_answers import Failure
from tests.fakes.firehose_objects import Destination
from tests.fakes.firehose_processor import BufferedRecord, Invocation, Processor, Transformed, millis
from tests.fakes.source import Handler
from tests.fakes.sqs_messages import refusal

MAX_RECORDS: Final = 500
MAX_CALL_BYTES: Final = 4 * 1024 * 1024
MAX_RECORD_BYTES: Final = 1_024_000
"""What a PutRecordBatch call takes, in bytes before base64 (Amazon Data Firehose API Reference, "PutRecordBatch")."""

Answer = dict[str, Any]

_PUT: Final = "PutRecordBatch"
_FIRST_ID: Final = 49546986683135544286507457936321625675700192471156785154


class FakeFirehose:
    """A Direct PUT stream, its Lambda processor and its bucket, behind the method name of a boto3 client.

    `refuses` says which records of a call the stream does not take; `faults` says which calls fail as a whole.

    Amazon Data Firehose Developer Guide, "Transform source data in Amazon Data Firehose": a batch goes to the function
    when `buffer_bytes` or `buffer_seconds` are reached, whichever is first. That these count data before base64 and
    from the oldest record on is not documented. Records keep their order here; AWS promises none.
    """

    def __init__(
        self,
        name: str,
        handler: Handler,
        clock: VirtualClock,
        faults: Faults | None = None,
        *,
        buffer_bytes: int = 1024 * 1024,
        buffer_seconds: int = 60,
        retries: int = 3,
        prefix: str = "",
        error_prefix: str = "",
        compresses: bool = False,
        timeout: timedelta = timedelta(seconds=60),
        function_name: str = "transform",
    ) -> None:
        self.name = name
        self.clock = clock
        self.faults = faults or Faults()
        self.refuses: Callable[[bytes], bool] = lambda data: False
        self.buffered: list[BufferedRecord] = []
        self._buffer_bytes = buffer_bytes
        self._buffer_time = timedelta(seconds=buffer_seconds)
        self._processor = Processor(
            self.arn, handler, clock, retries=retries, timeout=timeout, function_name=function_name
        )
        self._destination = Destination(name, prefix, error_prefix, compresses=compresses)
        self._random = Random(name)
        self._taken = 0

    @property
    def arn(self) -> str:
        """The name by which AWS's services know the stream."""
        return f"arn:aws:firehose:eu-west-1:123456789012:deliverystream/{self.name}"

    @property
    def invocations(self) -> list[Invocation]:
        """Each try to transform a batch, in their order."""
        return self._processor.invocations

    @property
    def objects(self) -> dict[str, bytes]:
        """The bucket: bodies by keys, in the order in which they were written."""
        return self._destination.objects

    def delivered(self) -> bytes:
        """Return all data that was delivered, inflated, in its order."""
        return self._destination.delivered()

    def errors(self) -> list[dict[str, Any]]:
        """Return all error documents, in their order."""
        return self._destination.errors()

    def put_record_batch(self, **request: Any) -> Answer:
        """Take 1 to 500 records of 4 MiB in all, but for those that a test lets the stream refuse.

        Amazon Data Firehose API Reference, "PutRecordBatch"; what is wrong with a request's shape is a
        ValidationException ("Common Error Types", and seen on AWS), that it is too large an InvalidArgumentException.
        """
        validate_parameters(request, _shape_of_put())  # as boto3 does before it calls: an empty list never gets out
        fault = self.faults.next(_PUT, request)
        if fault is not None and not fault.takes_effect:
            raise error_of(fault, "firehose", _PUT)
        answer = self._put(request["DeliveryStreamName"], [_bytes_of(record) for record in request["Records"]])
        if fault is not None:
            raise error_of(fault, "firehose", _PUT)
        return answer

    def next_due(self) -> datetime | None:
        """Return when the next batch goes to the function, or None where nothing is buffered."""
        if not self.buffered:
            return None
        if sum(len(record.data) for record in self.buffered) >= self._buffer_bytes:
            return self.clock.now()
        return self.buffered[0].arrived_at + self._buffer_time

    def poll(self) -> list[Invocation]:
        """Hand the batch that is due to the function, if there is one, and deliver what comes of it."""
        before = len(self.invocations)
        due = self.next_due()
        if due is not None and due <= self.clock.now():
            for transformed in self._processor.process(self._take_batch()):
                self._deliver(transformed)
        return self.invocations[before:]

    def run_until_quiet(self, most_rounds: int = 1_000) -> None:
        """Let time pass and poll until nothing is buffered, what the function itself put on the stream included."""
        for _ in range(most_rounds):
            due = self.next_due()
            if due is None:
                return
            self.clock.advance_to(due)
            self.poll()
        if self.buffered:
            raise AssertionError(f"{len(self.buffered)} records are still buffered after {most_rounds} rounds")

    def _put(self, stream: str, data: Sequence[bytes]) -> Answer:
        _check(data)
        if stream != self.name:
            raise refusal("ResourceNotFoundException", f"Firehose {stream} not found under account 123456789012.", _PUT)
        responses = [self._put_one(one) for one in data]
        return {
            "FailedPutCount": sum("ErrorCode" in response for response in responses),
            "Encrypted": False,
            "RequestResponses": responses,
        }

    def _put_one(self, data: bytes) -> Answer:
        if self.refuses(data):
            return {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
        self.buffered.append(BufferedRecord(str(_FIRST_ID + self._taken), data, self.clock.now()))
        self._taken += 1
        return {"RecordId": base64.b64encode(self._random.randbytes(160)).decode()}

    def _take_batch(self) -> list[BufferedRecord]:
        """Take records until the size is reached; it is a hint, and the last one may exceed it (not documented)."""
        taken = size = 0
        while taken < len(self.buffered) and size < self._buffer_bytes:
            size += len(self.buffered[taken].data)
            taken += 1
        batch, self.buffered = self.buffered[:taken], self.buffered[taken:]
        return batch

    def _deliver(self, transformed: Transformed) -> None:
        if delivered := transformed.delivered:
            oldest = min(record.arrived_at for record, _ in delivered)
            self._destination.deliver([data for _, data in delivered], oldest)
        if failed := transformed.failed:
            oldest = min(record.arrived_at for record, _ in failed)
            documents = [self._error_document(record, failure, transformed.attempts) for record, failure in failed]
            self._destination.deliver_errors(documents, oldest)

    def _error_document(self, record: BufferedRecord, failure: Failure, attempts: int) -> dict[str, Any]:
        """Return what is written of a record that failed: the record as it was put.

        Amazon Data Firehose Developer Guide, "Handle failure in data transformation". That counts and times are numbers
        is not documented, but seen on AWS; so is `lambdaARN` for what is documented as `lambdaArn`.
        """
        return {
            "attemptsMade": attempts,
            "arrivalTimestamp": millis(record.arrived_at),
            "errorCode": failure.code,
            "errorMessage": failure.message,
            "attemptEndingTimestamp": self.clock.epoch_millis(),
            "rawData": base64.b64encode(record.data).decode(),
            "lambdaArn": self._processor.function_arn,
        }


@cache
def _shape_of_put() -> Shape:
    shape = Session().get_service_model("firehose").operation_model(_PUT).input_shape
    assert shape is not None
    return shape


def _check(data: Sequence[bytes]) -> None:
    wrong = [
        f"Value at 'records.{number}.member.data' failed to satisfy constraint: "
        f"Member must have length less than or equal to {MAX_RECORD_BYTES}"
        for number, one in enumerate(data, start=1)
        if len(one) > MAX_RECORD_BYTES
    ]
    if len(data) > MAX_RECORDS:
        too_many = f"Member must have length less than or equal to {MAX_RECORDS}"
        wrong.insert(0, f"Value at 'records' failed to satisfy constraint: {too_many}")
    if wrong:
        message = f"{len(wrong)} validation error{'s' * (len(wrong) > 1)} detected: {'; '.join(wrong)}"
        raise refusal("ValidationException", message, _PUT)
    if sum(len(one) for one in data) > MAX_CALL_BYTES:
        raise refusal("InvalidArgumentException", "Records size exceeds 4 MB limit", _PUT)


def _bytes_of(record: Mapping[str, Any]) -> bytes:
    data = record["Data"]
    return data.encode() if isinstance(data, str) else bytes(data)
