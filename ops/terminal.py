"""What came from elsewhere in, what a terminal may show out; and whether a person sits at one."""

from __future__ import annotations

import sys
from datetime import timedelta


def harmless(text: str) -> str:
    """Spell out what a terminal would obey, or show as something else: text from elsewhere may hold anything."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)


def span(time: timedelta) -> str:
    """Say how long a time is, in its largest whole unit."""
    seconds = max(int(time.total_seconds()), 0)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def is_a_person() -> bool:
    """Return whether somebody reads what is printed and can answer."""
    return sys.stdin.isatty() and sys.stdout.isatty()
