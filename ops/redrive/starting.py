"""Which dead letters are meant in; shown, agreed to and begun out: the state machine does the rest."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from backstop.aws.rescued import NAME as RESCUED
from backstop.redrive import REST, Job, job_id
from backstop.selection import Selection
from ops import audit
from ops.agreeing import agrees
from ops.dlq.scanning import present
from ops.failure import CallFailed, sentence, told_in_a_sentence
from ops.redrive.dry_run import Found, estimate, look
from ops.redrive.jobs import jobs_of, run_name
from ops.stack import Stack
from ops.tables import rows, say
from ops.typed import typed

MOST_EVENTS: Final = 2000
"""Event ids that a selection may name: more of them do not fit into its item."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for. `words` is the command as it was typed."""

    selection: Selection
    words: str
    rate: float
    is_canary: bool
    is_rescued: bool
    is_agreed: bool
    as_json: bool


def start(stack: Stack, asked: Asked) -> int:
    """Begin a redrive; returns 0 where that is done, or would be, and 1 where it is not agreed to.

    Raises CallFailed where AWS does not answer, and what botocore raises where it cannot be written down.
    """
    if len(asked.selection.event_ids) > MOST_EVENTS:
        raise CallFailed(f"--event: {MOST_EVENTS:,} at most; choose the others in another call")
    machine = stack.output("RedriveStateMachineArn")
    found = look(stack, asked.selection, is_rescued=asked.is_rescued)
    if not asked.as_json:
        _tell(found, asked)
    if not found.total:
        _print(asked, {"job": None, **_found(found, asked)}, "No dead letters are meant: nothing was changed.")
        return 0
    if asked.as_json and not asked.is_agreed:
        print(json.dumps({"job": None, **_found(found, asked)}))
        return 0
    agreed = agrees(found.total, "redrive them", is_agreed=asked.is_agreed)
    if not agreed:
        return 0 if agreed is None else 1
    job = begin(stack, machine, asked, found.total)
    follow = typed(stack, "redrive", "status", argument=job.id)
    _print(asked, {"job": job.id, **_found(found, asked)}, f"Redrive {job.id} has begun. Follow it:", f"  {follow}")
    return 0


def begin(stack: Stack, machine: str, asked: Asked, expected: int) -> Job:
    """Write a redrive down and start it. Raises CallFailed where it is not started: then nothing is moved."""
    now = datetime.now(UTC)
    job = Job(
        id=job_id(now, secrets.token_hex(2)),
        selection=asked.selection,
        places=(RESCUED,) if asked.is_rescued else _places(stack),
        rate=asked.rate,
        is_canary=asked.is_canary,
        begun_at=now,
        command=asked.words,
        expected=expected,
        step=0 if asked.is_canary else REST,
    )
    entry = audit.record(stack, asked.words, f"redrive {job.id}", expected)
    try:
        with told_in_a_sentence():
            jobs_of(stack).create(replace(job, by=entry.who))
        run(stack, machine, job)
    except (CallFailed, ClientError, BotoCoreError) as error:
        audit.conclude(stack, entry, str(error) if isinstance(error, CallFailed) else sentence(error))
        raise
    audit.conclude(stack, entry)
    return job


def run(stack: Stack, machine: str, job: Job) -> None:
    """Start a job's present run; one that is started already goes on."""
    stack.machines.start_execution(stateMachineArn=machine, name=run_name(job), input=json.dumps({"job": job.id}))


def _places(stack: Stack) -> tuple[str, ...]:
    """Return the names of the queues that dead letters lie in."""
    return tuple(stack.queue_urls[name].rpartition("/")[2] for name in present(stack))


def _tell(found: Found, asked: Asked) -> None:
    if found.total:
        Console(highlight=False).print(rows("", found.lines()))
    more = " (there may be more: see above)" if found.may_be_more else ""
    say(f"To be redriven: {found.total:,} letters{more}, {_pace(asked)}, about {_span(found.total, asked)}.")


def _pace(asked: Asked) -> str:
    return f"{asked.rate:g} a second" + (", as a canary first: 1, 10, 100" if asked.is_canary else ", without a canary")


def _span(total: int, asked: Asked) -> str:
    seconds = estimate(total, asked.rate, is_canary=asked.is_canary).total_seconds()
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _found(found: Found, asked: Asked) -> dict[str, Any]:
    seconds = estimate(found.total, asked.rate, is_canary=asked.is_canary).total_seconds()
    return {
        "letters": found.total,
        "may_be_more": found.may_be_more,
        "by": found.lines(),
        "seconds": round(seconds, 1),
    }


def _print(asked: Asked, document: dict[str, Any], *lines: str) -> None:
    if asked.as_json:
        print(json.dumps(document))
        return
    for line in lines:
        say(line)
