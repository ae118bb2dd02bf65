"""A mover that puts dead letters of the small world back into their places: call by call, as the redrive's does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, Protocol

from backstop.letter import Letter, letter
from backstop.message import Outgoing
from backstop.putting_back import Returning, return_letters
from tests.backstop.ordered_worker import Worker
from tests.fakes.clock import VirtualClock
from tests.fakes.parking import FakeParking

DEAD_LETTERS: Final = "dead-letters"
QUEUES: Final = frozenset({"ordered.fifo"})


class DeadLetters:
    """The dead-letter queue: what lies in it, until somebody deletes it."""

    def __init__(self, clock: VirtualClock) -> None:
        self.letters: list[Letter] = []
        self._clock = clock
        self._ids = itertools.count(1)

    def take(self, sent: Outgoing) -> None:
        """Take what a worker or a person sent."""
        entry, now = sent.entry(""), self._clock.now()
        attributes = {
            name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
            for name, value in entry["MessageAttributes"].items()
        }
        record = {
            "messageId": f"letter-{next(self._ids)}",
            "receiptHandle": "",
            "body": entry["MessageBody"],
            "attributes": {
                "MessageGroupId": entry["MessageGroupId"],
                "SentTimestamp": str(int(now.timestamp() * 1000)),
                "ApproximateReceiveCount": "1",
            },
            "messageAttributes": attributes,
            "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{DEAD_LETTERS}",
        }
        self.letters.append(letter(record, QUEUES, now))

    def has(self, event_id: str) -> bool:
        """Whether there is a dead letter of an event."""
        return any(one.event_id == event_id for one in self.letters)

    def delete(self, gone: Letter) -> None:
        """Delete a letter, if it is there."""
        self.letters = [one for one in self.letters if one.message_id != gone.message_id]


class Desk(Protocol):
    """What a mover sees and acts on."""

    clock: VirtualClock
    parking: FakeParking
    dead_letters: DeadLetters
    woken: list[str]


def redrive(desk: Desk, worker: Worker, redrive_id: str, generation: Callable[[], int], in_hand: timedelta) -> None:
    """Put all dead letters back that lie there now, and delete those that are safe. Raises StoreUnavailable."""

    def wake(keys: Sequence[str], _: int) -> None:
        with worker.around("wake"):
            desk.woken.extend(keys)

    with worker.around("take letters"):
        letters = list(desk.dead_letters.letters)
    returning = Returning(desk.parking, wake, generation, desk.clock.now, in_hand)
    for gone in return_letters(letters, redrive_id, returning).safe:
        with worker.around("delete letter"):
            desk.dead_letters.delete(gone)
