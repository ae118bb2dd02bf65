"""A group, its window and a reason to tell people in, an alert out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backstop.budget import Reason, Slot, Window
from backstop.groups import Group
from backstop.occurrence import Severity


@dataclass(frozen=True, slots=True)
class Alert:
    """What people are told about one group.

    `seen_before` is when the group had last been seen before this window, None if never.
    """

    slot: Slot
    group: Group
    window: Window
    now: datetime
    seen_before: datetime | None = None

    @property
    def reason(self) -> Reason:
        """Why people are told."""
        return self.slot.reason

    @property
    def severity(self) -> Severity:
        """How urgent it is; an end is not."""
        return Severity.INFO if self.reason is Reason.END else self.group.severity

    @property
    def occurrences(self) -> int:
        """How often it has failed since it began this time."""
        return self.window.slots.carried + self.slot.count

    @property
    def not_shown(self) -> int:
        """How many of these nobody was told of one by one."""
        told = self.window.slots.sent + self.window.slots.carried_sent
        return max(self.occurrences - told, 0)


@dataclass(frozen=True, slots=True)
class Digest:
    """What people are told about many groups that began together, or are over together."""

    alerts: Sequence[Alert]
    """The most urgent first."""
    now: datetime

    @property
    def is_over(self) -> bool:
        """Whether it tells of ends."""
        return all(alert.reason is Reason.END for alert in self.alerts)

    @property
    def severity(self) -> Severity:
        """The most urgent one's."""
        return min((alert.severity for alert in self.alerts), key=lambda severity: severity.urgency)


def label(group: str) -> str:
    """Return a group as people read and type it."""
    return f"g{group}"
