"""The end of a call in, what it says about its downstream out."""

from __future__ import annotations

from enum import Enum, auto

from backstop.errors import Kinds, classify, was_refused
from backstop.kinds import Kind


class Outcome(Enum):
    """What the end of a call says about its downstream."""

    ANSWERED = auto()
    FAILED = auto()
    UNTOLD = auto()
    """Nothing: the fault was ours, or is not known."""


def outcome_of(error: BaseException | None, kinds: Kinds) -> Outcome:
    """Say what the end of a call says about its downstream: one that refuses an event for good has answered."""
    if error is None:
        return Outcome.ANSWERED
    if was_refused(error) is not None:
        return Outcome.UNTOLD
    match classify(error, kinds):
        case Kind.TRANSIENT:
            return Outcome.FAILED
        case Kind.PERMANENT:
            return Outcome.ANSWERED
        case _:
            return Outcome.UNTOLD
