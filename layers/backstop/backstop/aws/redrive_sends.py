"""Letters that go back in, sent once; those that were surely not taken out, and those of which nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backstop.aws import sqs
from backstop.moving import Addressed, Answer

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def send_back(client: SQSClient, queue_url: str, addressed: Sequence[Addressed]) -> Answer:
    """Send letters to a queue, in as few calls as its limits allow.

    `client` must make each call once: one that it repeats, because the first answer was lost, sends twice.
    """
    names = {id(outgoing): letter.message_id for letter, outgoing in addressed}
    missed = sqs.send(client, queue_url, [outgoing for _, outgoing in addressed])
    return Answer(
        {names[id(one.outgoing)]: one.why for one in missed if one.is_sure},
        {names[id(one.outgoing)] for one in missed if not one.is_sure},
    )
