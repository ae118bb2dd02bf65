"""A dead-letter queue in, its letters out: taken for a while, then given back as they were, or deleted."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from backstop.aws.sqs import MAX_ENTRIES
from backstop.errors import StoreUnavailable
from backstop.letter import Letter, letter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

POLL_SECONDS: Final = 1
"""How long SQS looks for messages: with any wait it asks all of its servers, without one only some (AWS, "Short and
long polling")."""


class LetterQueue:
    """A dead-letter queue whose messages somebody looks through. `queues` are those that they may have come from."""

    def __init__(self, client: SQSClient, url: str, queues: frozenset[str], now: Callable[[], datetime]) -> None:
        self._client: Any = client
        self._url = url
        self._queues = queues
        self._now = now

    @property
    def name(self) -> str:
        """The queue's name."""
        return self._url.rpartition("/")[2]

    def take(self, seconds: int, most: int = MAX_ENTRIES) -> list[Letter]:
        """Take up to `most` letters (1 to 10): nobody else sees them for so long (0 to 43,200).

        None are there, or none visible, where it returns none. Raises StoreUnavailable where SQS does not answer, or
        too many are in somebody's hands (120,000; SQS quotas).
        """
        try:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=most,
                VisibilityTimeout=seconds,
                WaitTimeSeconds=POLL_SECONDS,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"the dead letters in {self.name} could not be read: {error}") from error
        now = self._now()
        return [letter(self._record(message), self._queues, now) for message in answer.get("Messages", ())]

    def release(self, letters: Sequence[Letter]) -> None:
        """Let letters be seen again at once, as far as that works: else they are when their time is over."""
        for some in _calls(letters):
            entries = [entry | {"VisibilityTimeout": 0} for entry in some.values()]
            try:
                self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
            except (ClientError, BotoCoreError):
                continue

    def delete(self, letters: Sequence[Letter]) -> list[Letter]:
        """Delete letters, and return those of which it is not known that they are gone."""
        left: list[Letter] = []
        for some in _calls(letters):
            try:
                answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=list(some.values()))
                gone = {entry["Id"] for entry in answer.get("Successful", ())}
            except (ClientError, BotoCoreError):
                gone = set()
            left += [one for one in letters if one.message_id in some and some[one.message_id]["Id"] not in gone]
        return left

    def hidden(self) -> int:
        """Return how many letters are in somebody's hands: SQS's count is a minute behind, at times.

        Raises StoreUnavailable.
        """
        name: Any = "ApproximateNumberOfMessagesNotVisible"
        try:
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable(f"the dead letters in {self.name} could not be counted: {error}") from error
        return int(answer["Attributes"][name])

    def _record(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return a message in the shape in which Lambda hands one over."""
        attributes = message.get("MessageAttributes") or {}
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": dict(message.get("Attributes", {})),
            "messageAttributes": {name: _attribute(value) for name, value in attributes.items()},
            "eventSourceARN": f"arn:aws:sqs:::{self.name}",
        }


def _calls(letters: Sequence[Letter]) -> Iterator[dict[str, dict[str, str]]]:
    """Yield, a call, its entries by the messages' ids."""
    for start in range(0, len(letters), MAX_ENTRIES):
        yield {
            one.message_id: {"Id": str(number), "ReceiptHandle": one.record["receiptHandle"]}
            for number, one in enumerate(letters[start : start + MAX_ENTRIES])
        }


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"dataType": value["DataType"]}
    if value.get("StringValue") is not None:
        found["stringValue"] = value["StringValue"]
    if value.get("BinaryValue") is not None:
        found["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return found
