"""A stack in, its circuits out: all, or the one that a person names; and how one stands, in a sentence."""

from __future__ import annotations

from typing import Final

from backstop.aws.circuits import CircuitTable
from backstop.circuits.state import CircuitState, Standing
from ops.failure import told_in_a_sentence
from ops.stack import Stack
from ops.terminal import harmless
from ops.times import told
from ops.typed import typed

WORDS: Final = {CircuitState.CLOSED: "closed", CircuitState.OPEN: "open", CircuitState.HALF_OPEN: "half-open"}
"""What a person reads of a state."""

_RANKS: Final = {CircuitState.OPEN: 0, CircuitState.HALF_OPEN: 1, CircuitState.CLOSED: 2}
_NAMED: Final = 10
"""Circuits that are named where one is not known."""


class NotKnown(Exception):
    """Raised when a name is no circuit's; its text says so, and which there are."""


def circuit_table(stack: Stack) -> CircuitTable:
    """Return where the stack's circuits are kept. Raises CallFailed where it has none."""
    return CircuitTable(stack.dynamodb, stack.output("CircuitsTableName"))


def circuits(stack: Stack) -> list[Standing]:
    """Return the circuits, open ones first. Raises CallFailed where their table does not answer."""
    with told_in_a_sentence():
        found = circuit_table(stack).all()
    return sorted(found, key=lambda one: (_RANKS[one.state], one.name))


def find(stack: Stack, name: str) -> Standing:
    """Return the circuit of a name. Raises NotKnown where there is none, and CallFailed as `circuits` does."""
    found = circuits(stack)
    for one in found:
        if one.name == name:
            return one
    raise NotKnown(_not_known(stack, name, [one.name for one in found]))


def in_words(one: Standing) -> str:
    """Say how a circuit stands, in a sentence."""
    since = "" if one.since is None else f" since {told(one.since)}"
    why = f": {one.why}" if one.why and one.is_down else ""
    held = "" if one.forced_until is None else f"; held open until {told(one.forced_until)}"
    return f"circuit {one.name} is {WORDS[one.state]}{since}{why}{held}"


def _not_known(stack: Stack, name: str, names: list[str]) -> str:
    there = ", ".join(map(harmless, sorted(names)[:_NAMED]))
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    known = f"known are {there}{more}" if names else "none is known yet"
    to_open = typed(stack, "circuits", "open", "--new", argument=name)
    return (
        f"no circuit {harmless(name)!r} is known; {known}. A circuit is known once a call through it has failed, "
        f"and forgotten some hours after. To hold it open all the same: {harmless(to_open)}"
    )
