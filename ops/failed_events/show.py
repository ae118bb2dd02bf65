"""An event's id in, where it is now and what befell it out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from backstop.alert import label
from ops.failed_events.history import Befell, of_event
from ops.failed_events.listing import age
from ops.stack import Stack
from ops.tables import facts, rows, say, warn


def show(stack: Stack, event_id: str, limit: int, *, as_json: bool) -> int:
    """Print where an event is; returns 1 where nothing is known of it, else 0."""
    found = of_event(stack, event_id, limit + 1)
    history, has_more = found[:limit], len(found) > limit
    if as_json:
        told = [one.fields() for one in history]
        state = history[0].state if history else None
        print(json.dumps({"event": event_id, "state": state, "history": told, "has_more": has_more}))
    elif history:
        _print(history)
        if has_more:
            say(f"The last {limit:,}; --limit shows more.")
    else:
        warn(
            f"nothing is known of event {event_id}: done the first time it leaves no trace, and what befell it is "
            "forgotten in time (FailedEventDays)"
        )
    return int(not history)


def _print(history: Sequence[Befell]) -> None:
    console, now = Console(highlight=False), datetime.now(UTC)
    newest = history[0]
    told = {
        "event": newest.event_id,
        "state": newest.state,
        "since": f"{newest.moment} ({age(newest.moment, now)})",
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
    console.print(facts(told))
    console.print(rows("What befell it", [_line(one) for one in history]))


def _line(one: Befell) -> dict[str, Any]:
    return {
        "at": one.moment,
        "state": one.state,
        "attempt": one.attempt,
        "group": label(one.group) if one.group else "",
        "error type": one.error_type,
        "where": one.where,
        "release": one.release,
    }
