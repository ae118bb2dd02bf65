"""Delivered log lines in, what they tell of out: each failure once, and what became of events that had failed."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, TypeGuard

from backstop.delivery import Delivery, LogLine
from backstop.error_lines import CRASHES, Failure, in_json, in_text, kind_of
from backstop.event import MAX_ID_LENGTH
from backstop.fingerprint import Surroundings, fingerprint_of
from backstop.kinds import Kind
from backstop.occurrence import Occurrence
from backstop.parametrise import parametrise
from backstop.redact import redact
from backstop.report import tellable
from backstop.tracebacks import simple_name
from backstop.trail import MAX_REASON

PIPELINE_EVENTS: Final = "pipeline-events"
"""The subscription filter that lets pipeline events through, and failures that are told of in plain text."""
FAILURES: Final = "failures"
"""The subscription filter that lets failures through that are told of in JSON, but are no pipeline events."""

_FAILED: Final = frozenset({"Retry", "Park", "Dead", "ProcessingFailed"})
_DONE: Final = {"recovered": "Done", "redriven": "Redriven"}
_KINDS: Final = {str(kind): kind for kind in Kind}
_MAX_RAW_ERROR: Final = 2048
_MAX_RAW_ID: Final = 1024
_MAX_PARTS: Final = 20
_MAX_COUNT: Final = 1_000_000

_GROUP: Final = re.compile(r"[0-9a-f]{16}")
_TYPE: Final = re.compile(r"[^\W\d]\w{0,63}")
_NAME: Final = re.compile(r"[\w.-]{1,128}")
_PLACE: Final = re.compile(r"[\w.<>$-]{1,128}:[\w.<>$]{1,128}")
_MOMENT: Final = re.compile(r"[\dT:.+-]{10,40}Z?")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def read(delivery: Delivery, stage: str) -> list[Occurrence]:
    """Return what a delivery's lines tell of, in their order. `stage` is that of lines that name none.

    A line may say anything: what is not as it is written here is left out, and texts are redacted and cut. No failure
    is told of twice, be it by two lines or by two filters.
    """
    reading = _Reading(delivery, stage)
    return [occurrence for line in delivery.lines for occurrence in reading.of(line)]


@dataclass(slots=True)
class _Reading:
    """Reads a delivery's lines one after the other, and remembers what they told of."""

    delivery: Delivery
    stage: str
    _crashed: set[str] = field(default_factory=set)
    _raised: dict[str, Failure] = field(default_factory=dict)
    """What the function told of last, by type."""
    _errors: dict[tuple[str, ...], str] = field(default_factory=dict)
    """The texts of failures that passed through own code, one a type and way."""

    def of(self, line: LogLine) -> Iterator[Occurrence]:
        """Yield what a line tells of, if anything."""
        fields = _fields(line.text)
        if fields is not None and self._is_for_the_other_filter(fields):
            return
        if fields is not None and "pipeline_event" in fields:
            yield from self._of_event(line, fields)
            return
        failure = in_text(line.text) if fields is None else in_json(fields)
        if failure and not self._was_told(failure):
            yield self._of_failure(line, failure, fields or {})

    def _is_for_the_other_filter(self, fields: Mapping[str, Any]) -> bool:
        return self.delivery.filters == ((FAILURES,) if "pipeline_event" in fields else (PIPELINE_EVENTS,))

    def _was_told(self, failure: Failure) -> bool:
        """Tell whether a line before told of the same: of its worker's end, or of what was not handled after it."""
        if failure.is_crash:
            is_known = failure.request_id in self._crashed
            self._crashed |= {failure.request_id} - {""}
            return is_known
        if not failure.is_unhandled:
            self._raised[failure.error_type] = failure
            return False
        before = self._raised.pop(failure.error_type, None)  # one line of Lambda's: the next one is of another call
        if before is None:
            return False
        if before.request_id and failure.request_id:
            return before.request_id == failure.request_id
        return before.text == failure.text

    def _of_event(self, line: LogLine, fields: Mapping[str, Any]) -> Iterator[Occurrence]:
        name, verdict = fields["pipeline_event"], fields.get("verdict")
        if name == "failed":
            found = self._told(line, fields, verdict if _is_one_of(verdict, _FAILED) else "")
            yield found if found.group else _grouped(found, found.error, ())
        elif _is_one_of(name, _DONE):
            yield self._told(line, fields, _DONE[name])

    def _told(self, line: LogLine, fields: Mapping[str, Any], verdict: str) -> Occurrence:
        kind = fields.get("kind")
        return Occurrence(
            line=line.id,
            at=line.at,
            group=_matching(fields.get("group"), _GROUP),
            kind=_KINDS[kind] if _is_one_of(kind, _KINDS) else Kind.UNKNOWN,
            error_type=_type(fields.get("error_type")),
            error=_error(fields.get("error")),
            where=_place(fields.get("where")),
            function=_name(fields.get("function")) or self.delivery.function,
            stage=_name(fields.get("stage")) or self.stage,
            release=_name(fields.get("release")),
            verdict=verdict,
            dead_because=_name(fields.get("dead_because")),
            event_id=_id(fields.get("event_id")),
            key=_id(fields.get("key")),
            queue=_name(fields.get("queue")),
            source_queue=_name(fields.get("source_queue")),
            attempt=_count(fields.get("attempt")) or 0,
            max_attempts=_count(fields.get("max_attempts")),
            next_at=_matching(fields.get("next_at"), _MOMENT),
            request_id=_id(fields.get("request_id")),
            redrive_id=_name(fields.get("redrive_id")),
            parts=_parts(fields.get("fingerprint")),
        )

    def _of_failure(self, line: LogLine, failure: Failure, fields: Mapping[str, Any]) -> Occurrence:
        kind = kind_of(failure)
        error = self._error_of(failure, kind)
        found = Occurrence(
            line=line.id,
            at=line.at,
            group="",
            kind=kind,
            error_type=_type(simple_name(failure.error_type)),
            error=error,
            where=_place(failure.where),
            function=_name(fields.get("function")) or _name(fields.get("function_name")) or self.delivery.function,
            stage=_name(fields.get("stage")) or self.stage,
            release=_name(fields.get("release")),
            request_id=_id(failure.request_id),
            is_crash=failure.is_crash,
        )
        return _grouped(found, CRASHES[found.error_type] if found.is_crash else error, failure.frames)

    def _error_of(self, failure: Failure, kind: Kind) -> str:
        """Return a failure's text. Where its way through own code makes its group, a group's first text stands for all.

        Only one of them is ever shown, and each takes longer than all else that is read of a line.
        """
        if not failure.frames:
            return _error(failure.text)
        way = (kind, failure.error_type, *failure.frames)
        if way not in self._errors:
            self._errors[way] = _error(failure.text)
        return self._errors[way]


def _fields(text: str) -> dict[str, Any] | None:
    if text.lstrip()[:1] != "{":
        return None
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _grouped(occurrence: Occurrence, message: str, frames: tuple[str, ...]) -> Occurrence:
    """Return an occurrence with its group, as that of an error that its function would have told of itself."""
    known = Surroundings(kind=occurrence.kind, function=occurrence.function, stage=occurrence.stage)
    found = fingerprint_of(occurrence.error_type, message, frames, known)
    return replace(occurrence, group=found.group, parts=_told_parts(found.parts))


def _is_one_of(value: object, known: Container[str]) -> TypeGuard[str]:
    return isinstance(value, str) and value in known


def _matching(value: object, form: re.Pattern[str]) -> str:
    return value if isinstance(value, str) and form.fullmatch(value) else ""


def _type(value: object) -> str:
    return _redacted(_matching(value, _TYPE))


def _name(value: object) -> str:
    return _redacted(_matching(value, _NAME))


def _id(value: object) -> str:
    if not isinstance(value, str) or _UUID.fullmatch(value):
        return value if isinstance(value, str) else ""
    return _redacted(value[:_MAX_RAW_ID])[:MAX_ID_LENGTH]


def _place(value: object) -> str:
    module, colon, function = _matching(value, _PLACE).partition(":")
    return f"{_redacted(module)}{colon}{_redacted(function)}"


def _error(value: object) -> str:
    return _told_error(value[:_MAX_RAW_ERROR]) if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return min(max(value, 0), _MAX_COUNT)


def _parts(value: object) -> tuple[tuple[str, str], ...]:
    """Read what a group is made of: pairs of a name and a text."""
    pairs = value[:_MAX_PARTS] if isinstance(value, list) else []
    if not all(map(_is_part, pairs)):
        return ()
    return _told_parts(tuple((name, _error(text) if name == "message" else text[:_MAX_RAW_ID]) for name, text in pairs))


def _is_part(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    return _matching(value[0], _NAME) != "" and isinstance(value[1], str)


# The same few texts stand in thousands of lines.


@lru_cache(maxsize=2048)
def _told_error(text: str) -> str:
    return parametrise(redact(text))[:MAX_REASON]


@lru_cache(maxsize=2048)
def _redacted(text: str) -> str:
    return redact(text)


@lru_cache(maxsize=512)
def _told_parts(parts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tellable(parts)
