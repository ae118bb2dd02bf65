"""A message's history in, the `backstop` attribute out, and back: it is input, so it is read with suspicion."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

ATTRIBUTE: Final = "backstop"
VERSION: Final = 1
MAX_LENGTH: Final = 16_384
"""An attribute longer than this was not written here: the longest history, escaped throughout, takes about 10,000."""
MAX_REASON: Final = 512

_MAX_ATTEMPT: Final = 1000
_OLDEST: Final = timedelta(days=365)
_LATEST: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Trail:
    """What befell a message before now.

    `attempt` counts the handler's tries so far, `waited_seconds` the time spent on faults that were ours. `verdict`
    is the last one (`retry` or `dead`), `dead_because` the reason where it is dead, `not_before` the time before
    which it is not tried: SQS could not delay it that long. `is_excused` says that its last failure was not its own
    fault, so that no attempt was counted: a fault of ours, an open circuit, a release that is held.
    """

    attempt: int = 0
    event_id: str = ""
    key: str = ""
    first_failed_at: datetime | None = None
    last_failed_at: datetime | None = None
    not_before: datetime | None = None
    waited_seconds: int = 0
    is_excused: bool = False
    source_queue: str = ""
    verdict: str = ""
    dead_because: str = ""
    kind: str = ""
    error_type: str = ""
    group: str = ""
    reason: str = ""
    release: str = ""
    redrive_id: str = ""
    redrives: int = 0
    """How often it was redriven."""
    sequence: str = ""
    """The number that SQS gave it in its ordered queue: its place among its key's events."""

    def serialise(self) -> str:
        """Return the attribute's value: ASCII JSON, so that any queue takes it; what is empty is left out."""
        fields = {name: _to_json(value) for name, value in asdict(self).items() if value not in ("", None)}
        for name in ("waited_seconds", "redrives", "is_excused"):
            if not fields[name]:
                del fields[name]
        return json.dumps({"version": VERSION} | fields, separators=(",", ":"))

    def shortened(self) -> Self:
        """Return the same history without the reason's text."""
        return replace(self, reason="")

    @classmethod
    def parse(cls, text: str | None, queues: frozenset[str], now: datetime) -> Self:
        """Read the history of a message that came from a queue, as `written` does.

        One that was dead and is back in a queue was redriven: its attempts start anew, its history stays.
        """
        trail = cls.written(text, queues, now)
        if trail.verdict == "dead":
            return replace(trail, attempt=0, first_failed_at=None, not_before=None, waited_seconds=0)
        return trail

    @classmethod
    def written(cls, text: str | None, queues: frozenset[str], now: datetime) -> Self:
        """Read an attribute's value; what is not as it was written here is left out, numbers are capped.

        `queues` are the names that may stand as `source_queue`.
        """
        fields = _fields(text)
        return cls(
            attempt=_count(fields.get("attempt"), _MAX_ATTEMPT),
            redrives=_count(fields.get("redrives"), _MAX_ATTEMPT),
            waited_seconds=_count(fields.get("waited_seconds"), int(_OLDEST.total_seconds())),
            is_excused=fields.get("is_excused") is True,
            first_failed_at=_moment(fields.get("first_failed_at"), now, now),
            last_failed_at=_moment(fields.get("last_failed_at"), now, now),
            not_before=_moment(fields.get("not_before"), now, now + _LATEST),
            source_queue=_one_of(fields.get("source_queue"), queues),
            verdict=_one_of(fields.get("verdict"), frozenset({"retry", "dead"})),
            event_id=_text(fields.get("event_id")),
            key=_text(fields.get("key")),
            reason=_text(fields.get("reason")),
            **{name: _matching(fields.get(name), form) for name, form in _FORMS.items()},
        )


_FORMS: Final = {
    "dead_because": re.compile(r"permanent|exhausted|crashed|skipped"),
    "kind": re.compile(r"transient|permanent|system|unknown"),
    "error_type": re.compile(r"\w{1,64}"),
    "group": re.compile(r"[0-9a-f]{16}"),
    "release": re.compile(r"[\w.-]{1,64}"),
    "redrive_id": re.compile(r"[\w.-]{1,64}"),
    "sequence": re.compile(r"\d{1,64}", re.ASCII),
}
"""What is told of a history in logs, and the form in which it is written here."""

FRESH: Final = Trail()


def _to_json(value: Any) -> Any:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


def _fields(text: str | None) -> dict[str, Any]:
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        return {}
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) and fields.get("version") == VERSION else {}


def _count(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return min(max(value, 0), most)


def _moment(value: object, now: datetime, latest: datetime) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment, now - _OLDEST), latest)


def _one_of(value: object, allowed: frozenset[str]) -> str:
    return value if isinstance(value, str) and value in allowed else ""


def _matching(value: object, form: re.Pattern[str]) -> str:
    return value if isinstance(value, str) and form.fullmatch(value) else ""


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return value[:MAX_REASON]
