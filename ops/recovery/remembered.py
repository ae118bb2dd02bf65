"""A stack in, what recovery remembers out: what stands still, is scaled or switched, and why."""

from __future__ import annotations

from typing import Any

from backstop.aws.recovery_log import RecoveryLog
from backstop.recovery.state import CauseKind, Memory, Pause
from ops.failure import told_in_a_sentence
from ops.stack import Stack
from ops.times import iso


def recovery_log(stack: Stack) -> RecoveryLog:
    """Return where recovery writes down what it does. Raises CallFailed where the stack has none."""
    return RecoveryLog(stack.dynamodb, stack.output("RecoveryLogTableName"))


def memory_of(stack: Stack) -> Memory:
    """Return what recovery remembers. Raises CallFailed where its table does not answer."""
    with told_in_a_sentence():
        return recovery_log(stack).memory()


def pauses(memory: Memory) -> dict[str, Pause]:
    """Return the pauses that hold, by their intake."""
    return {name: one.pause for name, one in sorted(memory.intakes.items()) if one.pause is not None}


def pause_fields(intake: str, pause: Pause) -> dict[str, Any]:
    """Return what a program is told of a pause."""
    until = None if pause.until is None else iso(pause.until)
    return {"intake": intake, "cause": str(pause.cause), "since": iso(pause.since), "until": until}


def paused_for(memory: Memory, circuit: str) -> list[str]:
    """Return the intakes that stand still because of a circuit."""
    cause = (CauseKind.CIRCUIT, circuit)
    return [name for name, pause in pauses(memory).items() if pause.cause == cause]
