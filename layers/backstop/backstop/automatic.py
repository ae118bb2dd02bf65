"""Dead letters and their groups in, the group that may be redriven without being asked for out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from backstop.groups import Group, State
from backstop.kinds import Kind
from backstop.letter import Letter
from backstop.redrive import Job
from backstop.redrive import State as Running
from backstop.selection import Selection

QUIET: Final = timedelta(minutes=15)
"""How long nothing of a group may have failed: what still fails would only fail again."""
MOST_REDRIVES: Final = 2
"""How often an event may be redriven at all, before only a person does it."""
RATE: Final = 10.0
"""Letters a second."""
LEFT_ALONE: Final = timedelta(minutes=30)
"""After so long without a turn nobody is at a job any more: one that fails is tried again for 15 minutes."""


class Chosen(NamedTuple):
    """A group, and how many of its letters were found."""

    group: str
    letters: int


def eligible(now: datetime) -> Selection:
    """Return which letters may be redriven without being asked for: what an outage has left, and no poison."""
    return Selection(kind=Kind.TRANSIENT, max_redrives=MOST_REDRIVES - 1, died_before=now - QUIET, frozen_at=now)


def candidates(letters: Iterable[Letter], now: datetime) -> list[Chosen]:
    """Return the groups of letters that may be redriven, those with most of them first."""
    meant = eligible(now)
    counts = Counter(letter.trail.group for letter in letters if letter.trail.group and meant.has(letter))
    return [Chosen(group, count) for group, count in counts.most_common()]


def busy(letters: Iterable[Letter], jobs: Iterable[Job], now: datetime) -> set[str]:
    """Return the groups that are being redriven, be it among others; a job that nobody moves any more does not."""
    running = [job.selection for job in jobs if job.state is Running.RUNNING and now < _last_turn(job) + LEFT_ALONE]
    named = {selection.group for selection in running if selection.group}
    return named | {letter.trail.group for letter in letters if any(one.has(letter) for one in running)}


def choose(found: Iterable[Chosen], groups: Mapping[str, Group], busy: Collection[str], now: datetime) -> Chosen | None:
    """Choose the first of some groups that may be redriven, if there is one.

    Not one that still fails, that somebody works on (`ack`), or that is being redriven (`busy`).
    """
    for one in found:
        known = groups.get(one.group)
        if known is None or one.group in busy:
            continue
        if known.last_seen <= now - QUIET and not _is_worked_on(known, now):
            return one
    return None


def _last_turn(job: Job) -> datetime:
    return job.turned_at or job.begun_at


def _is_worked_on(known: Group, now: datetime) -> bool:
    """Whether somebody works on a group, be it silenced meanwhile."""
    return known.acked_at is not None and known.state(now) is not State.RESOLVED
