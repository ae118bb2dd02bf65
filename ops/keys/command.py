"""What an operator decides about a key in; shown, asked for where a person sits there, and done; the exit code out."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import Final

import typer
from rich.console import Console
from rich.text import Text

from backstop.parking import State
from ops.failure import told_in_a_sentence
from ops.keys.deciding import Deciding, Decision, Plan, Refused, plan
from ops.keys.found import find, not_parked, parked_table
from ops.stack import Stack
from ops.terminal import harmless, is_a_person

_MEANS: Final = {
    Decision.RETRY: "its head is tried again now",
    Decision.SKIP: "its head becomes a dead letter, with its reason, and the others go on",
    Decision.DISCARD: "its head is deleted for good, and the others go on",
}
_THE_REST: Final = "its head is gone already: the others go on"


def decide(stack: Stack, decision: Decision, key: str, event: str | None, *, is_agreed: bool) -> int:
    """Carry a decision out; returns 0 where it is done, or would be, and 1 where it is not.

    Without `is_agreed` a person is asked; where there is none, it is only said what would be done. Raises CallFailed
    where the table does not answer before anything is begun.
    """
    now, table = datetime.now(UTC), parked_table(stack)
    deciding = Deciding.on(stack, table)
    with told_in_a_sentence():
        found = find(stack, table, key, now)
    try:
        if found is None:
            raise Refused(not_parked(key))
        planned = plan(decision, found, event, now)
        _tell(planned)
        if not is_agreed and not is_a_person():
            print("Dry run: nothing was changed; --yes does it.")
            return 0
        if not is_agreed and not _agrees(planned):
            print("Nothing was changed.")
            return 1
        notes = deciding.carry_out(planned, _words(decision, key, event, is_agreed=is_agreed))
    except Refused as refused:
        _warn(f"backstop: {refused}")
        return 1
    for note in notes:
        _warn(f"backstop: {note}")
    print("Done.")
    return 0


def _tell(planned: Plan) -> None:
    found, lock = planned.found, planned.found.lock
    behind = lock.waiting if found.is_rid_of_its_head else max(lock.waiting - 1, 0)
    why = " ".join(filter(None, (found.history.dead_because, found.history.error_type, found.history.reason)))
    facts = {
        "key": f"{lock.key} ({lock.state})",
        "head": lock.head if found.is_rid_of_its_head else found.head_name,
        "attempt": "" if found.is_rid_of_its_head else str(found.history.attempt),
        "reason": "" if found.is_rid_of_its_head else why,
        "waiting behind it": f"{behind:,}",
        planned.decision: _meaning(planned),
    }
    console = Console(highlight=False, soft_wrap=True)
    for name, value in facts.items():
        if value:
            console.print(Text(f"{name}: {harmless(value)}"))


def _meaning(planned: Plan) -> str:
    if planned.found.is_rid_of_its_head and planned.head is None:
        return _THE_REST
    means = _MEANS[planned.decision]
    is_new = planned.decision is Decision.RETRY and planned.found.lock.state is State.HELD
    return f"{means}, with new attempts" if is_new else means


def _agrees(planned: Plan) -> bool:
    """Ask; what cannot be undone is agreed to by its name."""
    if planned.decision is Decision.DISCARD and planned.head is not None:
        key = planned.found.lock.key
        return bool(typer.prompt("Type the key to delete its head for good", default="", show_default=False) == key)
    return typer.confirm(f"{planned.decision.capitalize()} it?")


def _words(decision: Decision, key: str, event: str | None, *, is_agreed: bool) -> str:
    """Return the command as it would be typed."""
    guard = () if event is None else ("--event", event)
    agreed = ("--yes",) if is_agreed else ()
    words = ["--", key] if key.startswith("-") else [key]
    return shlex.join(["keys", decision, *guard, *agreed, *words])


def _warn(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(text, "red"))
