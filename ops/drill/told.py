"""A stack on which a drill ran in, what its watchers made of the failures out: groups, and alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic, sleep
from typing import Any, Final

from ops.alerts import listing
from ops.alerts.sent import Sent, sent
from ops.groups.found import list_groups
from ops.stack import Stack
from ops.tables import say

_POLL_SECONDS: Final = 1.0
_QUIET_POLLS: Final = 3
_MOST_SECONDS: Final = 30.0
"""How long watchers are waited for: logs take some seconds to reach them (AWS says no number)."""


@dataclass(frozen=True, slots=True)
class Told:
    """What people were told of a drill's failures. `occurrences` is how often the groups failed."""

    groups: int
    occurrences: int
    alerts: tuple[Sent, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` adds to an account."""
        return {"groups": self.groups, "alerts": len(self.alerts)}


def told_since(
    stack: Stack, began: datetime, clock: Callable[[], float] = monotonic, wait: Callable[[float], object] = sleep
) -> Told:
    """Wait until the watchers have read the log, and return what they made of it since `began`."""
    deadline = clock() + _MOST_SECONDS
    told, quiet = _look(stack, began), 0
    while quiet < _QUIET_POLLS and clock() < deadline:
        wait(_POLL_SECONDS)
        before, told = told, _look(stack, began)
        quiet = quiet + 1 if told == before and told.groups else 0
    return told


def show(told: Told, *, is_full: bool) -> None:
    """Print what people were told; with `is_full`, the first alert as people get it."""
    say(f"Failures: {told.occurrences:,} in {told.groups} groups. Alerts sent: {len(told.alerts)}")
    for number, alert in enumerate(told.alerts):
        listing.tell(alert, is_full=is_full and number == 0)


def _look(stack: Stack, began: datetime) -> Told:
    groups = [one.group for one in list_groups(stack).groups if one.group.counted_at >= began]
    return Told(len(groups), sum(group.occurrences for group in groups), tuple(sent(stack, began)))
