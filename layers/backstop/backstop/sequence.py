"""What taking in and draining a key's events share: running one of them, and keeping what came of it in its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Final, NamedTuple, Protocol

from backstop.effects import MAX_DELAY, Acts, Circumstances
from backstop.message import Message, Outgoing, Record, outgoing
from backstop.parking import Limits, OnDeadHead, Parking, State, sequence_of
from backstop.process import RESERVE_MILLIS, Batch, Failed, Flow, settle_one
from backstop.report import Description, Report, describe, trail_after
from backstop.trail import Trail
from backstop.verdict import Dead, Park, Retry

PAUSE: Final = timedelta(seconds=60)
"""How long a key waits whose dead head could not be sent to the dead letters."""


class Effects(Acts, Protocol):
    """What the ordered lane needs of the outside world, but for where it parks. No method raises."""

    def bury(self, letter: Outgoing) -> str:
        """Send a message to the dead letters; returns why it was not taken, or nothing."""

    def wake(self, keys: Sequence[str], delay_seconds: int) -> None:
        """Let keys be drained after a delay, as far as that works: the sweep finds those that nobody drains."""

    def keep(self, records: Sequence[Record], seconds: int) -> Collection[str]:
        """Hide records from other workers for so long, as far as that works; returns the ids of those not ours."""

    def not_buried(self, message: Message, why: str) -> None:
        """Say that the dead letters did not take a message, so that it waits in its place."""

    def measure(self, **values: float) -> None:
        """Publish measurements by their metrics' names."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What the ordered lane needs besides the events.

    `new_generation` gives a number that no earlier lock of any key began with.
    """

    flow: Flow
    parking: Parking
    effects: Effects
    circumstances: Circumstances
    limits: Limits
    on_dead_head: OnDeadHead
    new_generation: Callable[[], int]


class Standing(NamedTuple):
    """An event that was not done: what befell it, what becomes of it, and what is told of it."""

    failed: Failed
    description: Description
    verdict: Park | Dead
    trail: Trail

    @property
    def message(self) -> Message:
        """The message that carries it."""
        return self.failed.message

    def state(self) -> State:
        """Return what its key waits for once it is parked."""
        return State.HELD if isinstance(self.verdict, Dead) else State.WAITING

    def due(self, now: datetime) -> datetime:
        """Return when its key is due."""
        return now if isinstance(self.verdict, Dead) else self.verdict.at


def run(record: Record, lane: Lane) -> Standing | None:
    """Run an event; returns what is left to do about it, nothing where it is done."""
    batch = Batch()
    settle_one(record, lane.flow, lane.flow.now(), batch)
    for recovered in batch.recovered:
        lane.effects.report(Report.recovered(recovered, lane.circumstances.policy.max_attempts))
    if not batch.failed:
        return None
    (failed,) = batch.failed
    description = describe(failed.error, lane.circumstances.own_root, lane.circumstances.of(failed))
    decided = failed.verdict
    verdict = Park(decided.at, decided.is_counted) if isinstance(decided, Retry) else decided
    now = lane.circumstances.now()
    trail = trail_after(failed.message, verdict, failed.kind, description, now, lane.circumstances.release, None)
    return Standing(failed, description, verdict, trail)


def report(standing: Standing, lane: Lane) -> None:
    """Tell of an event that failed, once it is safe. One that only waits for its time is nothing to tell."""
    failed = standing.failed
    if failed.error is not None:
        most = lane.circumstances.policy.attempts(failed.kind)
        lane.effects.report(Report.failed(failed.message, standing.verdict, standing.trail, standing.description, most))


def letter(standing: Standing, lane: Lane) -> Outgoing | None:
    """Return what goes to the dead letters of an event whose key goes on without it.

    None where it does not: it is not dead, dead heads are held, or its history does not fit, so that a person decides.
    It knows its place, for when it goes back.
    """
    if lane.on_dead_head is OnDeadHead.HOLD or not isinstance(standing.verdict, Dead):
        return None
    trail = replace(standing.trail, sequence=sequence_of(standing.message.record))
    return outgoing(standing.message, trail, 0)


def bury(sent: Outgoing, standing: Standing, lane: Lane) -> bool:
    """Send a dead event to the dead letters; returns whether they took it."""
    why = lane.effects.bury(sent)
    if why:
        lane.effects.not_buried(standing.message, why)
        return False
    report(standing, lane)
    return True


def wake(key: str, due: datetime, lane: Lane) -> None:
    """Let a key be drained when it is due. What SQS cannot delay as long is left to the sweep."""
    delay = max(due - lane.circumstances.now(), timedelta(0))
    if delay <= MAX_DELAY:
        lane.effects.wake([key], ceil(delay.total_seconds()))


def keep(records: Sequence[Record], beyond: timedelta, lane: Lane) -> Collection[str]:
    """Hide records until this invocation is over and `beyond`; returns the ids of those that are another worker's.

    A queue hides them far longer, so that they outlast invocations that wait to begin. This one has begun: if its
    worker dies, no key need wait for longer. SQS counts from when it is asked, and in whole seconds: never less.
    """
    left = timedelta(milliseconds=lane.flow.remaining_millis())
    return lane.effects.keep(records, ceil((left + beyond).total_seconds()))


@dataclass(slots=True)
class Pace:
    """How long an event takes at most, so far, against what is left of the invocation."""

    remaining_millis: Callable[[], int]
    _longest: int = 0
    _before: int = field(init=False)

    def __post_init__(self) -> None:
        self._before = self.remaining_millis()

    def allows_another(self) -> bool:
        """Return whether there is time for another event. Called once before each."""
        left = self.remaining_millis()
        self._longest = max(self._longest, self._before - left)
        self._before = left
        return left >= RESERVE_MILLIS + self._longest


_SWEEP: Final = "sweep"
_KEY: Final = "key"


def wake_up(key: str) -> str:
    """Return the body of the message that wakes a key."""
    return json.dumps({_KEY: key})


def wanted(body: str) -> str | None:
    """Return the key that a wake-up is for; None where it asks for a sweep. Raises ValueError where it is neither."""
    try:
        asked = json.loads(body)
    except RecursionError:
        asked = None
    if isinstance(asked, dict) and asked.get(_SWEEP) is True:
        return None
    if isinstance(asked, dict) and isinstance(asked.get(_KEY), str):
        return str(asked[_KEY])
    raise ValueError("neither a key to wake nor a sweep")
