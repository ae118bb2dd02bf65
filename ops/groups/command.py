"""What an operator decides about a group in, done and told; the exit code out."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from backstop.alert import label
from backstop.groups import Group, State
from ops.groups.deciding import Decision, carry_out
from ops.groups.found import NotFound, find, what
from ops.stack import Stack
from ops.tables import say, warn

_MEANS: Final = {
    State.OPEN: "people are told of it",
    State.ACKED: "nothing more is told of it until it is over",
    State.RESOLVED: "if it comes back, that is told",
}


def decide(stack: Stack, name: str, decided: Callable[[Group], Decision], *words: str) -> int:
    """Carry a decision about a group out: 0 where it is done, 1 where there is no such group.

    None is asked for: each can be taken back, and changes nothing but who hears what. `words` are what the command was
    given besides the group.
    """
    try:
        group = find(stack, name).group
        decision = decided(group)
        command = shlex.join(["groups", decision.word, label(group.group), *words])
        then, unwritten = carry_out(stack, group.group, decision, command)
    except NotFound as error:
        warn(str(error))
        return 1
    say(f"{label(group.group)}: {what(then.group)}")
    say(_state(then.group, datetime.now(UTC)))
    if unwritten:
        warn(f"that it is done could not be written down: {unwritten}")
    return 0


def _state(group: Group, now: datetime) -> str:
    state = group.state(now)
    if state is State.SILENCED and group.silenced_until is not None:
        return f"{state}: nothing is told of it until {group.silenced_until:%Y-%m-%d %H:%M:%S} UTC"
    return f"{state}: {_MEANS[state]}"
