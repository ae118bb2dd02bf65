"""Groups in, how many of their events are dead, parked or retrying now out, and how often each failed of late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from ops.failed_events.history import Befell, Where, of_event, rows_of_group
from ops.failure import CallFailed, sentence
from ops.stack import Stack

MOST_EVENTS: Final = 1000
"""Events of a group that are counted, the newest."""
BUCKETS: Final = 12
BUCKET: Final = timedelta(minutes=5)

_MOST_ROWS: Final = 5000
"""Rows of a group that are read for them: an event has some."""
_MOST_ASKED: Final = 1000
"""Events, of all groups, of which it is asked what befell them elsewhere."""
_AT_ONCE: Final = 16
_GRACE: Final = timedelta(minutes=1)
"""So much later than it was to be tried again, something must have befallen an event."""
_COUNTED: Final = (Where.DEAD, Where.PARKED, Where.RETRYING)
_WELL: Final = (Where.RECOVERED, Where.REDRIVEN)
_LEVELS: Final = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Counts:
    """How a group's events are. `is_capped` says that only the newest were counted.

    `last_hour` has the failures of twelve times five minutes, the oldest first; None where they were not read.
    """

    dead: int
    parked: int
    retrying: int
    is_capped: bool
    last_hour: tuple[int | None, ...]

    def in_words(self) -> list[str]:
        """Say how many are where; nothing of where none is."""
        more = "+" if self.is_capped else ""
        numbers = {"dead": self.dead, "parked": self.parked, "retrying": self.retrying}
        return [f"{number:,}{more} {where}" for where, number in numbers.items() if number] or [f"0{more}"]

    def sparkline(self) -> str:
        """Draw the last hour: a block a bucket, a dot where nothing failed, a question mark where it is not known."""
        highest = max((number for number in self.last_hour if number), default=1)
        return "".join(
            "?" if number is None else _LEVELS[(number * len(_LEVELS) - 1) // highest] if number else "·"
            for number in self.last_hour
        )


class Counted(NamedTuple):
    """The counts of groups, and why others could not be counted."""

    of: Mapping[str, Counts]
    why_not: str


def fields(counts: Counts | None) -> dict[str, Any]:
    """Return what a program is told of a group's events; nothing is known of those that could not be counted."""
    if counts is None:
        return dict.fromkeys(("dead", "parked", "retrying", "is_capped", "last_hour"))
    return {
        "dead": counts.dead,
        "parked": counts.parked,
        "retrying": counts.retrying,
        "is_capped": counts.is_capped,
        "last_hour": list(counts.last_hour),
    }


def count(stack: Stack, groups: Sequence[str], now: datetime) -> Counted:
    """Count the events of groups. The first question that is not answered ends it: it would be the same with others."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            stack.output("FailedEventsTableName")  # found once, before threads ask for it
            read = dict(zip(groups, pool.map(lambda group: _read(stack, group), groups), strict=True))
            doubtful = [row for row in newest(read.values()) if _is_doubtful(row, now)][:_MOST_ASKED]
            found = pool.map(lambda row: of_event(stack, row.event_id, 1), doubtful)
            moved = {now_at.event_id: now_at for rows in found for now_at in rows}
        except CallFailed as error:
            return Counted({}, str(error))
        except (ClientError, BotoCoreError) as error:
            return Counted({}, sentence(error))
    known = {row.event_id: row for row in newest(read.values())} | moved
    return Counted({group: _counts(group, rows, known, now) for group, rows in read.items()}, "")


def newest(histories: Iterable[Read]) -> list[Befell]:
    """Return the newest row of each event, those first that something befell last."""
    found: dict[str, Befell] = {}
    for rows, _ in histories:
        for row in rows:
            if row.event_id not in found or found[row.event_id].at < row.at:
                found[row.event_id] = row
    return sorted(found.values(), key=lambda row: row.at, reverse=True)


class Read(NamedTuple):
    """The newest rows of a group, and whether there are others."""

    rows: list[Befell]
    is_cut: bool


def _read(stack: Stack, group: str) -> Read:
    rows: list[Befell] = []
    events: set[str] = set()
    found = rows_of_group(stack, group)
    for row in islice(found, _MOST_ROWS):
        if len(events) == MOST_EVENTS and row.event_id not in events:
            return Read(rows, is_cut=True)
        events.add(row.event_id)
        rows.append(row)
    return Read(rows, is_cut=next(found, None) is not None)


def _is_doubtful(row: Befell, now: datetime) -> bool:
    """Return whether something must have befallen an event since, of which another group's rows tell."""
    if row.state not in {Where.RETRYING, Where.PARKED}:
        return False
    due = _moment(row.next_at)
    return due is None or due + _GRACE < now


def _counts(group: str, read: Read, known: Mapping[str, Befell], now: datetime) -> Counts:
    """Count a group's events, each where it is now; one that failed otherwise since is another group's."""
    events = (known[event] for event in {row.event_id for row in read.rows})
    states = Counter(event.state for event in events if event.group in {"", group})
    dead, parked, retrying = (states[where] for where in _COUNTED)
    return Counts(dead, parked, retrying, read.is_cut, last_hour(read, now))


def last_hour(read: Read, now: datetime) -> tuple[int | None, ...]:
    """Count the failures of each five minutes of the last hour, the oldest first.

    Where rows were left out, the bucket of the last one that was read has so many at least, and those before it None.
    """
    failures = (_moment(row.moment) for row in read.rows if row.state not in _WELL)
    times = Counter(_bucket(at, now) for at in failures if at is not None)
    last = _moment(read.rows[-1].moment) if read.is_cut else None
    first_known = 0 if last is None else _bucket(last, now)
    return tuple(times[number] if number >= first_known else None for number in range(BUCKETS))


def _bucket(at: datetime, now: datetime) -> int:
    """Return the number of a time's bucket, negative before the last hour; a clock that is ahead is not believed."""
    return BUCKETS - 1 - max(now - at, timedelta()) // BUCKET


def _moment(text: str) -> datetime | None:
    with suppress(ValueError):
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None
