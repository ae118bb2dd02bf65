"""A group in, where its failed events are now out: those that failed last first."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from rich.console import Console

from backstop.alert import label
from ops.failed_events.history import Befell, Where, of_group
from ops.groups.found import find
from ops.stack import Stack
from ops.tables import rows, say
from ops.terminal import span


def show(stack: Stack, name: str, state: Where | None, since: datetime | None, limit: int, *, as_json: bool) -> int:
    """Print where the events of a group are; returns 0. Raises NotFound where there is no such group."""
    group, now = find(stack, name).group.group, datetime.now(UTC)
    found = list(islice(of_group(stack, group, since, state), limit + 1))
    events, has_more = found[:limit], len(found) > limit
    if as_json:
        told = [event.fields() for event in events]
        print(json.dumps({"group": label(group), "events": told, "has_more": has_more}))
        return 0
    if not events:
        say(f"No failed events of group {label(group)} are known{'' if state is None else f' that are {state}'}.")
        return 0
    Console(highlight=False).print(rows("", lines(events, group, now)))
    if has_more:
        say(f"The {limit:,} that failed last; --limit shows more.")
    return 0


def lines(events: Iterable[Befell], group: str, now: datetime) -> list[dict[str, Any]]:
    """Return a line an event: where it is now, and how it came there. One that failed otherwise since names that."""
    return [
        {
            "event": event.event_id,
            "state": event.state,
            "since": age(event.moment, now),
            "attempt": event.attempt,
            "next try": event.next_at,
            "why": why(event) + (f" (now {label(event.group)})" if event.group not in ("", group) else ""),
        }
        for event in events
    ]


def why(event: Befell) -> str:
    """Say why it is where it is."""
    error = " in ".join(filter(None, (event.error_type, event.where)))
    return ": ".join(filter(None, (event.dead_because, error)))


def age(moment: str, now: datetime) -> str:
    """Say how long ago a time in ISO 8601 is; one that is none is told as it is."""
    try:
        return f"{span(now - datetime.fromisoformat(moment))} ago"
    except (ValueError, TypeError):
        return moment
