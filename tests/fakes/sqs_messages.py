"""SQS's messages on the wire: what may be sent, how it counts, and how it looks when it is received."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from tests.fakes.queue import Attributes, FakeQueue, QueuedMessage

MAX_BYTES: Final = 1024 * 1024
MAX_ATTRIBUTES: Final = 10
MAX_ENTRIES: Final = 10
MAX_DELAY_SECONDS: Final = 900

PREFIX: Final = "AWS.SimpleQueueService."
_ENTRY_ID: Final = re.compile(r"[\w-]{1,80}")
_FORBIDDEN: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Entry = Mapping[str, Any]
Answer = dict[str, Any]


def size_of(entry: Entry) -> int:
    """Return what a message counts against 1 MiB: body, and names, types and values of its attributes."""
    return len(entry["MessageBody"].encode("utf-8", "surrogatepass")) + sum(
        len(name.encode()) + len(value["DataType"]) + len(_bytes_of(value))
        for name, value in entry.get("MessageAttributes", {}).items()
    )


def md5_of_attributes(attributes: Attributes) -> str:
    """Return SQS's digest of message attributes (SQS Developer Guide, "Calculating the MD5 message digest")."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        for part in (name.encode(), value["DataType"].encode()):
            digest.update(struct.pack("!I", len(part)) + part)
        digest.update(b"\x01" if "StringValue" in value else b"\x02")
        digest.update(struct.pack("!I", len(_bytes_of(value))) + _bytes_of(value))
    return digest.hexdigest()


def md5_of(body: str) -> str:
    """Return SQS's digest of a body."""
    return hashlib.md5(body.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def system_attributes(message: QueuedMessage) -> dict[str, str]:
    """Return what SQS itself says of a message that was received."""
    assert message.first_received_at is not None
    return message.system | {
        "ApproximateReceiveCount": str(message.receive_count),
        "SentTimestamp": str(round(message.enqueued_at.timestamp() * 1000)),
        "SenderId": "AIDAEXAMPLEPRODUCER",
        "ApproximateFirstReceiveTimestamp": str(round(message.first_received_at.timestamp() * 1000)),
    }


def _bytes_of(value: Mapping[str, Any]) -> bytes:
    return (
        bytes(value["BinaryValue"])
        if "BinaryValue" in value
        else str(value["StringValue"]).encode("utf-8", "surrogatepass")
    )


def check_batch(entries: Sequence[Entry]) -> None:
    """Refuse a batch that is empty, too long, or whose ids are not distinct."""
    ids = [entry["Id"] for entry in entries]
    if not ids:
        raise refusal(f"{PREFIX}EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(ids) > MAX_ENTRIES:
        raise refusal(f"{PREFIX}TooManyEntriesInBatchRequest", f"You have sent {len(ids)}.")
    if len(set(ids)) < len(ids):
        raise refusal(f"{PREFIX}BatchEntryIdsNotDistinct", "An id is repeated.")
    if not all(_ENTRY_ID.fullmatch(entry_id) for entry_id in ids):
        raise refusal(f"{PREFIX}InvalidBatchEntryId", "Letters, digits, hyphens and underscores only, 80 at most.")


def check_entry(queue: FakeQueue, entry: Entry) -> None:
    """Refuse a message that the queue does not take."""
    if not entry["MessageBody"]:
        raise refusal("MissingParameter", "The request must contain the parameter MessageBody.")
    values = [str(value.get("StringValue", "")) for value in entry.get("MessageAttributes", {}).values()]
    if any(_FORBIDDEN.search(text) for text in (entry["MessageBody"], *values)):
        raise refusal("InvalidMessageContents", "Invalid binary character in the message.")
    if len(entry.get("MessageAttributes", {})) > MAX_ATTRIBUTES:
        raise refusal("InvalidParameterValue", "Number of message attributes exceeds the allowed maximum [10].")
    if not 0 <= entry.get("DelaySeconds", 0) <= MAX_DELAY_SECONDS:
        raise refusal("InvalidParameterValue", "DelaySeconds must be >= 0 and <= 900.")
    (_check_fifo_entry if queue.settings.is_fifo else _check_standard_entry)(queue, entry)


def _check_fifo_entry(queue: FakeQueue, entry: Entry) -> None:
    if not entry.get("MessageGroupId"):
        raise refusal("MissingParameter", "The request must contain the parameter MessageGroupId.")
    if not entry.get("MessageDeduplicationId") and not queue.settings.deduplicates_content:
        raise refusal("InvalidParameterValue", "MessageDeduplicationId is missing.")
    if entry.get("DelaySeconds", 0):
        raise refusal("InvalidParameterValue", "DelaySeconds is not valid for this queue type.")


def _check_standard_entry(_: FakeQueue, entry: Entry) -> None:
    if entry.get("MessageDeduplicationId"):
        raise refusal("InvalidParameterValue", "MessageDeduplicationId is not valid for this queue type.")


def put(queue: FakeQueue, entry: Entry) -> QueuedMessage:
    """Put an entry into its queue."""
    system = {name: entry[name] for name in ("MessageGroupId", "MessageDeduplicationId") if entry.get(name)}
    if queue.settings.is_fifo and "MessageDeduplicationId" not in system:
        system["MessageDeduplicationId"] = hashlib.sha256(entry["MessageBody"].encode()).hexdigest()
    for name, value in entry.get("MessageSystemAttributes", {}).items():
        system[name] = value["StringValue"]
    delay = timedelta(seconds=entry["DelaySeconds"]) if "DelaySeconds" in entry and not queue.settings.is_fifo else None
    return queue.put(entry["MessageBody"], entry.get("MessageAttributes", {}), system, delay)


def sent(message: QueuedMessage) -> Answer:
    """Return what SQS answers to whoever has sent a message."""
    answer = {"MessageId": message.message_id, "MD5OfMessageBody": md5_of(message.body)}
    if message.attributes:
        answer["MD5OfMessageAttributes"] = md5_of_attributes(message.attributes)
    return answer


def received(message: QueuedMessage, request: Entry) -> Answer:
    """Return a message as ReceiveMessage hands it out: of its attributes only those that were asked for."""
    asked = [*request.get("AttributeNames", []), *request.get("MessageSystemAttributeNames", [])]
    system = {name: text for name, text in system_attributes(message).items() if "All" in asked or name in asked}
    wanted = request.get("MessageAttributeNames", [])
    own = {name: dict(value) for name, value in message.attributes.items() if "All" in wanted or name in wanted}
    answer: Answer = {
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": md5_of(message.body),
        "Body": message.body,
    }
    answer |= {"Attributes": system} if system else {}
    answer |= {"MessageAttributes": own, "MD5OfMessageAttributes": md5_of_attributes(own)} if own else {}
    return answer


def failed_entry(entry: Entry, error: ClientError) -> Answer:
    """Return what a batch's answer says of an entry that was not taken."""
    code = error.response["Error"]["Code"]
    return {
        "Id": entry["Id"],
        "SenderFault": code != "InternalError",
        "Code": code,
        "Message": error.response["Error"]["Message"],
    }


def refusal(code: str, message: str, operation: str = "SQS") -> ClientError:
    """Return the error that botocore makes of SQS's refusal."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
