"""The time it is: flows are given it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time it is."""
    return datetime.now(UTC)
