"""An event's id in, where it is now and all that happened to it out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from backstop.alert import label
from backstop.redact import redact
from ops import tables
from ops.failed_events.history import Befell
from ops.failed_events.listing import age
from ops.failure import CallFailed
from ops.stack import Stack
from ops.tables import rows, say, warn
from ops.terminal import harmless
from ops.where.answer import Answer, answer
from ops.where.facts import Facts, facts


def show(stack: Stack, event_id: str, key: str, limit: int, *, as_json: bool) -> int:
    """Print where an event is; returns 1 where nothing is known of it, else 0.

    Raises CallFailed where that nothing is known of it may be because something could not be read.
    """
    now = datetime.now(UTC)
    known = facts(stack, event_id, key, limit, now)
    found = answer(known, now)
    is_known = found.state is not None or bool(known.history)
    if not is_known and known.unread:
        raise CallFailed(f"where event {harmless(redact(event_id))} is cannot be told: {'; '.join(known.unread)}")
    if as_json:
        print(json.dumps(_told(event_id, found, known)))
    else:
        _print(event_id, found, known, now)
    return int(not is_known)


def _told(event_id: str, found: Answer, known: Facts) -> dict[str, Any]:
    return {
        "event": event_id,
        "state": found.state,
        "sentence": found.sentence,
        "known_as": redact(event_id),
        "records": [one.fields() for one in known.records],
        "parked": None if known.place is None else known.place.fields(),
        "history": [one.fields() for one in known.history],
        "has_more": known.has_more,
        "done": [
            {"at": one.moment, "who": one.who, "command": one.command, "result": one.result} for one in known.done
        ],
        "unread": list(known.unread),
    }


def _print(event_id: str, found: Answer, known: Facts, now: datetime) -> None:
    console = Console(highlight=False)
    if found.state is None and not known.history:
        warn(f"event {redact(event_id)}: {found.sentence}")
    else:
        say(f"{redact(event_id)}: {found.sentence}")
    if known.history and redact(event_id) != event_id:
        say("Logs know it by this name only: what befell others of that name stands here, too.")
    if known.history:
        console.print(tables.facts(_about(known.history[0], now)))
        console.print(rows("What befell it", [_line(one) for one in known.history]))
    if known.has_more:
        say(f"The last {len(known.history):,}; --limit shows more.")
    if known.done:
        done = [{"at": one.moment, "who": one.who, "command": one.command, "result": one.result} for one in known.done]
        console.print(rows("What operators did", done))
    for why in known.unread:
        warn(why)


def _about(newest: Befell, now: datetime) -> dict[str, Any]:
    return {
        "last heard of": f"{newest.moment} ({age(newest.moment, now)}): {newest.state}",
        "next try": newest.next_at,
        "dead because": newest.dead_because,
        "group": label(newest.group) if newest.group else "",
        "error": ": ".join(filter(None, (newest.error_type, newest.error))),
        "where": newest.where,
        "kind": newest.kind,
        "attempt": newest.attempt,
        "key": newest.key,
        "queue": newest.source_queue or newest.queue,
        "function": newest.function,
        "stage": newest.stage,
        "release": newest.release,
        "redrive": newest.redrive_id,
    }


def _line(one: Befell) -> dict[str, Any]:
    return {
        "at": one.moment,
        "state": one.state,
        "attempt": one.attempt,
        "group": label(one.group) if one.group else "",
        "error type": one.error_type,
        "where": one.where,
        "release": one.release,
        "redrive": one.redrive_id,
    }
