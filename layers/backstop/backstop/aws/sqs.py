"""Messages in, those that SQS did not take out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from backstop.aws.answers import response_of
from backstop.batches import pack
from backstop.message import MAX_BYTES, Outgoing, Record, Refused, queue_name

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


MAX_ENTRIES: Final = 10
"""Entries that a batch call takes (SQS quotas)."""


def send(client: SQSClient, queue_url: str, messages: Sequence[Outgoing]) -> list[Refused]:
    """Send messages in as few batches as SQS's limits allow, and return those that it did not take.

    A call that fails, in whole or in doubt, has taken none of its messages: better twice than never.
    """
    return [
        refused for batch in pack(messages, MAX_ENTRIES, MAX_BYTES) for refused in _send_batch(client, queue_url, batch)
    ]


def _send_batch(client: SQSClient, queue_url: str, batch: Sequence[Outgoing]) -> list[Refused]:
    entries = [message.entry(str(number)) for number, message in enumerate(batch)]
    try:
        answer = client.send_message_batch(QueueUrl=queue_url, Entries=entries)  # type: ignore[arg-type]
    except (ClientError, BotoCoreError) as error:
        return [Refused(message, str(error), _is_refusal(error)) for message in batch]
    taken = {entry["Id"] for entry in answer.get("Successful", ())}
    why = {entry["Id"]: entry.get("Message", entry["Code"]) for entry in answer.get("Failed", ())}
    return [
        Refused(message, why.get(str(number), "no answer for it"), is_sure=str(number) in why)
        for number, message in enumerate(batch)
        if str(number) not in taken
    ]


def _is_refusal(error: ClientError | BotoCoreError) -> bool:
    """Whether SQS has said no: it may have done what it failed at, or gave no answer to."""
    return bool(response_of(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 500)


def send_bodies(client: SQSClient, queue_url: str, bodies: Sequence[str], delay_seconds: int) -> list[str]:
    """Send messages that carry nothing but a body; return why calls and entries failed."""
    whys: list[str] = []
    for start in range(0, len(bodies), MAX_ENTRIES):
        some = bodies[start : start + MAX_ENTRIES]
        entries: Any = [
            {"Id": str(number), "MessageBody": body, "DelaySeconds": delay_seconds} for number, body in enumerate(some)
        ]
        try:
            answer = client.send_message_batch(QueueUrl=queue_url, Entries=entries)
        except (ClientError, BotoCoreError) as error:
            whys.append(str(error))
        else:
            failed = answer.get("Failed", ())
            whys += [entry.get("Message", entry["Code"]) for entry in failed]
            whys += ["no answer for it"] * (len(some) - len(failed) - len(answer.get("Successful", ())))
    return whys


def give_back(client: SQSClient, queue_urls: Mapping[str, str], records: Sequence[Record]) -> None:
    """Make records visible again at once. Where that fails they come back when their visibility timeout ends.

    `queue_urls` are the addresses of the queues that they may have come from, by name.
    """
    for queue_url, entries in _handles(queue_urls, records):
        with suppress(ClientError, BotoCoreError):
            client.change_message_visibility_batch(
                QueueUrl=queue_url,
                Entries=[{"Id": number, "ReceiptHandle": handle, "VisibilityTimeout": 0} for number, handle in entries],
            )


def keep(client: SQSClient, queue_urls: Mapping[str, str], records: Sequence[Record], seconds: int) -> set[str]:
    """Let records be this worker's for so long from now on; return the ids of those that are not its own any more.

    Where the call fails as a whole nothing is known: they are its own for as long as the queue says.
    """
    lost: set[str] = set()
    ids = {record["receiptHandle"]: str(record["messageId"]) for record in records}
    for queue_url, entries in _handles(queue_urls, records):
        with suppress(ClientError, BotoCoreError):
            answer = client.change_message_visibility_batch(
                QueueUrl=queue_url,
                Entries=[
                    {"Id": number, "ReceiptHandle": handle, "VisibilityTimeout": seconds} for number, handle in entries
                ],
            )
            handle_of = dict(entries)
            lost |= {ids[handle_of[entry["Id"]]] for entry in answer.get("Failed", ()) if _is_gone(entry)}
    return lost


def _is_gone(entry: Mapping[str, Any]) -> bool:
    """Whether SQS says that a message is not in this worker's hands any more: its visibility timeout has ended.

    A handle that is none at all (a sample event's) says nothing of any message.
    """
    return bool(entry["SenderFault"]) and "ReceiptHandleIsInvalid" not in entry["Code"]


def let_go(client: SQSClient, queue_urls: Mapping[str, str], records: Sequence[Record]) -> None:
    """Delete records. Where that fails they are deleted with the batch, or come back if its worker dies."""
    for queue_url, entries in _handles(queue_urls, records):
        with suppress(ClientError, BotoCoreError):
            client.delete_message_batch(
                QueueUrl=queue_url, Entries=[{"Id": number, "ReceiptHandle": handle} for number, handle in entries]
            )


def _handles(queue_urls: Mapping[str, str], records: Sequence[Record]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Return, a call, the queue's address and the numbered receipt handles of its records."""
    by_queue: dict[str, list[str]] = {}
    for record in records:
        by_queue.setdefault(queue_name(record), []).append(record["receiptHandle"])
    for name, handles in by_queue.items():
        if name not in queue_urls:
            continue
        for start in range(0, len(handles), MAX_ENTRIES):
            some = handles[start : start + MAX_ENTRIES]
            yield queue_urls[name], [(str(number), handle) for number, handle in enumerate(some)]
