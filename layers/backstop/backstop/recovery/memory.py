"""What recovery remembers in, one JSON document out, and back: what is not as it was written is left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from backstop.recovery.causes import cause_named
from backstop.recovery.pausing import begun, ended
from backstop.recovery.state import Cause, CauseKind, CauseMemory, IntakeMemory, Memory, Pause, SwitchMemory, Tell

VERSION: Final = 1
"""The form of the document; one of another form is read as empty: what is disabled is adopted then."""
_MOST_CONCURRENCY: Final = 1000
"""The highest MaximumConcurrency that SQS event sources take."""
_MOST_FAILURES: Final = 1000

_T = TypeVar("_T")


def paused(memory: Memory, intake: str, by: str, until: datetime, now: datetime) -> Memory:
    """Return the memory with an intake paused by a person until a time, whatever it was paused for before."""
    mine = memory.intakes.get(intake, IntakeMemory())
    pause = Pause(Cause(CauseKind.PERSON, by), now, until)
    return replace(memory, intakes={**memory.intakes, intake: begun(mine, pause)})


def resumed(memory: Memory, intake: str, now: datetime) -> Memory:
    """Return the memory with an intake resumed by a person, on trial: a circuit that is open does not pause it at once.

    One that was not paused is enabled if it is disabled, and else left as it is.
    """
    mine = memory.intakes.get(intake, IntakeMemory())
    anew = replace(mine, is_resuming=True, stepped_at=now) if mine.pause is None else ended(mine, now, is_trial=True)
    return replace(memory, intakes={**memory.intakes, intake: anew})


def serialise(memory: Memory) -> str:
    """Return the document; `version`, which is compared and set, is `number` in it."""
    fields = asdict(memory)
    number = fields.pop("version")
    return json.dumps({"version": VERSION, "number": number} | fields, default=_to_json, separators=(",", ":"))


def parse(text: str) -> Memory:
    """Read what `serialise` wrote; a part that is not as it was written is left out, and the rest is kept."""
    fields = _document(text)
    return Memory(
        version=_whole(fields.get("number"), 0, 2**63) or 0,
        intakes=_each(fields.get("intakes"), _intake),
        switches=_each(fields.get("switches"), _switch),
        causes={name: one for name, one in _each(fields.get("causes"), _cause).items() if _is_cause(name)},
        restarts=_each(fields.get("restarts"), _moment),
        untold=tuple(tell for one in _list(fields.get("untold")) if (tell := _tell(one)) is not None),
    )


def _document(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) and fields.get("version") == VERSION else {}


def _to_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is nothing that is remembered")


def _each(value: object, read: Callable[[Any], _T | None]) -> dict[str, _T]:
    if not isinstance(value, dict):
        return {}
    found = {name: read(one) for name, one in value.items()}
    return {name: one for name, one in found.items() if one is not None}


def _intake(value: object) -> IntakeMemory | None:
    if not isinstance(value, Mapping):
        return None
    return IntakeMemory(
        pause=_pause(value.get("pause")),
        concurrency=_whole(value.get("concurrency"), 2, _MOST_CONCURRENCY),
        stepped_at=_moment(value.get("stepped_at")),
        paused_at=_moments(value.get("paused_at")),
        trial_until=_moment(value.get("trial_until")),
        is_resuming=value.get("is_resuming") is True,
    )


def _pause(value: object) -> Pause | None:
    """Read a pause; one that would never end is none, but a release's."""
    if not isinstance(value, Mapping):
        return None
    cause, since, until = _cause_of(value.get("cause")), _moment(value.get("since")), _moment(value.get("until"))
    if cause is None or since is None or (until is None and cause.kind is not CauseKind.RELEASE):
        return None
    return Pause(cause, since, until)


def _cause_of(value: object) -> Cause | None:
    match value:
        case [str(kind), str(name)] if kind in set(CauseKind):
            return Cause(CauseKind(kind), name)
        case _:
            return None


def _switch(value: object) -> SwitchMemory | None:
    if not isinstance(value, Mapping) or not isinstance(value.get("to_backup"), bool):
        return None
    failures = _whole(value.get("failures"), 0, _MOST_FAILURES) or 0
    return SwitchMemory(value["to_backup"], _moment(value.get("since")), failures)


def _cause(value: object) -> CauseMemory | None:
    if not isinstance(value, Mapping):
        return None
    since = _moment(value.get("since"))
    if since is None:
        return None
    return CauseMemory(
        since=since,
        tried=tuple(one for one in _list(value.get("tried")) if isinstance(one, str)),
        told_at=_moment(value.get("told_at")),
        seen_at=_moment(value.get("seen_at")),
        is_over=value.get("is_over") is True,
    )


def _is_cause(name: str) -> bool:
    try:
        return bool(cause_named(name).name)
    except ValueError:
        return False


def _tell(value: object) -> Tell | None:
    match value:
        case {"key": str(key), "title": str(title), "text": str(text), **rest}:
            return Tell(key, title, text, is_over=rest.get("is_over") is True)
        case _:
            return None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _moments(value: object) -> tuple[datetime, ...]:
    return tuple(at for one in _list(value) if (at := _moment(one)) is not None)


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _whole(value: object, least: int, most: int) -> int | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and isinstance(value, int) and least <= value <= most else None
