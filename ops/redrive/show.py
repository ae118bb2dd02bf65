"""Redrives in, how they stand shown: a list, or one of them, live."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import sleep
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars

from ops.failure import told_in_a_sentence
from ops.redrive.jobs import Standing, jobs_of, look, standing
from ops.stack import Stack
from ops.tables import facts, rows, say
from ops.terminal import harmless, is_a_person
from ops.typed import typed

_LOOK_SECONDS: Final = 2.0


def show_all(stack: Stack, limit: int, *, as_json: bool) -> int:
    """Print redrives, the newest first; returns 0."""
    with told_in_a_sentence():
        found = [standing(stack, job).fields() for job in jobs_of(stack).all()[:limit]]
    if as_json:
        print(json.dumps({"redrives": found}))
    elif found:
        columns = ("job", "state", "moved", "expected", "failed_again", "in_doubt", "by", "command", "note")
        Console(highlight=False).print(rows("", [{name: one[name] for name in columns} for one in found]))
    else:
        say("Nothing was redriven yet.")
    return 0


def show(stack: Stack, job_id: str, *, as_json: bool, wait: Callable[[float], object] = sleep) -> int:
    """Print how a redrive stands; a person sees how it goes on until it is over, or goes away.

    Returns 1 where it stopped by itself or is interrupted, else 0.
    """
    found = look(stack, job_id)
    if as_json:
        print(json.dumps(found.fields()))
    else:
        if is_a_person() and found.state == "running":
            found = _follow(stack, found, wait)
        _tell(stack, found)
    return int(found.state in {"stopped", "interrupted"})


def _follow(stack: Stack, found: Standing, wait: Callable[[float], object]) -> Standing:
    """Show a bar until the redrive is over; going away does not end it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    with Bars(*columns) as bars:
        bar = bars.add_task(found.job.id, total=found.job.expected, note="")
        while found.state == "running":
            failed = f"failed again: {found.progress.failed_again}" if found.progress.failed_again else ""
            bars.update(bar, completed=found.progress.moved, note=harmless(found.job.note or failed))
            wait(_LOOK_SECONDS)
            found = look(stack, found.job.id)
    return found


def _tell(stack: Stack, found: Standing) -> None:
    Console(highlight=False).print(facts(found.fields() | {"selection": ""}))
    advice = {
        "interrupted": ("Nobody moves it any more. Let it go on:", ["redrive", "resume"]),
        "stopped": ("What is left lies where it was. See why:", ["dlq", "show"]),
    }
    said = advice.get(found.state)
    if said:
        argument = found.job.id if found.state == "interrupted" else None
        say(said[0])
        say(f"  {typed(stack, *said[1], argument=argument)}")
    if found.progress.in_doubt and found.job.is_over:
        say(f"In doubt: {found.progress.in_doubt:,} letters may have been sent, and are held back. Send them:")
        say(f"  {typed(stack, 'redrive', 'resume', '--resend-doubtful', argument=found.job.id)}")
