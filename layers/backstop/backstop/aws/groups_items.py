"""Groups and their windows in, items of FailureGroupsTable out, and back: what is not as it was written is left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from backstop.budget import Slots, Window
from backstop.errors import StoreUnavailable
from backstop.groups import Group
from backstop.kinds import Kind
from backstop.occurrence import Severity, Tally

Item = Mapping[str, Any]

KEPT: Final = timedelta(days=90)
"""How long a group is known after it was last counted."""
MAX_WINDOWS: Final = 24
"""Earlier windows that an item remembers."""
BATCHES: Final = 32
"""Batches that an item remembers, so that one that is delivered again is not counted again."""

_TEXTS: Final = ("error_type", "error", "where", "function", "stage", "release", "verdict", "event_id", "queue")


def key(group: str) -> dict[str, Any]:
    """Return a group's key."""
    return {"group": {"S": group}}


def millis(moment: datetime) -> int:
    """Return a time in milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


def in_millis(moment: datetime) -> datetime:
    """Return a time as it is when it was written and read."""
    return _at(millis(moment))


def number(value: int) -> dict[str, str]:
    """Return a number as DynamoDB writes it."""
    return {"N": str(value)}


def batch_attribute(batch: str) -> str:
    """Return the attribute that remembers a batch: one of a few, so that an item does not grow."""
    return f"batch{int(batch[:8], 16) % BATCHES:02}"


def sample_of(tally: Tally) -> tuple[dict[str, Any], list[str]]:
    """Return the attributes that a tally's sample sets, and those that it has nothing for."""
    sample = tally.sample
    texts = {name: getattr(sample, name) for name in _TEXTS}
    values: dict[str, Any] = {name: {"S": text} for name, text in texts.items() if text}
    values |= {"severity": {"S": tally.severity}, "kind": {"S": sample.kind}}
    if sample.parts:
        values["parts"] = {"S": json.dumps(sample.parts)}
    return values, [name for name, text in texts.items() if not text]


def group_of(item: Item) -> Group:
    """Read a group. Raises StoreUnavailable where the item is none."""
    try:
        return Group(
            group=item["group"]["S"],
            first_seen=_moment(item["first_seen"]),
            last_seen=_moment(item["last_seen"]),
            counted_at=_moment(item["counted_at"]),
            occurrences=int(item["occurrences"]["N"]),
            severity=Severity(item["severity"]["S"]),
            kind=Kind(item["kind"]["S"]),
            releases=frozenset(item.get("releases", {}).get("SS", ())),
            parts=_parts(_text(item, "parts")),
            acked_at=_perhaps(item, "acked_at"),
            silenced_until=_perhaps(item, "silenced_until"),
            resolved_at=_perhaps(item, "resolved_at"),
            note=_text(item, "note"),
            **{name: _text(item, name) for name in _TEXTS},
        )
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise StoreUnavailable(f"the item of group {_text(item, 'group')} is not as it was written: {error}") from error


def window_of(item: Item) -> Window | None:
    """Read a group's window; None where it never had one. Raises StoreUnavailable where it is none."""
    if "window_opened" not in item:
        return None
    try:
        return Window(
            group=item["group"]["S"],
            opened=_moment(item["window_opened"]),
            counted_at=_moment(item["counted_at"]),
            count=int(item["window_count"]["N"]),
            slots=Slots.parse(item["slots"]["S"]),
        )
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise StoreUnavailable(f"the window of group {_text(item, 'group')} is not as written: {error}") from error


def windows_before(item: Item) -> list[tuple[datetime, int]]:
    """Read when a group's earlier windows opened and how often it failed in each, the newest first."""
    with suppress(ValueError, TypeError, OverflowError, RecursionError):
        return [(_at(opened), int(count)) for opened, count in json.loads(_text(item, "windows_before") or "[]")]
    return []


def remembered(item: Item, replaced: Window) -> dict[str, str]:
    """Return the attribute of the earlier windows with one more."""
    kept = [(replaced.opened, replaced.count), *windows_before(item)][:MAX_WINDOWS]
    return {"S": json.dumps([(millis(opened), count) for opened, count in kept])}


def _parts(text: str) -> tuple[tuple[str, str], ...]:
    with suppress(ValueError, TypeError, OverflowError, RecursionError):
        return tuple((str(name), str(value)) for name, value in json.loads(text or "[]"))
    return ()


def _text(item: Item, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def _perhaps(item: Item, name: str) -> datetime | None:
    return _moment(item[name]) if name in item else None


def _moment(value: Mapping[str, str]) -> datetime:
    return _at(int(value["N"]))


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
