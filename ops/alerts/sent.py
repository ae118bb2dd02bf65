"""The watchers' log in, the alerts that they sent out: once, or for as long as somebody reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from ops.stack import Stack
from ops.times import iso

POLL: Final = timedelta(seconds=2)
LATE: Final = timedelta(minutes=5)
"""How late a line may be found, and how far this machine's clock may be from AWS's (which refuses signatures of clocks
that are further off)."""

_MESSAGE: Final = "alert sent"
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


class Sent(NamedTuple):
    """An alert, and when it was sent. `line` names the log's line; `is_doubtful` one of which no answer came."""

    line: str
    at: datetime
    alert: Mapping[str, Any]
    is_doubtful: bool

    def fields(self) -> dict[str, Any]:
        """Return what a program is told of it."""
        return {"sent_at": iso(self.at), "doubtful": self.is_doubtful, "alert": self.alert}


def sent(stack: Stack, since: datetime) -> list[Sent]:
    """Return the alerts that were sent since then, the oldest first."""
    pages = stack.logs.get_paginator("filter_log_events").paginate(
        logGroupName=stack.output("WatchLogsName"),
        startTime=max(int((since - _EPOCH) / timedelta(milliseconds=1)), 0),
        filterPattern=f'"{_MESSAGE}"',
    )
    found = (_sent(event) for page in pages for event in page["events"])
    return sorted((one for one in found if one is not None), key=lambda one: one.at)


def follow(
    read: Callable[[datetime], Iterable[Sent]],
    since: datetime,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
) -> Iterator[Sent]:
    """Yield alerts as they are sent, each once, for as long as somebody asks for more."""
    seen: dict[str, datetime] = {}
    while True:
        began = clock()
        for one in read(since):
            if one.line not in seen:
                seen[one.line] = one.at
                yield one
        since = max(since, began - LATE)
        seen = {line: at for line, at in seen.items() if at >= since - LATE}
        sleep(POLL.total_seconds())


def _sent(event: Mapping[str, Any]) -> Sent | None:
    """Read a line; None where it is another one."""
    try:
        fields: Any = json.loads(event["message"])
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or fields.get("message") != _MESSAGE or not isinstance(fields.get("alert"), dict):
        return None
    at = _EPOCH + timedelta(milliseconds=event["timestamp"])
    line = event.get("eventId") or f"{event['timestamp']} {event['message']}"
    return Sent(line, at, fields["alert"], is_doubtful=fields.get("doubtful") is True)
