"""A number of keys, of events a key, and a seed in; the status changes of a drill out: what is sent, and what fails."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, repeat
from math import ceil
from random import Random
from typing import Final, NamedTuple

from backstop.drill import Fault, Mark
from backstop.message import Message
from backstop.trail import FRESH

STATUSES: Final = ("placed", "paid", "packed", "shipped", "delivered")

MOST_EVENTS: Final = 1000
"""Of one key: so many of an order's history fit its item, and so many may be parked by default."""

_UNRELATED: Final = 1 / 3
_DEAD_HEADS: Final = 1 / 10
_TRANSIENT: Final = 0.05
_EXITS: Final = 0.005
"""Shares: the first two of the keys, the others of the events."""

_HEADS: Final = (Fault.PERMANENT, Fault.EXIT, Fault.PERMANENT, Fault.LOOP)
"""What kills the first keys' heads; all others' fail for good."""

_DEADLY: Final = frozenset({Fault.PERMANENT, Fault.EXIT, Fault.LOOP})


@dataclass(frozen=True, slots=True)
class Planned:
    """An event of a drill."""

    key: str
    event_id: str
    body: str
    mark: Mark

    @property
    def number(self) -> int:
        """What it goes by: its place among all events."""
        return self.mark.number

    @property
    def is_deadly(self) -> bool:
        """Whether it cannot but die, and hold up its key."""
        return self.mark.fault in _DEADLY

    @property
    def token(self) -> str:
        """What its order's history knows it by."""
        return Message(self.event_id, {}, FRESH).token


@dataclass(frozen=True, slots=True)
class Plan:
    """A drill's events, by their key, in the order in which they are sent. None of the `unrelated` keys' ever fails."""

    drill: str
    keys: Mapping[str, tuple[Planned, ...]]
    unrelated: frozenset[str]

    @property
    def events(self) -> Iterator[Planned]:
        """Every event, key after key."""
        return chain.from_iterable(self.keys.values())

    @property
    def rounds(self) -> Iterator[tuple[Planned, ...]]:
        """The events as they are sent: the first of each key, then the second of each, and so on."""
        return zip(*self.keys.values(), strict=True)


class _Place(NamedTuple):
    key: int
    position: int


def make(keys: int, events: int, seed: int, drill: str, now: datetime, *, is_calm: bool = False) -> Plan:
    """Plan a drill of `events` a key: the same events and faults for the same numbers; ids begin with `drill`.

    A calm drill has the same events and the same unrelated keys, and no fault.
    """
    random = Random(seed)
    shuffled = random.sample(range(keys), keys)
    unrelated = frozenset(shuffled[: ceil(keys * _UNRELATED)])
    faults = {} if is_calm else _faults(shuffled[len(unrelated) :], keys, events, random)
    names = [f"{drill}-k{key:04d}" for key in range(keys)]
    planned = {
        name: tuple(
            _plan_event(name, position, Mark(drill, key * events + position, faults.get(_Place(key, position))), now)
            for position in range(1, events + 1)
        )
        for key, name in enumerate(names)
    }
    return Plan(drill, planned, frozenset(names[key] for key in unrelated))


def _faults(failing: list[int], keys: int, events: int, random: Random) -> dict[_Place, Fault]:
    """Return what fails in these of all keys. Only what is before a dead head fails: the rest of its key never runs."""
    dead = failing[: max(ceil(keys * _DEAD_HEADS), 2)]
    heads = [_Place(key, random.randint(ceil(events / 4), ceil(events * 3 / 4))) for key in dead]
    ends = {head.key: head.position for head in heads}
    running = [_Place(key, position) for key in failing for position in range(1, ends.get(key, events + 1))]
    deadly = dict(zip(heads, chain(_HEADS, repeat(Fault.PERMANENT)), strict=False))
    return _passing(running, keys * events, random) | deadly


def _passing(running: list[_Place], events: int, random: Random) -> dict[_Place, Fault]:
    """Return what fails once. Nothing fails before what ends its worker: parked behind that, it would not."""
    exits = sorted(_some(running, events * _EXITS, random))
    last_exit = dict(exits)
    others = [place for place in running if place.position > last_exit.get(place.key, 0)]
    return dict.fromkeys(exits, Fault.EXIT_ONCE) | dict.fromkeys(
        _some(others, events * _TRANSIENT, random), Fault.TRANSIENT
    )


def _some(places: list[_Place], count: float, random: Random) -> list[_Place]:
    """Return about so many of the places, but at least one if there is any."""
    return random.sample(places, min(max(round(count), 1), len(places)))


def _plan_event(key: str, position: int, mark: Mark, now: datetime) -> Planned:
    event_id = f"{key}-{position:04d}"
    change = {
        "id": event_id,
        "order": key,
        "number": position,
        "status": STATUSES[(position - 1) % len(STATUSES)],
        "changed_at": now.isoformat(timespec="seconds"),
    }
    return Planned(key, event_id, json.dumps(change), mark)
