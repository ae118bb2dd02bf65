"""A batch of dead letters in: written down, sent to where they came from, deleted where they lay.

The order of the calls says how: written down, sent, written down as sent, deleted. Whoever dies before the
second writing leaves letters of which nobody knows whether they were sent; who dies later, letters that only have to be
deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from backstop.errors import StoreUnavailable
from backstop.letter import Letter, sent_back
from backstop.message import Outgoing
from backstop.redrive import A_BATCH, Batch, Job, Sending, Sent


class Place(Protocol):
    """Where dead letters lie."""

    @property
    def name(self) -> str:
        """What it is called."""

    def take(self, seconds: int, most: int = A_BATCH) -> Sequence[Letter]:
        """Take letters that nobody else sees for so long; none where none are to be had. Raises StoreUnavailable."""

    def release(self, letters: Sequence[Letter]) -> None:
        """Let letters be seen again at once, as far as that works."""

    def delete(self, letters: Sequence[Letter]) -> Sequence[Letter]:
        """Delete letters, and return those that may be left."""

    def hidden(self) -> int:
        """Return how many letters are in somebody's hands, as far as that is known. Raises StoreUnavailable."""


class Jobs(Protocol):
    """Where jobs are written down. Every method raises StoreUnavailable, and may be called again."""

    def look(self, job_id: str) -> Job | None:
        """Return a job as it is."""

    def lease(self, job_id: str, mover: str, now: datetime) -> bool:
        """Let a job be a mover's, or stay it; False where it is another one's, or does not run any more."""

    def release(self, job_id: str, mover: str) -> None:
        """Give a lease back."""

    def batches(self, job_id: str) -> Sequence[Batch]:
        """Return its batches, in the order of their numbers."""

    def change(self, job: Job, mover: str) -> bool:
        """Keep how far a job has come; False where somebody has ended it meanwhile, or it is another mover's."""

    def begin(self, job_id: str, batch: Batch) -> bool:
        """Write a batch down before it is sent; False where its number is taken."""

    def write(self, job_id: str, batch: Batch) -> None:
        """Write down how far a batch has come."""

    def forget(self, job_id: str, batch: Batch) -> None:
        """Forget a batch of which surely nothing was sent."""


class Answer(NamedTuple):
    """What became of letters that were to be sent, by their messages' ids: the others were taken."""

    refused: Mapping[str, str]
    """Those that were surely not taken this time, and why."""
    doubtful: Collection[str] = ()
    """Those of which nobody knows."""
    staying: Mapping[str, str] = {}
    """Those that cannot be sent at all, and why."""


Addressed = tuple[Letter, Outgoing]
"""A letter, and what is sent of it."""


@dataclass(frozen=True, slots=True)
class Moving:
    """What moving letters needs of the outside world.

    `mover` is what this mover is called, as no other one. `destination` names the queue that a letter goes back to,
    `send` sends there. `put_back` puts letters of the ordered lane into their places; it may be called again with what
    it was called with. `tell` says that a letter was redriven, `leave` that it has to stay.
    """

    mover: str
    jobs: Jobs
    places: Mapping[str, Place]
    destination: Callable[[Letter], str]
    send: Callable[[str, Sequence[Addressed]], Answer]
    put_back: Callable[[Sequence[Letter], str], Answer]
    tell: Callable[[Letter, str], None]
    leave: Callable[[Letter, str, str], None]
    remaining: Callable[[], timedelta]
    now: Callable[[], datetime]
    pause: Callable[[float], None]


class Left(NamedTuple):
    """What of a batch is where it lay.

    `why` says why letters could not be moved this time; `staying` counts those that cannot be at all.
    """

    letters: Sequence[Letter]
    moved: int
    why: str = ""
    staying: int = 0
    is_undeleted: bool = False
    """Whether letters may be left that were sent."""
    is_unused: bool = False
    """Whether the batch's number is free again: surely nothing was sent."""


def move_batch(job: Job, number: int, letters: Sequence[Letter], place: Place, moving: Moving) -> Left:
    """Move letters that are meant, as the batch of that number. Raises StoreUnavailable."""
    batch = Batch(number, Sent.SENDING, moving.now(), tuple(map(_sending, letters)))
    try:
        is_ours = moving.jobs.begin(job.id, batch)
    except StoreUnavailable:
        with suppress(StoreUnavailable):
            moving.jobs.forget(job.id, batch)  # it may be written down, and nothing of it is sent
        raise
    if not is_ours:
        return Left(letters, 0, "another mover is at work")
    answer = _send(job, letters, moving)
    untold = {*answer.refused, *answer.doubtful, *answer.staying}
    sent = [letter for letter in letters if letter.message_id not in untold]
    stays = [letter for letter in letters if letter.message_id in untold]
    if not sent and not answer.doubtful:
        moving.jobs.forget(job.id, batch)
        return _left(job, stays, answer, moving)._replace(is_unused=True)
    batch = replace(
        batch,
        state=Sent.SENT,
        letters=tuple(map(_sending, sent)),
        count=len(sent),
        doubtful=tuple(_sending(one) for one in letters if one.message_id in answer.doubtful),
    )
    moving.jobs.write(job.id, batch)
    for letter in sent:
        moving.tell(letter, job.id)
    undeleted = place.delete(sent)
    left = _left(job, stays, answer, moving)
    return left._replace(letters=[*stays, *undeleted], moved=len(sent), is_undeleted=bool(undeleted))


def _send(job: Job, letters: Sequence[Letter], moving: Moving) -> Answer:
    """Send letters, each to where it came from."""
    refused: dict[str, str] = {}
    doubtful: set[str] = set()
    staying: dict[str, str] = {}
    by_queue: dict[str, list[Addressed]] = {}
    ordered = [letter for letter in letters if letter.is_ordered]
    for letter in letters:
        if letter.is_ordered:
            continue
        outgoing = sent_back(letter, job.id, moving.now())
        if outgoing is None:
            staying[letter.message_id] = "its history does not fit: ten attributes used, or over 1 MiB"
        else:
            by_queue.setdefault(moving.destination(letter), []).append((letter, outgoing))
    for queue, addressed in by_queue.items():
        answer = moving.send(queue, addressed)
        refused |= answer.refused
        doubtful |= set(answer.doubtful)
    if ordered:
        answer = moving.put_back(ordered, job.id)
        refused |= answer.refused
        staying |= answer.staying
    return Answer(refused, doubtful, staying)


def _left(job: Job, stays: Sequence[Letter], answer: Answer, moving: Moving) -> Left:
    """Say which letters stay, and why."""
    whys = {**answer.refused, **answer.staying}
    for letter in stays:
        moving.leave(letter, job.id, whys.get(letter.message_id, "no answer said whether it was sent"))
    return Left(stays, 0, next(iter(answer.refused.values()), ""), len(answer.staying))


def _sending(letter: Letter) -> Sending:
    return Sending(letter.message_id, letter.name, letter.is_ordered)
