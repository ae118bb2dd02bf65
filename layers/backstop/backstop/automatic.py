"""Dead letters and their groups in, the group that may be redriven without being asked for out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from backstop.groups import Group, State
from backstop.kinds import Kind
from backstop.letter import Letter
from backstop.selection import Selection

QUIET: Final = timedelta(minutes=15)
"""How long nothing of a group may have failed: what still fails would only fail again."""
MOST_REDRIVES: Final = 2
"""How often an event may be redriven at all, before only a person does it."""
RATE: Final = 10.0
"""Letters a second."""


class Chosen(NamedTuple):
    """A group, and how many of its letters were found."""

    group: str
    letters: int


def eligible(now: datetime) -> Selection:
    """Return which letters may be redriven without being asked for: what an outage has left, and no poison."""
    return Selection(kind=Kind.TRANSIENT, max_redrives=MOST_REDRIVES - 1, died_before=now - QUIET, frozen_at=now)


def busy(letters: Iterable[Letter], running: Collection[Selection]) -> set[str]:
    """Return the groups that are being redriven, be it among others."""
    named = {selection.group for selection in running if selection.group}
    return named | {letter.trail.group for letter in letters if any(one.has(letter) for one in running)}


def choose(
    letters: Iterable[Letter], groups: Mapping[str, Group], busy: Collection[str], now: datetime
) -> Chosen | None:
    """Choose the group with most letters that may be redriven, if there is one.

    Not one that still fails, that somebody works on (`ack`), or that is being redriven (`busy`).
    """
    meant = eligible(now)
    counts = Counter(letter.trail.group for letter in letters if letter.trail.group and meant.has(letter))
    for group, count in counts.most_common():
        known = groups.get(group)
        if known is None or group in busy:
            continue
        if known.last_seen <= now - QUIET and not _is_worked_on(known, now):
            return Chosen(group, count)
    return None


def _is_worked_on(known: Group, now: datetime) -> bool:
    """Whether somebody works on a group, be it silenced meanwhile."""
    return known.acked_at is not None and known.state(now) is not State.RESOLVED
