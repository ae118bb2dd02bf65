"""A circuit in; held open or closed, once that is shown and agreed to; the exit code out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from backstop.circuits.limits import checked_name
from backstop.circuits.state import CircuitState, Standing
from ops import audit
from ops.agreeing import Asked, disagreed
from ops.circuits.found import NotKnown, circuit_table, find, in_words
from ops.circuits.listing import fields
from ops.failure import CallFailed, told_in_a_sentence
from ops.recovery.remembered import memory_of
from ops.stack import Stack
from ops.tables import say, warn
from ops.terminal import harmless
from ops.times import told

LONGEST: Final = timedelta(hours=24)
"""What is held open for longer is forgotten: hold it open anew."""
_WITHIN: Final = "Workers know within seconds; recovery sees to their intakes within a minute."


def hold_open(stack: Stack, name: str, time: timedelta, asked: Asked, *, is_new: bool) -> int:
    """Hold a circuit open for a while; returns 1 where there is none of that name, or it is not agreed to.

    `is_new` allows one that is not known: no call through it has failed lately. Raises CallFailed where AWS does not
    answer, or no circuit can have such a name.
    """
    try:
        found = find(stack, name)
    except NotKnown as error:
        if not is_new:
            return _no(str(error), asked)
        _check(name)
        found = Standing(name)
    until = datetime.now(UTC) + time
    means = (
        f"open: no call goes through, not even a probe, before {told(until)}; what needs it is tried again later, "
        "and no attempt is counted"
    )
    exit_code = _disagreed(stack, found, means, asked)
    if exit_code is not None:
        return exit_code

    def do(who: str) -> Standing:
        now = datetime.now(UTC)
        return circuit_table(stack).force_open(name, now + time, f"held open by {who}", now)

    return _carry_out(stack, name, asked, do)


def close(stack: Stack, name: str, asked: Asked) -> int:
    """Close a circuit: calls go through at once. Returns 1 where there is none of that name, or it is not agreed to."""
    try:
        found = find(stack, name)
    except NotKnown as error:
        return _no(str(error), asked)
    if found.state is CircuitState.CLOSED:
        return _nothing(stack, found, asked)
    means = "close: all calls go through at once; if they fail, it opens again by itself"
    exit_code = _disagreed(stack, found, means, asked)
    if exit_code is not None:
        return exit_code
    return _carry_out(stack, name, asked, lambda _: circuit_table(stack).force_close(name, datetime.now(UTC)))


def _carry_out(stack: Stack, name: str, asked: Asked, do: Callable[[str], Standing]) -> int:
    """Do it, with an entry in the audit before and after. Raises CallFailed where the table does not answer."""
    entry = audit.record(stack, asked.words, f"circuit {name}", 1)
    try:
        with told_in_a_sentence():
            then = do(entry.who)
    except CallFailed as error:
        audit.conclude(stack, entry, str(error))
        raise
    unwritten = audit.conclude(stack, entry)
    notes = [f"that it is done could not be written down: {unwritten}"] if unwritten else []
    _tell_done(stack, then, notes, asked)
    return 0


def _tell_done(stack: Stack, then: Standing, notes: list[str], asked: Asked) -> None:
    if asked.as_json:
        print(json.dumps({"changed": True, **_fields(stack, then), "notes": notes}))
        return
    for note in notes:
        warn(note)
    say(in_words(then))
    say(_WITHIN)


def _disagreed(stack: Stack, found: Standing, means: str, asked: Asked) -> int | None:
    """Show and ask; returns what the command ends with where it is not agreed to."""
    if not asked.as_json:
        say(in_words(found))
        if found.dependents:
            say(f"depends on it: {', '.join(sorted(found.dependents))}")
        say(means)
    return disagreed(asked, "Do it?", lambda: _fields(stack, found))


def _nothing(stack: Stack, found: Standing, asked: Asked) -> int:
    if asked.as_json:
        print(json.dumps({"changed": False, **_fields(stack, found), "notes": []}))
    else:
        say(f"circuit {found.name} is closed: nothing was changed.")
    return 0


def _no(why: str, asked: Asked) -> int:
    if asked.as_json:
        print(json.dumps({"changed": False, "circuit": None, "notes": [why]}))
    else:
        warn(why)
    return 1


def _check(name: str) -> None:
    """Raise CallFailed where no circuit can have such a name."""
    try:
        checked_name(name)
    except ValueError as error:
        raise CallFailed(harmless(str(error))) from error


def _fields(stack: Stack, one: Standing) -> dict[str, Any]:
    return {"circuit": fields(one, memory_of(stack), datetime.now(UTC))}
