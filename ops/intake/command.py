"""Intakes in; paused or resumed, once that is shown and agreed to; the exit code out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from backstop.recovery.memory import paused, resumed
from backstop.recovery.state import Intake, MappingState, Strategy
from ops.agreeing import Asked, disagreed
from ops.intake.deciding import Decision, carry_out
from ops.intake.found import chosen, held_releases, recovery_of
from ops.intake.reconcile import look
from ops.intake.standing import Standing, hold_in_words, standings, what_fails
from ops.recovery.remembered import memory_of
from ops.stack import Stack
from ops.tables import say, warn
from ops.times import told

LONGEST: Final = timedelta(hours=24)
"""What stands still for longer is forgotten: pause it anew."""

_LEFT: Final = {Strategy.PAUSE: MappingState.ENABLED, Strategy.RESUME: MappingState.DISABLED}
"""What a mapping is that is still as it was."""


def pause(stack: Stack, name: str, time: timedelta, asked: Asked) -> int:
    """Let no fresh events into an intake for a while, or into all of them; returns 1 where that is not agreed to.

    One that stands still already is paused until then instead. Raises CallFailed where AWS does not answer.
    """
    seen = _seen(stack, chosen(recovery_of(stack).intakes, name))
    there = tuple(one for one in seen if one.mapping.state is not MappingState.GONE)
    if not asked.as_json:
        _tell(seen)
        say("pause: its events wait in its queue, at no cost; what is tried again goes on. It ends by itself.")
    if not there:
        return _nothing(seen, asked, "There is no mapping to pause: deploy the template again.", 1)
    exit_code = disagreed(asked, f"Pause {_names(there)}?", lambda: _fields(seen))
    if exit_code is not None:
        return exit_code
    now = datetime.now(UTC)
    decision = Decision(
        words=asked.words,
        name=name,
        intakes=tuple(one.intake for one in there),
        strategy=Strategy.PAUSE,
        change=lambda memory, intake, who: paused(memory, intake, who, now + time, now),
        why=f"until {told(now + time)}",
        at=now,
    )
    return _do(stack, decision, asked)


def resume(stack: Stack, name: str, asked: Asked) -> int:
    """Let fresh events into an intake again, or into all of them; a release that is held is let go.

    Returns 1 where that is not agreed to, and 0 where nothing stands still. Raises CallFailed as `pause` does.
    """
    seen = _seen(stack, chosen(recovery_of(stack).intakes, name))
    still = tuple(one for one in seen if one.is_still or one.hold is not None)
    if not asked.as_json:
        _tell(seen)
        _warn_of_holds(stack, still)
    if not still:
        return _nothing(seen, asked, "Nothing is paused: nothing was changed.", 0)
    exit_code = disagreed(asked, f"Resume {_names(still)}?", lambda: _fields(seen))
    if exit_code is not None:
        return exit_code
    now = datetime.now(UTC)
    holds = tuple(one.hold for one in still if one.hold is not None)
    decision = Decision(
        words=asked.words,
        name=name,
        intakes=tuple(one.intake for one in still),
        strategy=Strategy.RESUME,
        change=lambda memory, intake, _: resumed(memory, intake, now),
        why="; ".join(f"lets release {one.release} of {one.function} go" for one in holds),
        at=now,
        lets_go=holds,
    )
    return _do(stack, decision, asked)


def _do(stack: Stack, decision: Decision, asked: Asked) -> int:
    notes = carry_out(stack, decision)
    then = _seen(stack, decision.intakes)
    notes += [
        f"{one.intake.name}: its mapping is still {one.mapping.state}; RecoverFunction sees to it within a minute"
        for one in then
        if one.mapping.state is _LEFT[decision.strategy]
    ]
    if asked.as_json:
        print(json.dumps({"changed": True, **_fields(then), "notes": notes}))
        return 0
    for note in notes:
        warn(note)
    _tell(then)
    if any(one.mapping.state is MappingState.CHANGING for one in then):
        say("A mapping takes a minute or two to change; `backstop status` shows it.")
    say("Done.")
    return 0


def _nothing(seen: Sequence[Standing], asked: Asked, why: str, exit_code: int) -> int:
    if asked.as_json:
        print(json.dumps({"changed": False, **_fields(seen), "notes": [why]}))
    elif exit_code:
        warn(why)
    else:
        say(why)
    return exit_code


def _seen(stack: Stack, intakes: tuple[Intake, ...]) -> list[Standing]:
    return standings(intakes, look(stack, intakes), memory_of(stack), held_releases(stack))


def _tell(seen: Sequence[Standing]) -> None:
    for one in seen:
        say(one.in_words())


def _warn_of_holds(stack: Stack, still: Sequence[Standing]) -> None:
    for one in still:
        if one.hold is not None:
            say(hold_in_words(one.hold), "bold red")
            say(f"  {what_fails(stack, one.hold)}")
            say("Resumed, such messages become dead letters, and this release is not held again.")


def _names(standing: Sequence[Standing]) -> str:
    return " and ".join(one.intake.name for one in standing)


def _fields(seen: Sequence[Standing]) -> dict[str, Any]:
    return {"intakes": [one.fields() for one in seen]}
