"""A number of clicks and a seed in, the records of a drill out: what is sent, and what is wrong with it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import cycle
from random import Random
from typing import Final

from ops.drill.stream.clicks import Click, Clicks
from ops.drill.stream.malformed import WAYS


class Sort(StrEnum):
    """What a drill's record is like."""

    CLICK = "click"
    ROBOT = "robot"
    SEVERAL = "several"
    GZIPPED = "gzipped"
    MALFORMED = "malformed"


_SHARES: Final = {Sort.ROBOT: 0.06, Sort.SEVERAL: 0.2, Sort.GZIPPED: 0.1, Sort.MALFORMED: 0.1}
"""Of the clicks, not of the records."""

_BETWEEN: Final = (b"", b"\n", b" ")
"""What senders put between the clicks of a record."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A record of a drill, and the ids of its clicks: good ones, robots', and the broken one of a malformed record."""

    number: int
    sort: Sort
    data: bytes
    good: tuple[str, ...] = ()
    robots: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def is_malformed(self) -> bool:
        """Whether it must fail."""
        return self.sort is Sort.MALFORMED

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all its clicks."""
        return self.good + self.robots + self.broken


@dataclass(frozen=True, slots=True)
class Plan:
    """A drill's records, in the order in which they are put on the stream."""

    drill: str
    records: tuple[Planned, ...]


def make(clicks: int, seed: int, drill: str, now: datetime) -> Plan:
    """Plan a drill: the same records for the same `clicks` and `seed`; ids begin with `drill`.

    `clicks` counts all of them, robots included; a malformed record counts as the one click that it was to be.
    """
    random = Random(seed)
    sizes = _sizes(clicks, random)
    records = _Records(Clicks(drill, now, random), random)
    return Plan(drill, tuple(records.make(number, sort, size) for number, (sort, size) in enumerate(sizes)))


def _sizes(clicks: int, random: Random) -> list[tuple[Sort, int]]:
    """Return what each record is like, and how many clicks it carries."""
    counts = {sort: _count(clicks, share) for sort, share in _SHARES.items()}
    special = [(Sort.SEVERAL, size) for size in _split(counts.pop(Sort.SEVERAL), random)]
    special += [(sort, 1) for sort, count in counts.items() for _ in range(count)]
    records = special + [(Sort.CLICK, 1)] * (clicks - sum(size for _, size in special))
    random.shuffle(records)
    return records


def _count(clicks: int, share: float) -> int:
    """At least two of each, from fifty clicks on."""
    return max(round(clicks * share), 2) if clicks >= 50 else int(clicks * share)


def _split(clicks: int, random: Random) -> Iterator[int]:
    """Split into 2 to 5 clicks a record; a single one makes no record of several."""
    while clicks >= 2:
        size = min(random.randint(2, 4), clicks)
        size += clicks - size == 1
        yield size
        clicks -= size


class _Records:
    """Makes records one after the other: every second good click that is alone has an e-mail address."""

    def __init__(self, clicks: Clicks, random: Random) -> None:
        self._clicks = clicks
        self._random = random
        self._have_email = cycle((True, False))
        self._ways = cycle(random.sample(list(WAYS.values()), len(WAYS)))

    def make(self, number: int, sort: Sort, size: int) -> Planned:
        if sort is Sort.SEVERAL:
            return self._several(number, size)
        has_email = next(self._have_email) if sort is Sort.CLICK else self._random.random() < 0.5
        click = self._clicks.make(is_robot=sort is Sort.ROBOT, has_email=has_email)
        ids = (click["id"],)
        if sort is Sort.MALFORMED:
            return Planned(number, sort, next(self._ways)(click), broken=ids)
        if sort is Sort.ROBOT:
            return Planned(number, sort, _line(click), robots=ids)
        data = gzip.compress(_line(click), mtime=0) if sort is Sort.GZIPPED else _line(click)
        return Planned(number, sort, data, good=ids)

    def _several(self, number: int, size: int) -> Planned:
        place = self._random.randrange(size)
        clicks = [self._clicks.make(is_robot=position == place) for position in range(size)]
        ids = tuple(click["id"] for click in clicks)
        data = self._random.choice(_BETWEEN).join(json.dumps(click).encode() for click in clicks)
        return Planned(number, Sort.SEVERAL, data, good=ids[:place] + ids[place + 1 :], robots=(ids[place],))


def _line(click: Click) -> bytes:
    return json.dumps(click).encode() + b"\n"
