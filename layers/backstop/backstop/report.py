"""A failure and its verdict in, the pipeline event and the history that tell of it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from backstop.event import MAX_ID_LENGTH
from backstop.fingerprint import NOTHING_KNOWN, Surroundings, fingerprint, innermost_own_frame, own_frames
from backstop.kinds import Kind
from backstop.message import Message
from backstop.parametrise import parametrise
from backstop.redact import redact
from backstop.trail import MAX_REASON, Trail
from backstop.verdict import Dead, Park, Retry

if TYPE_CHECKING:
    from backstop.letter import Letter

_MAX_RAW_ERROR: Final = 2048
_MAX_TYPE: Final = 64
_MAX_RECORD_ID: Final = 256
_MAX_PARTS: Final = 20
_MAX_PART: Final = 200


class Description(NamedTuple):
    """What may be told of an error: its type, its text without values or secrets, where it was raised, its group.

    `parts` are what the group is made of.
    """

    error_type: str = ""
    error: str = ""
    where: str = ""
    group: str = ""
    parts: tuple[tuple[str, str], ...] = ()


def describe(error: BaseException | None, own_root: str, surroundings: Surroundings = NOTHING_KNOWN) -> Description:
    """Describe an error without quoting what it was raised for. `own_root` is the folder of the team's own code."""
    if error is None:
        return Description()
    error_type = type(error).__name__[:_MAX_TYPE]
    text = parametrise(redact(_text_of(error)))[:MAX_REASON]
    where = innermost_own_frame(error.__traceback__, own_root, surroundings.vendored)
    frames = own_frames(error.__traceback__, own_root, surroundings.vendored)
    found = fingerprint(error, text, frames, surroundings)
    return Description(error_type, text, where, found.group, found.parts)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_RAW_ERROR]
    except Exception:  # noqa: BLE001  # an error that cannot even be printed is still its message's failure
        return "(its text cannot be printed)"


def tellable(parts: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return what a group is made of as it may be told: up to 20 parts of up to 200 characters, redacted."""
    return tuple((name, _redacted(name, value)[:_MAX_PART]) for name, value in parts[:_MAX_PARTS])


def _redacted(name: str, value: str) -> str:
    if name == "message":  # it was, before it became a part
        return value
    if name == "frame":  # a function of a module that is named `auth` is no secret of that name
        return ":".join(map(redact, value.split(":")))
    return redact(value)


def trail_after(
    message: Message,
    verdict: Retry | Park | Dead,
    kind: Kind,
    description: Description,
    now: datetime,
    release: str,
    not_before: datetime | None,
) -> Trail:
    """Return the history with which a message goes on after `verdict`."""
    trail = message.trail
    if not description.error_type:  # it only waits for its time: nothing has befallen it
        return replace(trail, not_before=not_before, source_queue=trail.source_queue or message.queue)
    return Trail(
        attempt=_tries(message, verdict),
        event_id=message.event_id or trail.event_id,
        key=message.key,
        first_failed_at=trail.first_failed_at or now,
        last_failed_at=now,
        not_before=not_before,
        waited_seconds=int(message.waited_until(now).total_seconds()),
        is_excused=not isinstance(verdict, Dead) and not verdict.is_counted,
        source_queue=trail.source_queue or message.queue,
        verdict="dead" if isinstance(verdict, Dead) else "retry",
        dead_because=verdict.reason if isinstance(verdict, Dead) else "",
        kind=kind,
        error_type=description.error_type,
        group=description.group,
        reason=description.error,
        release=release,
        redrive_id=trail.redrive_id,
        redrives=trail.redrives,
        sequence=trail.sequence,
    )


def _tries(message: Message, verdict: Retry | Park | Dead) -> int:
    """Count this try, unless the body is no event and was never tried, or the fault is ours."""
    is_counted = bool(message.event_id) if isinstance(verdict, Dead) else verdict.is_counted
    return message.trail.attempt + is_counted


@dataclass(frozen=True, slots=True)
class Report:
    """A pipeline event: what befell a message, or a stream's record, for people and for the watchers.

    It never quotes the payload.
    """

    pipeline_event: str
    verdict: str
    event_id: str
    attempt: int
    max_attempts: int | None = None
    key: str = ""
    queue: str = ""
    source_queue: str = ""
    stream: str = ""
    record_id: str = ""
    redrive_id: str = ""
    kind: str = ""
    dead_because: str = ""
    group: str = ""
    error_type: str = ""
    error: str = ""
    where: str = ""
    next_at: str = ""
    fingerprint: tuple[tuple[str, str], ...] = ()
    """What the group is made of."""

    @classmethod
    def failed(
        cls, message: Message, verdict: Retry | Park | Dead, trail: Trail, description: Description, max_attempts: int
    ) -> Self:
        """Tell of a message that failed and is retried later, or dead."""
        return cls(
            pipeline_event="failed",
            verdict=type(verdict).__name__,
            event_id=redact(message.event_id or trail.event_id),
            key=redact(message.key),
            attempt=trail.attempt,
            max_attempts=max_attempts,
            queue=message.queue,
            source_queue=trail.source_queue,
            redrive_id=trail.redrive_id,
            kind=trail.kind,
            dead_because=trail.dead_because,
            group=trail.group,
            error_type=trail.error_type,
            error=description.error,
            where=description.where,
            next_at=verdict.at.isoformat(timespec="milliseconds") if not isinstance(verdict, Dead) else "",
            fingerprint=tellable(description.parts),
        )

    @classmethod
    def recovered(cls, message: Message, max_attempts: int) -> Self:
        """Tell of a message that is done after it had failed."""
        trail = message.trail
        return cls(
            pipeline_event="recovered",
            verdict="Done",
            event_id=redact(message.event_id),
            key=redact(message.key),
            attempt=message.attempt,
            max_attempts=max_attempts,
            queue=message.queue,
            source_queue=trail.source_queue,
            redrive_id=trail.redrive_id,
            kind=trail.kind,
            group=trail.group,
            error_type=trail.error_type,
        )

    @classmethod
    def redriven(cls, letter: Letter, redrive_id: str, queue: str) -> Self:
        """Tell of a dead letter that went back to a queue."""
        trail = letter.trail
        return cls(
            pipeline_event="redriven",
            verdict="Redriven",
            event_id=redact(letter.name),
            key=redact(letter.key),
            attempt=trail.attempt,
            queue=queue,
            source_queue=letter.source_queue,
            redrive_id=redrive_id,
            kind=trail.kind,
            dead_because=trail.dead_because,
            group=trail.group,
            error_type=trail.error_type,
        )

    @classmethod
    def unprocessed(
        cls, record_id: str, event_id: str, attempt: int, stream: str, kind: Kind, description: Description
    ) -> Self:
        """Tell of a stream's record that was not transformed: Firehose keeps it under its error prefix."""
        return cls(
            pipeline_event="failed",
            verdict="ProcessingFailed",
            event_id=redact(event_id[:MAX_ID_LENGTH]),
            attempt=attempt,
            stream=stream,
            record_id=record_id[:_MAX_RECORD_ID],
            kind=kind,
            group=description.group,
            error_type=description.error_type,
            error=description.error,
            where=description.where,
            fingerprint=tellable(description.parts),
        )

    def fields(self) -> dict[str, Any]:
        """Return what goes into the log line; what is empty is left out."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value not in ("", None, ())}
