"""What is known of an event in, where it is now out, in a word and a sentence: newer facts win."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from backstop.alert import label
from backstop.parking import State
from ops.failed_events.history import Befell, Where
from ops.terminal import span
from ops.where.facts import Facts
from ops.where.place import Place
from ops.where.record import Record, Run


class Now(StrEnum):
    """Where an event is."""

    DONE = "done"
    RUNNING = "running"
    CUT_OFF = "cut off"
    """Its worker died: its message comes again."""
    RETRYING = "retrying"
    PARKED = "parked"
    HELD = "held"
    DEAD = "dead"
    REDRIVEN = "redriven"
    UNPROCESSED = "unprocessed"


class Answer(NamedTuple):
    """Where an event is; no `state` where nothing is known of it."""

    state: Now | None
    sentence: str


_A_SECOND: Final = timedelta(seconds=1)
"""A record says when its event was done in whole seconds."""
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_NEVER_AGAIN: Final = frozenset({Where.RECOVERED, Where.REDRIVEN})
"""What no row of says against that an event is done: one that was redriven is not run again."""


def answer(facts: Facts, now: datetime) -> Answer:
    """Say where an event is."""
    newest = facts.history[0] if facts.history else None
    done = _of_run(facts.records, Run.DONE)
    if done is not None and _is_still_done(done, newest):
        return Answer(Now.DONE, _done(done.at, now))
    running = _of_run(facts.records, Run.RUNNING)
    if running is not None and running.at is not None and _next_at(newest) <= now:
        return Answer(Now.RUNNING, f"run right now: until {_told(running.at)} at the latest")
    if facts.place is not None:
        return _parked(facts.place, facts.most_attempts, now)
    cut_off = _of_run(facts.records, Run.CUT_OFF)
    if cut_off is not None and cut_off.at is not None and _last(newest) < cut_off.at:
        return Answer(Now.CUT_OFF, _cut_off(cut_off.at, now))
    return Answer(None, _nothing(facts.days)) if newest is None else _befallen(newest, facts.most_attempts, now)


def _of_run(records: Sequence[Record], run: Run) -> Record | None:
    """Return the latest of the records that say this."""
    found = [one for one in records if one.run is run]
    return max(found, key=lambda one: one.at or _EARLIEST, default=None)


def _is_still_done(done: Record, newest: Befell | None) -> bool:
    """Return whether nothing has befallen an event since it was done."""
    if newest is None or newest.state in _NEVER_AGAIN or done.at is None:
        return True
    return _moment(newest.moment) < done.at + _A_SECOND


def _done(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "done, but when is not known: IdempotencyDays was changed, or cannot be read"
    return f"done at {_told(at)} ({span(now - at)} ago)"


def _cut_off(at: datetime, now: datetime) -> str:
    ago = span(now - at)
    return f"its worker died, or could not say what came of it ({ago} ago): its message comes again, or SQS moved it"


def _parked(place: Place, most: int | None, now: datetime) -> Answer:
    lock, key = place.found.lock, place.found.lock.key
    look = shlex.join(["backstop", "keys", "show", *(["--", key] if key.startswith("-") else [key])])
    if place.is_held and place.is_head:
        return Answer(Now.HELD, f"held for a person, at the head of key {key}: {look}")
    if not place.is_head:
        held = f", which waits for a person: {look}" if place.is_held else ""
        head = place.found.head_name or place.event.blocked_by or lock.head
        return Answer(Now.PARKED, f"parked behind {head} (key {key}){held}")
    if lock.state is State.RUNNING:
        return Answer(Now.RUNNING, f"run right now, at the head of key {key}: until {_told(lock.due)} at the latest")
    tried = _attempt(place.found.history.attempt, most)
    return Answer(Now.PARKED, f"{tried}, {_next(lock.due, now)}, at the head of key {key}")


def _befallen(newest: Befell, most: int | None, now: datetime) -> Answer:
    at = _moment(newest.moment)
    ago = f"{span(now - at)} ago" if at > _EARLIEST else "at an unknown time"
    match newest.state:
        case Where.RECOVERED:
            return Answer(Now.DONE, _done(at, now) if at > _EARLIEST else f"done {ago}")
        case Where.REDRIVEN:
            return Answer(Now.REDRIVEN, f"redriven{f' by {newest.redrive_id}' if newest.redrive_id else ''} {ago}")
        case Where.DEAD:
            return Answer(Now.DEAD, _dead(newest))
        case Where.UNPROCESSED:
            return Answer(Now.UNPROCESSED, f"kept under errors/ ({ago})")
        case Where.PARKED | Where.RETRYING as state:
            return Answer(Now(state), f"{_attempt(newest.attempt, most)}, {_next(_next_at(newest), now)}")
        case _:
            return Answer(None, f"what befell it last is not told as it was written ({ago})")


def _dead(newest: Befell) -> str:
    if not newest.group:
        return f"dead{f' ({newest.dead_because})' if newest.dead_because else ''}"
    return f"dead in group {label(newest.group)}: backstop groups show {label(newest.group)}"


def _attempt(attempt: int, most: int | None) -> str:
    """Say how often it was tried; a fault that was ours is no attempt."""
    if not attempt:
        return "waiting, no attempt counted so far"
    return f"attempt {attempt}" if most is None else f"attempt {attempt} of {max(most, attempt)}"


def _next(due: datetime, now: datetime) -> str:
    if due == _EARLIEST:
        return "the next is due"
    return f"next in {span(due - now)}" if due > now else f"next due since {span(now - due)}"


def _nothing(days: int | None) -> str:
    kept = "FailedEventDays" if days is None else f"{days} days"
    return f"nothing is known of it: it never failed, or more than {kept} ago"


def _last(newest: Befell | None) -> datetime:
    """Return until when an event's last row holds: until it is tried again, if it is."""
    return _EARLIEST if newest is None else max(_moment(newest.moment), _next_at(newest))


def _next_at(newest: Befell | None) -> datetime:
    return _EARLIEST if newest is None else _moment(newest.next_at)


def _moment(text: str) -> datetime:
    with suppress(ValueError):
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return _EARLIEST


def _told(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
