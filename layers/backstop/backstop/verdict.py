"""A failure and the facts about it in, what becomes of its message out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from backstop.backoff import Backoff
from backstop.kinds import Kind


class Reason(StrEnum):
    """Why a message became a dead letter."""

    PERMANENT = "permanent"
    EXHAUSTED = "exhausted"
    CRASHED = "crashed"
    SKIPPED = "skipped"
    """An operator let the others of its key go on without it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The message is tried again, at `at`; `is_counted` says whether this try was one of its attempts."""

    at: datetime
    is_counted: bool


@dataclass(frozen=True, slots=True)
class Park:
    """The message waits in its place, so that none of its key overtakes it, and is tried again at `at`."""

    at: datetime
    is_counted: bool


@dataclass(frozen=True, slots=True)
class Dead:
    """The message needs a person or a fix."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Policy:
    """How long a message is tried.

    `max_attempts` (1 or more) for transient failures, `max_unknown` for those of unknown kind; `max_age` from the first
    failure to the last attempt. Failures of kind `system` wait as long as it takes.
    """

    backoff: Backoff = field(default_factory=Backoff)
    max_attempts: int = 6
    max_unknown: int = 3
    max_age: timedelta = timedelta(hours=24)

    def attempts(self, kind: Kind) -> int:
        """Return how many attempts a failure of this kind is given."""
        return min(self.max_unknown, self.max_attempts) if kind is Kind.UNKNOWN else self.max_attempts


class Refusal(NamedTuple):
    """That an open circuit let no call through: how much of its open time is left, and how long that is in all."""

    remaining: timedelta
    open_for: timedelta


class Failure(NamedTuple):
    """The facts that decide.

    `attempt` includes the one that just failed. `first_failed_at` is when its time began to run; where the fault is
    not its own, when it began to wait. `is_excused` says that it is the fault of its release, which is held, or of a
    downstream that it probed.
    """

    kind: Kind
    attempt: int
    first_failed_at: datetime
    retry_after: timedelta | None = None
    has_killed_workers: bool = False
    refusal: Refusal | None = None
    is_excused: bool = False


def decide(failure: Failure, policy: Policy, now: datetime, dice: float) -> Retry | Dead:
    """Decide what becomes of a message that failed. `dice` is a random number, 0 ≤ dice < 1."""
    if failure.has_killed_workers:
        return Dead(Reason.CRASHED)
    if failure.refusal is not None:
        return Retry(now + _until_it_closes(failure.refusal, policy, dice), is_counted=False)
    if failure.kind is Kind.PERMANENT and not failure.is_excused:
        return Dead(Reason.PERMANENT)
    if failure.kind is Kind.SYSTEM or failure.is_excused:
        waiting = policy.backoff.deferral(now - failure.first_failed_at, dice)
        return Retry(now + max(waiting, failure.retry_after or waiting), is_counted=False)
    if failure.attempt >= policy.attempts(failure.kind):
        return Dead(Reason.EXHAUSTED)
    delay = policy.backoff.delay(failure.attempt, dice)
    at = now + max(delay, failure.retry_after or delay)
    if at > failure.first_failed_at + policy.max_age:
        return Dead(Reason.EXHAUSTED)
    return Retry(at, is_counted=True)


def _until_it_closes(refusal: Refusal, policy: Policy, dice: float) -> timedelta:
    """Return how long a message waits for a circuit: spread over its open time, or all would come back at once.

    What an operator holds open for longer may be closed at any time: nobody waits for that beyond the backoff's limit.
    """
    return min(max(refusal.remaining, timedelta(0)), policy.backoff.limit) + dice * refusal.open_for
