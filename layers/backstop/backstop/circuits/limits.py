"""A circuit's name and parameters in, its thresholds out: what does not fit is told by name, with what would."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from backstop.circuits.state import Thresholds

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HOUR: Final = timedelta(hours=1)
"""An item outlives what was last written of it by an hour: nothing that counts may be older."""

Seconds = float | timedelta


def checked_name(name: object) -> str:
    """Return the name of a circuit. Raises TypeError or ValueError."""
    if not isinstance(name, str):
        raise TypeError(f"a circuit's name is a text, not {name!r}")
    if not _NAME.fullmatch(name):
        raise ValueError(f"a circuit's name is 1 to 64 letters, digits, '.', '_' or '-', not {name!r}")
    return name


def checked_thresholds(
    name: str, *, failures: int, rate: float, calls: int, window: Seconds, open_for: Seconds, successes: int
) -> Thresholds:
    """Return the thresholds of a circuit. Raises TypeError or ValueError."""
    return Thresholds(
        failures=_count(name, "failures", failures, 1000),
        rate=_rate(name, rate),
        calls=_count(name, "calls", calls, 100_000),
        window=_span(name, "window", window, timedelta(seconds=10)),
        open_for=_span(name, "open_for", open_for, timedelta(seconds=1)),
        successes=_count(name, "successes", successes, 100),
    )


def _count(name: str, parameter: str, value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"circuit {name}: {parameter} is a whole number, not {value!r}")
    if not 1 <= value <= most:
        raise ValueError(f"circuit {name}: {parameter} is 1 to {most}, not {value}")
    return value


def _rate(name: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"circuit {name}: rate is a number, not {value!r}")
    if not 0 < value <= 1:
        raise ValueError(f"circuit {name}: rate is above 0, and 1 at most, not {value}")
    return float(value)


def _span(name: str, parameter: str, value: object, least: timedelta) -> timedelta:
    if not isinstance(value, int | float | timedelta) or isinstance(value, bool):
        raise TypeError(f"circuit {name}: {parameter} is seconds or a timedelta, not {value!r}")
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not least.total_seconds() <= seconds <= _HOUR.total_seconds():
        raise ValueError(f"circuit {name}: {parameter} is {least.seconds} to {_HOUR.seconds} seconds, not {value}")
    return timedelta(seconds=seconds)
