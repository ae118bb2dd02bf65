"""Entries in, those that SQS took and those that it did not out: ten a call, several calls at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from backstop.aws.sqs import MAX_ENTRIES
from backstop.batches import pack
from backstop.message import MAX_BYTES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

CALLS_AT_ONCE: Final = 8


class Entry(NamedTuple):
    """A message to send. `number` is what it goes by here: a line, an event."""

    number: int
    body: str
    attributes: Mapping[str, Any]
    size: int
    system: Mapping[str, Any] = MappingProxyType({})
    """What SQS itself is told of it, besides body and attributes."""

    @classmethod
    def of(cls, number: int, body: str, attributes: dict[str, str] | None = None) -> Entry:
        """Make an entry with attributes of type String."""
        strings = attributes or {}
        size = len(body.encode()) + sum(
            len(name) + len("String") + len(value.encode()) for name, value in strings.items()
        )
        typed = {name: {"DataType": "String", "StringValue": value} for name, value in strings.items()}
        return cls(number, body, typed, size)


class Sent(NamedTuple):
    """What became of a call: the numbers that were taken, and why the others were not."""

    taken: list[int]
    refused: dict[int, str]
    is_broken: bool
    """Whether the call itself failed, so that its messages may or may not have arrived."""


def send(client: SQSClient, queue_url: str, entries: Iterable[Entry]) -> Iterator[Sent]:
    """Send entries and yield what became of each call, as calls end. Takes entries only as fast as they are sent."""
    batches = pack(entries, MAX_ENTRIES, MAX_BYTES)
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        running: set[Future[Sent]] = set()
        for batch in batches:
            running.add(pool.submit(send_batch, client, queue_url, batch))
            if len(running) >= 2 * CALLS_AT_ONCE:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (call.result() for call in ended)
        yield from (call.result() for call in running)


def send_batch(client: SQSClient, queue_url: str, batch: Sequence[Entry]) -> Sent:
    """Send what fits one call. Botocore tries a broken connection again by itself, a few times."""
    request: list[Any] = [
        {"Id": str(entry.number), "MessageBody": entry.body, "MessageAttributes": entry.attributes, **entry.system}
        for entry in batch
    ]
    try:
        answer = client.send_message_batch(QueueUrl=queue_url, Entries=request)
    except (ClientError, BotoCoreError) as error:
        return Sent([], {entry.number: str(error) for entry in batch}, is_broken=True)
    taken = [int(entry["Id"]) for entry in answer.get("Successful", ())]
    refused = {int(entry["Id"]): entry.get("Message", entry["Code"]) for entry in answer.get("Failed", ())}
    unanswered = {entry.number for entry in batch} - {*taken, *refused}
    return Sent(taken, refused | dict.fromkeys(unanswered, "SQS gave no answer for it"), is_broken=False)


def chunks(items: Iterable[Any], length: int) -> Iterator[list[Any]]:
    """Split into lists of at most `length`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, length)):
        yield chunk
