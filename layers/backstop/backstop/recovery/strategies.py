"""A cause and how long it lasts in, what is tried against it out: the table that recovery follows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from backstop.recovery.state import CauseKind, Strategy

AT_ONCE: Final = timedelta(0)
SWITCH_AFTER: Final = timedelta(minutes=2)
"""How long a circuit is open before its backup is used: most outages are over by then."""
ESCALATE_AFTER: Final = timedelta(minutes=15)
"""How long a circuit is open before people are told what was tried: its opening they have heard of already."""
ESCALATE_SWITCHED_AFTER: Final = timedelta(minutes=5)
"""How long a circuit stays open on its backup before people are told: there is nothing left to try."""
ESCALATE_BACKLOG_AFTER: Final = timedelta(hours=1)
"""How long events wait too long, whatever the concurrency, before people are told."""
ESCALATE_MOST_AFTER: Final = timedelta(minutes=15)
"""How long events wait too long at the highest concurrency before people are told: more of it is theirs to give."""
ESCALATE_RESTARTED_AFTER: Final = timedelta(minutes=20)
"""How long an environment is at fault before people are told: openings count for 15 minutes, so these are new ones."""


class Step(NamedTuple):
    """What is tried against a cause that has lasted for some time."""

    after: timedelta
    strategy: Strategy


STRATEGIES: Final[Mapping[CauseKind, tuple[Step, ...]]] = {
    CauseKind.CIRCUIT: (
        Step(AT_ONCE, Strategy.PAUSE),
        Step(SWITCH_AFTER, Strategy.SWITCH),
        Step(ESCALATE_AFTER, Strategy.ESCALATE),
    ),
    CauseKind.RELEASE: (Step(AT_ONCE, Strategy.PAUSE), Step(AT_ONCE, Strategy.ESCALATE)),
    CauseKind.BACKLOG: (Step(AT_ONCE, Strategy.SCALE_UP), Step(ESCALATE_BACKLOG_AFTER, Strategy.ESCALATE)),
    CauseKind.ENVIRONMENT: (Step(AT_ONCE, Strategy.RESTART), Step(ESCALATE_RESTARTED_AFTER, Strategy.ESCALATE)),
    CauseKind.ELSEWHERE: (Step(AT_ONCE, Strategy.PAUSE), Step(AT_ONCE, Strategy.ESCALATE)),
    CauseKind.MISSING: (Step(AT_ONCE, Strategy.ESCALATE),),
    CauseKind.PERSON: (Step(AT_ONCE, Strategy.PAUSE),),
}
"""What is tried against a cause, in order. What undoes it (resume, scale down, switch back) follows by itself."""


def is_due(kind: CauseKind, strategy: Strategy, age: timedelta) -> bool:
    """Whether a cause has lasted for so long that a strategy is tried against it."""
    return any(step.strategy is strategy and age >= step.after for step in STRATEGIES[kind])
