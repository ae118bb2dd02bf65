"""The event that invoked recovery in, what woke it out: the minute, an alarm, an alert. Nothing is decided by it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backstop.recovery.alert import REASON
from backstop.redact import redact

MINUTE: Final = "the minute"
_MOST: Final = 200
"""Characters of a name that is logged."""


@dataclass(frozen=True, slots=True)
class Waking:
    """What woke recovery."""

    by: tuple[str, ...]
    """Names of alarms, titles of alerts: redacted."""
    is_reconcile: bool = False
    is_own: bool = False
    """Whether it is only told of what it told people itself."""


def waking(event: Mapping[str, Any]) -> Waking:
    """Return what woke recovery. Nothing is refused: whatever comes, looking again does no harm."""
    if event.get("reconcile") is True:
        return Waking((MINUTE,), is_reconcile=True)
    documents = list(_documents(event))
    is_own = bool(documents) and all(document.get("reason") == REASON for document in documents)
    return Waking(tuple(map(_name, documents)), is_own=is_own)


def _documents(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    records = event.get("Records")
    for record in records if isinstance(records, list) else []:
        sent = record.get("Sns") if isinstance(record, Mapping) else None
        yield _document(sent.get("Message")) if isinstance(sent, Mapping) else {}


def _document(message: object) -> Mapping[str, Any]:
    try:
        document = json.loads(message) if isinstance(message, str) else None
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, Mapping) else {}


def _name(document: Mapping[str, Any]) -> str:
    name = document.get("AlarmName") or document.get("title")
    return redact(name[:_MOST]) if isinstance(name, str) else "a message of another kind"
