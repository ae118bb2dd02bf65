"""A redrive's job and what came of its batches in, what its next turn does out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from backstop.selection import Selection

STEPS: Final = (range(1, 2), range(2, 3), range(3, 13))
"""The numbers of the canary's batches, step by step: 1 letter, 10, 100."""
REST: Final = len(STEPS)
"""The step in which all that is left is moved."""
A_BATCH: Final = 10
"""Letters in a batch: what one call of SQS takes."""

MOST_FAILING: Final = 0.1
"""The share of a canary that may fail again."""
DOUBT: Final = timedelta(minutes=2)
"""How long evidence is waited for that a batch arrived whose mover died: the log takes seconds to be read."""
LEASE: Final = timedelta(seconds=20)
"""How long a job is one mover's without being asked for again: the others wait so long for one that died."""
POLL: Final = timedelta(seconds=3)
"""How often what was moved is looked after."""


class State(StrEnum):
    """How a job stands."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """By itself: too much of what it moved failed again."""
    CANCELLED = "cancelled"


class Sent(StrEnum):
    """How far a batch has come."""

    SENDING = "sending"
    """It is about to be sent, or whoever was about to has died: nobody knows."""
    SENT = "sent"
    """It was sent: whichever of its letters are left have only to be deleted."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is redriven, and how far it has come.

    `places` are the queues that are looked through, in this order; the first `places_done` of them hold nothing of it
    any more. `rate` is in letters a second. `watching_since` is when the last of a step was moved; None while it moves.
    """

    id: str
    selection: Selection
    places: tuple[str, ...]
    rate: float
    is_canary: bool
    begun_at: datetime
    by: str = ""
    command: str = ""
    expected: int = 0
    """What a dry run found."""
    state: State = State.RUNNING
    note: str = ""
    step: int = 0
    watching_since: datetime | None = None
    places_done: int = 0
    runs: int = 1
    """How often it was begun: once, and each time that it was resumed."""
    resends_doubtful: bool = False
    hidden_until: datetime | None = None
    """Until when letters may be hidden that a mover has taken which did not come to its end."""
    turned_at: datetime | None = None
    """When its last turn began."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done unless it is resumed."""
        return self.state is not State.RUNNING

    @property
    def is_moved(self) -> bool:
        """Whether nothing is left of it where it lay."""
        return self.places_done >= len(self.places)


@dataclass(frozen=True, slots=True)
class Sending:
    """A letter of a batch: by what its place calls it, and by its event's id."""

    message_id: str
    event_id: str
    is_ordered: bool = False
    """Whether it was put back into its place, which may be done twice."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Letters that are sent together, written down before they are. `count` are those known to be sent."""

    number: int
    state: Sent
    at: datetime
    letters: tuple[Sending, ...] = ()
    count: int = 0
    doubtful: tuple[Sending, ...] = ()
    """Letters of which nobody knows whether they were sent: their mover died."""


@dataclass(frozen=True, slots=True)
class Move:
    """Letters are to be moved, in batches of these numbers; without numbers, all that is left."""

    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """The step's letters are moved: from now on they are looked after."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done for so long."""

    time: timedelta


@dataclass(frozen=True, slots=True)
class HoldUp:
    """A circuit is open: nothing is moved, and what was moved cannot show how it goes before it is closed."""

    circuit: str


@dataclass(frozen=True, slots=True)
class Proceed:
    """The step's letters did well enough: the next one may begin."""


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more is to be done."""

    state: State
    note: str = ""


Act = Move | Watch | Wait | HoldUp | Proceed | End


@dataclass(frozen=True, slots=True)
class Progress:
    """What came of a job's batches so far.

    `failed` says of events that were handled since whether they failed again. `open_circuit` is one that events wait
    for, if there is any.
    """

    batches: Sequence[Batch]
    failed: Mapping[str, bool] = field(default_factory=dict)
    open_circuit: str = ""

    @property
    def moved(self) -> int:
        """How many letters were sent."""
        return sum(batch.count for batch in self.batches)

    @property
    def failed_again(self) -> int:
        """How many of them are known to have failed again."""
        return sum(self.failed.values())

    @property
    def in_doubt(self) -> int:
        """How many may have been sent, and are held back."""
        return sum(len(batch.doubtful) for batch in self.batches)

    @property
    def next_number(self) -> int:
        """The number of the next batch of the rest."""
        return (
            max((batch.number for batch in self.batches if batch.number >= STEPS[-1].stop), default=STEPS[-1].stop - 1)
            + 1
        )


def capacity(number: int) -> int:
    """Return how many letters the batch of a number takes."""
    return 1 if number in STEPS[0] else A_BATCH


def job_id(begun_at: datetime, random: str) -> str:
    """Return the id of a job: when it was begun (UTC), and four random hexadecimal digits."""
    return f"r{begun_at:%Y%m%d-%H%M%S}-{random}"


def watched(job: Job, batches: Sequence[Batch]) -> list[str]:
    """Return the events by which is judged whether a job goes well: the canary's, of the rest the last hundred."""
    of_rest = job.step >= REST
    numbered = sorted(batches, key=lambda batch: batch.number)
    some = numbered[-A_BATCH:] if of_rest else [one for one in numbered if one.number < STEPS[-1].stop]
    return [letter.event_id for batch in some for letter in batch.letters[: batch.count] if letter.event_id]


def next_act(job: Job, progress: Progress, watch: timedelta, now: datetime) -> Act:
    """Say what a job's next turn does. `watch` is how long a step's letters are waited for to fail again."""
    if job.is_over:
        return End(job.state, job.note)
    total = len(watched(job, progress.batches))
    if job.is_canary and _fails(job, progress.failed_again, total):
        return End(State.STOPPED, _too_many(progress.failed_again, total))
    if progress.open_circuit and not (job.is_moved and job.step >= REST):
        return HoldUp(progress.open_circuit)
    if job.step >= REST:
        return _after_all(progress, now) if job.is_moved else Move()
    if job.watching_since is None:
        used = {batch.number for batch in progress.batches}
        free = tuple(number for number in STEPS[job.step] if number not in used)
        return Move(free) if free and not job.is_moved else Watch()
    left = job.watching_since + watch - now
    if len(progress.failed) < total and left > timedelta(0):
        return Wait(min(left, POLL))
    return _after_all(progress, now) if job.is_moved else Proceed()


def known_of(heard_of: Mapping[str, bool | None]) -> dict[str, bool]:
    """Return, of events that were heard of, those of which is known whether they failed again."""
    return {event_id: has_failed for event_id, has_failed in heard_of.items() if has_failed is not None}


def _fails(job: Job, failed: int, total: int) -> bool:
    """Whether too much of a canary failed again; of the rest, a few say nothing."""
    return failed > MOST_FAILING * total and (job.step < REST or total >= A_BATCH)


def _after_all(progress: Progress, now: datetime) -> Act:
    """Say what is done once nothing is left but what may have been sent."""
    youngest = max((batch.at for batch in progress.batches if batch.doubtful), default=None)
    if youngest is not None and now < youngest + DOUBT:
        return Wait(POLL)
    return End(State.DONE)


def _too_many(failed: int, total: int) -> str:
    return f"{failed} of the last {total} that were moved failed again: more than {MOST_FAILING:.0%}"
