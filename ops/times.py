"""A time as a person types it in, the moment or the span out; and a moment as programs read it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from ops.failure import CallFailed
from ops.terminal import harmless

_SPAN: Final = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def since(text: str, now: datetime, option: str = "--since") -> datetime:
    """Read a time: ISO 8601 (UTC unless it says otherwise), or how long ago: 30m, 2h, 3d. Raises CallFailed."""
    try:
        ago = _span(text)
        moment = datetime.fromisoformat(text) if ago is None else now - ago
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise CallFailed(
            f"{option} {harmless(text)}: a time such as 2026-11-21T09:00, or how long ago: 30m, 2h, 3d"
        ) from None


def lasting(option: str, text: str, most: timedelta) -> timedelta:
    """Read how long something is to last: 30m, 2h, 3d, `most` at most. Raises CallFailed."""
    found = _span(text)
    if found is None or not timedelta() < found <= most:
        raise CallFailed(f"{option} {harmless(text)}: a span such as 30m, 2h, 3d, at most {most.days}d")
    return found


def iso(when: datetime) -> str:
    """Return a time as programs read it."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds")


def told(when: datetime) -> str:
    """Return a time as people read it."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _span(text: str) -> timedelta | None:
    found = _SPAN.fullmatch(text)
    return None if found is None else timedelta(**{_UNITS[found[2]]: int(found[1])})
