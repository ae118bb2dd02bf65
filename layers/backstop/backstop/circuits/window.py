"""Calls to a downstream in, whether too many of them failed out: a window that moves on slot by slot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from backstop.circuits.state import SLOTS, Calls, Thresholds

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Window = Mapping[int, Calls]
"""Calls, by the number of their slot."""


def slot_of(now: datetime, thresholds: Thresholds) -> int:
    """Return the number of the slot that it is now."""
    return (now - _EPOCH) // thresholds.slot


def merged(one: Window, other: Window) -> dict[int, Calls]:
    """Return the calls of both windows."""
    return {slot: plus(one.get(slot, Calls()), other.get(slot, Calls())) for slot in {*one, *other}}


def plus(one: Calls, other: Calls) -> Calls:
    """Return the sum of both."""
    return Calls(one.calls + other.calls, one.failures + other.failures)


def live(window: Window, newest: int) -> dict[int, Calls]:
    """Return the slots that count.

    One slot ahead of the newest counts, too: clocks differ. What is further ahead is of another length of slot.
    """
    return {slot: calls for slot, calls in window.items() if newest - SLOTS < slot <= newest + 1}


def total(window: Window, now: datetime, thresholds: Thresholds) -> Calls:
    """Return how many calls the window has, and how many of them failed."""
    calls = live(window, slot_of(now, thresholds)).values()
    return Calls(sum(one.calls for one in calls), sum(one.failures for one in calls))


def fails_too_often(counted: Calls, thresholds: Thresholds) -> bool:
    """Whether so many calls failed that the circuit opens."""
    return counted.calls >= thresholds.calls and 0 < counted.failures >= thresholds.rate * counted.calls
