"""A key in, all that is known of it out: what it waits for, its events, and what operators did to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.text import Text

from backstop.message import read
from backstop.parking import Parked, State
from ops import audit
from ops.failure import told_in_a_sentence
from ops.keys.deciding import subject_of
from ops.keys.found import Found, find, not_parked, parked_table
from ops.keys.listing import next_try
from ops.stack import Stack
from ops.tables import facts, rows
from ops.terminal import harmless
from ops.times import iso

_LEFT_OVER: Final = "its head is gone: the command that took it out did not come to its end; `retry` does the rest"


class Known(NamedTuple):
    """All that is known of a key."""

    found: Found
    events: Sequence[Parked]
    done: Sequence[audit.Entry]


def show(stack: Stack, key: str, limit: int, *, reveals: bool, as_json: bool) -> int:
    """Print what is known of a key; returns 1 where it does not wait, else 0.

    Bodies are printed only where that `reveals` them. Raises CallFailed where the table does not answer.
    """
    now, table = datetime.now(UTC), parked_table(stack)
    done = audit.history(stack, subject_of(key))
    with told_in_a_sentence():
        found = find(stack, table, key, now)
        known = None if found is None else Known(found, list(islice(table.events(key), limit)), done)
    if as_json:
        told = {"key": key, "state": None, "done": _done(done)} if known is None else _fields(known, now, reveals)
        print(json.dumps(told))
    elif known is None:
        _print_not_parked(key, done)
    else:
        _print(known, now, reveals=reveals)
    return int(known is None)


def _fields(known: Known, now: datetime, reveals: bool) -> dict[str, Any]:
    lock = known.found.lock
    return {
        "key": lock.key,
        "state": lock.state,
        "since": iso(lock.since),
        "waiting": lock.waiting,
        "next_try": None if lock.state is State.HELD else iso(lock.due),
        "is_rid_of_its_head": known.found.is_rid_of_its_head,
        "head": _head(known.found),
        "events": [_event(event, now) | ({"body": event.record["body"]} if reveals else {}) for event in known.events],
        "done": _done(known.done),
    }


def _head(found: Found) -> dict[str, Any]:
    history = found.history
    return {
        "event": found.head_name,
        "attempt": history.attempt,
        "kind": history.kind,
        "error_type": history.error_type,
        "reason": history.reason,
        "dead_because": history.dead_because,
        "first_failed_at": None if history.first_failed_at is None else iso(history.first_failed_at),
        "last_failed_at": None if history.last_failed_at is None else iso(history.last_failed_at),
    }


def _event(event: Parked, now: datetime) -> dict[str, Any]:
    sent_at = read(event.record, event.event_id, frozenset(), now).sent_at
    return {
        "sequence": event.sequence,
        "event": event.name,
        "sent_at": iso(sent_at),
        "blocked_by": event.blocked_by,
    }


def _done(entries: Iterable[audit.Entry]) -> list[dict[str, Any]]:
    return [
        {"at": entry.moment, "who": entry.who, "command": entry.command, "count": entry.count, "result": entry.result}
        for entry in entries
    ]


def _print(known: Known, now: datetime, *, reveals: bool) -> None:
    console = Console(highlight=False)
    found, lock = known.found, known.found.lock
    waits = _LEFT_OVER if found.is_rid_of_its_head else next_try(found, now)
    about = {"key": lock.key, "state": lock.state, "since": iso(lock.since), "next try": waits}
    console.print(facts(about | {name.replace("_", " "): value for name, value in _head(found).items()}))
    console.print(rows("Parked", [_event(event, now) for event in known.events]))
    if len(known.events) < lock.waiting:
        console.print(f"{len(known.events):,} of {lock.waiting:,} events; --limit shows more.")
    for event in known.events if reveals else ():
        console.print(Text(harmless(f"{event.name}: {event.record['body']}")), soft_wrap=True)
    console.print(rows("What operators did", _done(known.done)))


def _print_not_parked(key: str, done: Sequence[audit.Entry]) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(f"backstop: {not_parked(key)}"))
    if done:
        Console(highlight=False).print(rows("What operators did", _done(done)))
