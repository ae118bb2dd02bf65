"""A redrive in; cancelled, or made to go on, out."""

from __future__ import annotations

from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from backstop.redrive import REST, Job, State
from ops import audit
from ops.failure import sentence, told_in_a_sentence
from ops.redrive.jobs import Standing, jobs_of, look
from ops.redrive.starting import run
from ops.stack import Stack
from ops.tables import say, warn


def cancel(stack: Stack, job_id: str, words: str) -> int:
    """End a redrive where it is: within seconds, between two batches. Returns 1 where it is over already."""
    found = look(stack, job_id)
    if found.job.is_over:
        warn(f"redrive {job_id} is over: {found.job.state}")
        return 1
    if not _decide(stack, found.job, replace(found.job, state=State.CANCELLED), words):
        return _changed_meanwhile(job_id)
    say(f"Cancelled: {found.progress.moved:,} letters are moved, the rest stays where it is.")
    return 0


def resume(stack: Stack, job_id: str, words: str, *, resends_doubtful: bool) -> int:
    """Let a redrive go on that was cancelled or interrupted, or send what is in doubt. Returns 1 where it cannot."""
    found = look(stack, job_id)
    why_not = _why_not(found, resends_doubtful=resends_doubtful)
    if why_not:
        warn(f"redrive {job_id} {why_not}")
        return 1
    resumed = replace(
        found.job,
        state=State.RUNNING,
        note="",
        watching_since=None,
        places_done=0,
        step=REST if found.job.state is State.DONE else found.job.step,
        runs=found.job.runs + 1,
        resends_doubtful=resends_doubtful,
    )
    if not _decide(stack, found.job, resumed, words, is_run=True):
        return _changed_meanwhile(job_id)
    say(f"Redrive {job_id} goes on: {found.progress.moved:,} of {found.job.expected:,} letters are moved.")
    return 0


def _why_not(found: Standing, *, resends_doubtful: bool) -> str:
    """Say why a redrive cannot go on; nothing where it can."""
    if found.job.state is State.RUNNING and found.is_run:
        return "is under way"
    if found.execution == "RUNNING":
        return "comes to its end just now: try again in a moment"
    if found.job.state is State.STOPPED:
        return "stopped by itself, as too much failed again: fix that, then redrive what is left anew"
    if found.job.state is State.DONE and not found.progress.in_doubt:
        return "is done"
    if found.job.state is State.DONE and not resends_doubtful:
        return f"is done, but for {found.progress.in_doubt:,} letters in doubt: --resend-doubtful sends these"
    return ""


def _decide(stack: Stack, job: Job, decided: Job, words: str, *, is_run: bool = False) -> bool:
    """Write down what is decided, and do it; False where the job has changed meanwhile."""
    entry = audit.record(stack, words, f"redrive {job.id}", job.expected)
    try:
        with told_in_a_sentence():
            is_kept = jobs_of(stack).reopen(decided, job.state)
        if is_kept and is_run:
            run(stack, stack.output("RedriveStateMachineArn"), decided)
    except (ClientError, BotoCoreError) as error:
        audit.conclude(stack, entry, sentence(error))
        raise
    audit.conclude(stack, entry, "" if is_kept else "it has changed meanwhile")
    return is_kept


def _changed_meanwhile(job_id: str) -> int:
    warn(f"redrive {job_id} has changed meanwhile: look again")
    return 1
