"""Delivered log lines in, what they tell of out: each failure once, and what became of events that had failed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from backstop.circuits.state import CircuitState
from backstop.delivery import Delivery, LogLine
from backstop.error_lines import CRASHES, Failure, in_json, in_text, kind_of
from backstop.fingerprint import Surroundings, fingerprint_of
from backstop.kinds import Kind
from backstop.line_fields import (
    count_in,
    error_in,
    group_in,
    id_in,
    is_one_of,
    moment_in,
    name_in,
    parts_in,
    place_in,
    told_parts,
    type_in,
)
from backstop.occurrence import Occurrence
from backstop.tracebacks import simple_name

PIPELINE_EVENTS: Final = "pipeline-events"
"""The subscription filter that lets pipeline events through, and failures that are told of in plain text."""
FAILURES: Final = "failures"
"""The subscription filter that lets failures through that are told of in JSON, but are no pipeline events."""

_FAILED: Final = frozenset({"Retry", "Park", "Dead", "ProcessingFailed"})
_DONE: Final = {"recovered": "Done", "redriven": "Redriven"}
_OPENED: Final = str(CircuitState.OPEN)
_KINDS: Final = {str(kind): kind for kind in Kind}


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
            found = self._told(line, fields, verdict if is_one_of(verdict, _FAILED) else "")
            yield found if found.group else _grouped(found, found.error, ())
        elif is_one_of(name, _DONE):
            yield self._told(line, fields, _DONE[name])
        elif name == "circuit" and fields.get("after") == _OPENED and fields.get("error_type"):  # of no event
            found = replace(self._told(line, fields, ""), event_id="", key="")
            yield found if found.group else _grouped(found, found.error, ())

    def _told(self, line: LogLine, fields: Mapping[str, Any], verdict: str) -> Occurrence:
        kind = fields.get("kind")
        return Occurrence(
            line=line.id,
            at=line.at,
            group=group_in(fields.get("group")),
            kind=_KINDS[kind] if is_one_of(kind, _KINDS) else Kind.UNKNOWN,
            error_type=type_in(fields.get("error_type")),
            error=error_in(fields.get("error")),
            where=place_in(fields.get("where")),
            function=name_in(fields.get("function")) or self.delivery.function,
            stage=name_in(fields.get("stage")) or self.stage,
            release=name_in(fields.get("release")),
            verdict=verdict,
            dead_because=name_in(fields.get("dead_because")),
            event_id=id_in(fields.get("event_id")),
            key=id_in(fields.get("key")),
            queue=name_in(fields.get("queue")),
            source_queue=name_in(fields.get("source_queue")),
            attempt=count_in(fields.get("attempt")) or 0,
            max_attempts=count_in(fields.get("max_attempts")),
            next_at=moment_in(fields.get("next_at")),
            request_id=id_in(fields.get("request_id")),
            redrive_id=name_in(fields.get("redrive_id")),
            parts=parts_in(fields.get("fingerprint")),
        )

    def _of_failure(self, line: LogLine, failure: Failure, fields: Mapping[str, Any]) -> Occurrence:
        kind = kind_of(failure)
        error = self._error_of(failure, kind)
        found = Occurrence(
            line=line.id,
            at=line.at,
            group="",
            kind=kind,
            error_type=type_in(simple_name(failure.error_type)),
            error=error,
            where=place_in(failure.where),
            function=name_in(fields.get("function")) or name_in(fields.get("function_name")) or self.delivery.function,
            stage=name_in(fields.get("stage")) or self.stage,
            release=name_in(fields.get("release")),
            request_id=id_in(failure.request_id),
            is_crash=failure.is_crash,
        )
        return _grouped(found, CRASHES[found.error_type] if found.is_crash else error, failure.frames)

    def _error_of(self, failure: Failure, kind: Kind) -> str:
        """Return a failure's text. Where its way through own code makes its group, a group's first text stands for all.

        Only one of them is ever shown, and each takes longer than all else that is read of a line.
        """
        if not failure.frames:
            return error_in(failure.text)
        way = (kind, failure.error_type, *failure.frames)
        if way not in self._errors:
            self._errors[way] = error_in(failure.text)
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
    return replace(occurrence, group=found.group, parts=told_parts(found.parts))
