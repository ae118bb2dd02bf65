"""Letters that go back in, sent once; those that were surely not taken out, and those of which nobody knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from backstop.aws.sqs import MAX_ENTRIES
from backstop.letter import Letter
from backstop.message import MAX_BYTES
from backstop.moving import Addressed, Answer

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def send_back(client: SQSClient, queue_url: str, addressed: Sequence[Addressed]) -> Answer:
    """Send letters to a queue, in as few calls as its limits allow.

    `client` must make each call once: one that it repeats, because the first answer was lost, sends twice.
    """
    refused: dict[str, str] = {}
    doubtful: set[str] = set()
    for call in _calls(addressed):
        answer = _send(client, queue_url, call)
        refused |= answer.refused
        doubtful |= set(answer.doubtful)
    return Answer(refused, doubtful)


def _send(client: SQSClient, queue_url: str, call: Sequence[Addressed]) -> Answer:
    letters = [letter for letter, _ in call]
    entries: Any = [outgoing.entry(str(number)) for number, (_, outgoing) in enumerate(call)]
    try:
        answer = client.send_message_batch(QueueUrl=queue_url, Entries=entries)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
            return Answer(_all(letters, str(error)))
        return Answer({}, [letter.message_id for letter in letters])
    except BotoCoreError:
        return Answer({}, [letter.message_id for letter in letters])
    whys = {entry["Id"]: entry.get("Message", entry["Code"]) for entry in answer.get("Failed", ())}
    taken = {entry["Id"] for entry in answer.get("Successful", ())}
    numbered = [(str(number), letter.message_id) for number, letter in enumerate(letters)]
    return Answer(
        {message_id: whys[number] for number, message_id in numbered if number in whys},
        [message_id for number, message_id in numbered if number not in whys and number not in taken],
    )


def _all(letters: Sequence[Letter], why: str) -> dict[str, str]:
    return {letter.message_id: why for letter in letters}


def _calls(addressed: Sequence[Addressed]) -> Iterator[list[Addressed]]:
    call: list[Addressed] = []
    for one in addressed:
        size = sum(outgoing.size for _, outgoing in call)
        if call and (len(call) == MAX_ENTRIES or size + one[1].size > MAX_BYTES):
            yield call
            call = []
        call.append(one)
    if call:
        yield call
