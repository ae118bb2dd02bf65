"""What an operator decides about intakes in; written down, remembered and let be done at once, what is to tell out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from backstop.aws.release_counts import ReleaseCounts
from backstop.recovery.state import Cause, CauseKind, Entry, Intake, Memory, Strategy
from backstop.release_counts import Hold
from ops import audit
from ops.failure import CallFailed, told_in_a_sentence
from ops.intake.reconcile import reconcile, set_directly
from ops.recovery.remembered import recovery_log
from ops.stack import Stack

TRIES: Final = 5
"""How often what recovery remembers is read anew where the reconciler was faster: that writes once a minute."""

Change = Callable[[Memory, str, str], Memory]
"""A memory, an intake's name and who decides it in; the memory after it out."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of intakes. `words` is the command as it was typed; `lets_go` are releases held no more."""

    words: str
    name: str
    intakes: tuple[Intake, ...]
    strategy: Strategy
    change: Change
    why: str
    at: datetime
    lets_go: tuple[Hold, ...] = ()


def subject_of(name: str) -> str:
    """Return what the audit calls an intake, or all of them."""
    return f"intake {name}"


def carry_out(stack: Stack, decision: Decision) -> list[str]:
    """Do what is decided and write down who did it; returns what did not matter but is worth telling.

    The memory says what is to hold: ended after it, the reconciler does the rest within a minute. Where RecoverFunction
    does not do it at once, it is done without it. Raises CallFailed where it is not remembered, and what botocore
    raises where it cannot even be written down.
    """
    entry = audit.record(stack, decision.words, subject_of(decision.name), len(decision.intakes))
    try:
        with told_in_a_sentence():
            _let_go(stack, decision)
            memory = _remember(stack, decision, entry.who)
    except CallFailed as error:
        audit.conclude(stack, entry, str(error))
        raise
    unwritten, undone = audit.conclude(stack, entry), reconcile(stack)
    notes = {
        "that it is done could not be written down": unwritten,
        "it was done without RecoverFunction, which did not answer": undone,
        "it is not done at once, but by the reconciler within a minute": undone
        and set_directly(stack, decision.intakes, memory),
    }
    return [f"{note}: {why}" for note, why in notes.items() if why]


def _let_go(stack: Stack, decision: Decision) -> None:
    """Let held releases go, before their intakes: else these were paused again at once."""
    counts = ReleaseCounts(stack.dynamodb, stack.output("CircuitsTableName"))
    for hold in decision.lets_go:
        counts.let_go(hold.function, hold.release)


def _remember(stack: Stack, decision: Decision, who: str) -> Memory:
    """Let recovery remember what is to hold, and with it what a person did; returns what it remembers then."""
    log, cause = recovery_log(stack), Cause(CauseKind.PERSON, who)
    entries = [Entry(decision.strategy, one.name, cause, decision.why) for one in decision.intakes]
    for _ in range(TRIES):
        memory = log.memory()
        for intake in decision.intakes:
            memory = decision.change(memory, intake.name, who)
        if log.remember(memory, entries, decision.at):
            return memory
    raise CallFailed("what recovery remembers changes all the time: intakes are as they were. Try again in a moment")
