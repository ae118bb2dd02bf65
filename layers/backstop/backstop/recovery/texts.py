"""A cause and what was tried against it in, what people read out: what is the matter, what was done, what is next."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from backstop.alert import label
from backstop.recovery.mode import Mode
from backstop.recovery.state import Cause, CauseKind, CauseMemory, Memory, Tell, World
from backstop.release_counts import Hold

_LOG: Final = "backstop recovery"
_CIRCUITS: Final = "backstop circuits"


def told(cause: Cause, one: CauseMemory, world: World, memory: Memory) -> Tell:
    """Return what people are told of a cause that is there."""
    title = _title(cause, one, world)
    if world.mode is Mode.SUGGEST:
        title = f"Recovery would act, but may only suggest: {title}"
    lines = [f"Since {_clock(one.since)}.", *_tried(one)]
    lines += ["", "Next:", *(f"  {line}" for line in _next(cause, world, memory))]
    return Tell(str(cause), title, "\n".join(lines) + "\n")


def over(name: str, one: CauseMemory, now: datetime) -> Tell:
    """Return what those who were told of a cause are told once it is gone."""
    title = f"Over: {name}"
    gone = one.seen_at or now
    lines = [f"It lasted from {_clock(one.since)} to {_clock(gone)}.", *_tried(one)]
    return Tell(name, title, "\n".join([*lines, "", "Next:", f"  {_LOG}"]) + "\n", is_over=True)


def _tried(one: CauseMemory) -> list[str]:
    if not one.tried:
        return ["Nothing was tried against it."]
    return ["What was done, or would have been:", *(f"  {line}" for line in one.tried)]


def _title(cause: Cause, one: CauseMemory, world: World) -> str:
    name = cause.name
    match cause.kind:
        case CauseKind.CIRCUIT:
            return f"Circuit {name} does not close: it is open since {_clock(one.since)}"
        case CauseKind.RELEASE:
            return _release(name, _hold(name, world))
        case CauseKind.BACKLOG:
            return f"Events of intake {name} wait too long, although nothing that they need is down"
        case CauseKind.ENVIRONMENT:
            return f"Function {name}: one execution environment opens a circuit again and again"
        case CauseKind.ELSEWHERE:
            return f"Intake {name} was disabled, not by Backstop"
        case CauseKind.MISSING:
            return f"Intake {name} has lost its event source mapping: nothing comes in"
        case CauseKind.PERSON:
            return f"Intake is paused by {name}"


def _release(function: str, hold: Hold | None) -> str:
    if hold is None:
        return f"A new release of {function} fails"
    return f"Release {hold.release} of {function} failed {hold.failed} of {hold.ran} messages for one reason"


def _hold(function: str, world: World) -> Hold | None:
    return next((hold for hold in world.holds if hold.function == function), None)


def _next(cause: Cause, world: World, memory: Memory) -> list[str]:
    name = cause.name
    resume = [f"backstop resume {intake}" for intake in _paused_for(cause, memory)]
    match cause.kind:
        case CauseKind.CIRCUIT:
            return [_CIRCUITS, _LOG, *resume]
        case CauseKind.RELEASE:
            hold = _hold(name, world)
            look = [f"backstop groups show {label(hold.group)}"] if hold is not None else []
            return [*look, "deploy another release: intake is resumed then; or, if this one is right:", *resume]
        case CauseKind.BACKLOG:
            return [_LOG, "if the function is well, deploy with a higher MaxIntakeConcurrency"]
        case CauseKind.ENVIRONMENT:
            return [_CIRCUITS, _LOG]
        case CauseKind.ELSEWHERE:
            pause = memory.intakes[name].pause if name in memory.intakes else None
            ends = "" if pause is None else f"or leave it: it is resumed at {_clock(pause.until)}"
            return [f"backstop resume {name}", f"backstop pause {name}", *filter(None, [ends])]
        case CauseKind.MISSING:
            return ["deploy the stack again: its events wait in their queue until then", _LOG]
        case CauseKind.PERSON:
            return resume


def _paused_for(cause: Cause, memory: Memory) -> list[str]:
    pauses = {name: mine.pause for name, mine in memory.intakes.items()}
    return sorted(name for name, pause in pauses.items() if pause is not None and pause.cause == cause)


def _clock(at: datetime | None) -> str:
    return "an unknown time" if at is None else f"{at:%Y-%m-%dT%H:%MZ}"
