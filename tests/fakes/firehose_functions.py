"""Functions for a fake stream to invoke, a stream to invoke them, and what they were given."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

from tests.fakes.clock import VirtualClock
from tests.fakes.firehose import FakeFirehose
from tests.fakes.source import Handler

Record = dict[str, Any]


def passed(record: Record, **but: object) -> Record:
    """Answer that a record is fine as it is, but for what is said."""
    return {"recordId": record["recordId"], "result": "Ok", "data": record["data"]} | but


def each(answer: Callable[[Record], Record]) -> Handler:
    """Make a function that answers for each record by itself."""
    return lambda event, context: {"records": [answer(record) for record in event["records"]]}


def raising(error: BaseException) -> Handler:
    """Make a function that fails."""

    def fail(event: Any, context: Any) -> None:
        raise error

    return fail


def one_after_the_other(*handlers: Handler) -> Handler:
    """Make a function that is another one each time."""
    left: Iterator[Handler] = iter(handlers)
    return lambda event, context: next(left)(event, context)


def stream_of(handler: Handler = each(passed), **options: Any) -> FakeFirehose:  # noqa: B008  # it keeps nothing
    """Set up the stream `clicks`, on a clock of its own."""
    return FakeFirehose("clicks", handler, VirtualClock(), **options)


def put(stream: FakeFirehose, *data: bytes) -> dict[str, Any]:
    """Put records on the stream `clicks`."""
    return stream.put_record_batch(DeliveryStreamName="clicks", Records=[{"Data": one} for one in data])


def original(record: Record) -> bytes:
    """Return the data of a record that a function was given."""
    return base64.b64decode(record["data"])


def handed_over(stream: FakeFirehose) -> list[list[bytes]]:
    """Return the data that each invocation was given."""
    return [[original(record) for record in invocation.event["records"]] for invocation in stream.invocations]
