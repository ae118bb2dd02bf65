"""A window's counts and the clock in, what people are told of out: never more than a limit, each thing once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

STORM: Final = timedelta(minutes=5)
"""The time in which the groups that begin are counted together."""


class Reason(StrEnum):
    """Why people are told."""

    FIRST = "first"
    MORE = "more"
    """The occurrences of the window have reached 10, 100, 1,000, …"""
    STILL = "still"
    """A window is over, and the failure is not."""
    AGAIN = "again"
    """It was over, or resolved, and is back."""
    END = "end"
    DIGEST = "digest"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Budget:
    """How often people are told of one group.

    At most `limit` (1 to 10) times in a `window`; a failure is over when none occurred for `quiet`. More than
    `digest_after` groups that begin within five minutes are told of in one digest; 0 is never.
    """

    limit: int
    window: timedelta
    quiet: timedelta
    digest_after: int

    @property
    def milestones(self) -> tuple[int, ...]:
        """The counts at which people are told: the last slot is kept for the end."""
        return tuple(10**power for power in range(max(self.limit - 1, 1)))


@dataclass(frozen=True, slots=True)
class Slot:
    """One use of the budget: an alert, the window's count that it tells of, and the milestones that it covers."""

    reason: Reason
    count: int
    milestones: tuple[int, ...] = ()
    since: int = 0
    """When it was taken, in epoch seconds."""
    in_digest: bool = False
    number: int = 0
    """Which of the window's it is, given back ones included: no two are alike."""


@dataclass(frozen=True, slots=True)
class Slots:
    """What of a window's budget is used.

    `sent` are the slots in use, `milestones` the counts that were told of, `pending` the slots of which it is not known
    that the topic has their alert. `over_at` is the count at which the end was told, None if it was not, or it is back.
    `carried` are the occurrences of the windows before, since the failure began, `carried_sent` the alerts of these.
    `taken` counts all that ever were, those included that were given back.
    """

    sent: int = 0
    milestones: tuple[int, ...] = ()
    pending: tuple[Slot, ...] = ()
    over_at: int | None = None
    carried: int = 0
    carried_sent: int = 0
    taken: int = 0
    digests: int = 0
    """How many of those sent, and of the windows' before, were digests, which no end follows."""

    def serialise(self) -> str:
        """Return a text that is equal for equal slots."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `serialise` wrote. Raises ValueError, TypeError or KeyError where it did not."""
        fields = json.loads(text)
        pending = tuple(
            Slot(**one | {"reason": Reason(one["reason"]), "milestones": tuple(one["milestones"])})
            for one in fields["pending"]
        )
        return cls(**fields | {"pending": pending, "milestones": tuple(fields["milestones"])})


@dataclass(frozen=True, slots=True)
class Window:
    """The time since a group's first occurrence for which its budget holds.

    `count` are the occurrences in it, `counted_at` is when the last one was counted.
    """

    group: str
    opened: datetime
    counted_at: datetime
    count: int
    slots: Slots = field(default_factory=Slots)

    def is_past(self, now: datetime, budget: Budget) -> bool:
        """Whether the next occurrence opens another one."""
        return now >= self.opened + budget.window

    def is_quiet(self, now: datetime, budget: Budget) -> bool:
        """Whether what failed is over: nothing occurred for some time."""
        return now >= self.counted_at + budget.quiet


def next_slots(past: Window, now: datetime, budget: Budget) -> Slots:
    """Return the slots that the window after `past` begins with: what still fails, has been told of before."""
    slots = past.slots
    if past.is_quiet(now, budget) or slots.over_at is not None:
        return Slots()
    return Slots(
        carried=slots.carried + past.count, carried_sent=slots.carried_sent + slots.sent, digests=slots.digests
    )


def wanted(window: Window, before: int, budget: Budget, *, was_resolved: bool = False) -> Slot | None:
    """Return the alert that a window's growth from `before` occurrences calls for, if there is a slot for it.

    Milestones that one batch passes together are told of in one alert.
    """
    slots, count = window.slots, window.count
    if slots.over_at is not None and count <= slots.over_at:
        return None  # nothing has occurred since the end was told
    crossed = tuple(one for one in budget.milestones if before < one <= count and one not in slots.milestones)
    is_back = was_resolved or slots.over_at is not None
    if slots.sent >= max(budget.limit - 1, 1) or not (crossed or is_back):
        return None
    if is_back:
        return Slot(Reason.AGAIN, count, crossed)
    if 1 not in crossed:
        return Slot(Reason.MORE, count, crossed)
    return Slot(Reason.STILL if slots.carried else Reason.FIRST, count, crossed)


def wanted_at_the_end(window: Window, budget: Budget) -> Slot | None:
    """Return the alert that a failure is over, if it was told of by itself, and a slot is left."""
    slots = window.slots
    is_told = slots.sent + slots.carried_sent > slots.digests
    is_news = slots.over_at is None or window.count > slots.over_at
    return Slot(Reason.END, window.count) if is_told and is_news and slots.sent < budget.limit else None


def taken(slots: Slots, slot: Slot, now: datetime) -> tuple[Slots, Slot]:
    """Return the slots with one more taken, and this one, with its number and time."""
    slot = replace(slot, since=int(now.timestamp()), number=slots.taken + 1)
    with_it = replace(
        slots,
        sent=slots.sent + 1,
        taken=slots.taken + 1,
        milestones=(*slots.milestones, *slot.milestones),
        pending=(*slots.pending, slot),
        over_at=slot.count if slot.reason is Reason.END else None,
        digests=slots.digests + slot.in_digest,
    )
    return with_it, slot


def taken_over(slots: Slots, slot: Slot, now: datetime) -> tuple[Slots, Slot]:
    """Return the slots with a pending one as if it was taken now, and this one: whoever took it has died."""
    anew = replace(slot, since=int(now.timestamp()))
    return replace(slots, pending=tuple(anew if one == slot else one for one in slots.pending)), anew


def confirmed(slots: Slots, slot: Slot) -> Slots:
    """Return the slots once the topic has an alert."""
    return replace(slots, pending=tuple(one for one in slots.pending if one != slot))


def given_back(slots: Slots, slot: Slot) -> Slots:
    """Return the slots without one whose alert the topic surely does not have: it is wanted again.

    Nothing changes where it is not pending: what is given back twice must not free two slots.
    """
    if slot not in slots.pending:
        return slots
    return replace(
        confirmed(slots, slot),
        sent=slots.sent - 1,
        milestones=tuple(one for one in slots.milestones if one not in slot.milestones),
        over_at=_over_at_without(slots, slot),
        digests=slots.digests - slot.in_digest,
    )


def _over_at_without(slots: Slots, slot: Slot) -> int | None:
    """Return where the end was told if a slot's alert was not; one told of later stands."""
    if slot.reason is Reason.END and slots.over_at == slot.count:
        return None
    if slot.reason is Reason.AGAIN and slots.over_at is None:
        return slot.count - 1
    return slots.over_at
