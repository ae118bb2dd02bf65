"""A stack in, what hinders events in it out: circuits that are not closed, and intakes that are paused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backstop.circuits.state import Standing
from backstop.recovery.state import Pause
from ops.circuits.found import WORDS, circuits, in_words
from ops.failure import CallFailed
from ops.intake.standing import pause_in_words
from ops.recovery.remembered import memory_of, pause_fields, pauses
from ops.stack import Stack
from ops.times import iso


@dataclass(frozen=True, slots=True)
class Hindrances:
    """Circuits that are not closed, and the pauses that hold, by their intake."""

    circuits: tuple[Standing, ...] = ()
    pauses: tuple[tuple[str, Pause], ...] = ()

    def fields(self) -> dict[str, Any]:
        """Return what a program is told."""
        return {
            "open_circuits": [
                {"circuit": one.name, "state": WORDS[one.state], "since": None if one.since is None else iso(one.since)}
                for one in self.circuits
            ],
            "paused_intakes": [pause_fields(name, pause) for name, pause in self.pauses],
        }

    def in_words(self) -> list[str]:
        """Return what a person is told, a line each."""
        paused = [f"{name}: {pause_in_words(pause)} (backstop recovery)" for name, pause in self.pauses]
        return [f"{in_words(one)} (backstop circuits)" for one in self.circuits] + paused


def hindrances(stack: Stack) -> Hindrances:
    """Return what hinders events. Raises CallFailed where a table does not answer."""
    try:
        for name in ("CircuitsTableName", "RecoveryLogTableName"):
            stack.output(name)
    except CallFailed:  # a stack of an earlier release has neither
        return Hindrances()
    found = (one for one in circuits(stack) if one.is_down)
    return Hindrances(tuple(found), tuple(pauses(memory_of(stack)).items()))
