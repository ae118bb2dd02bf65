"""A stack in, its redrives and how each of them stands out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from backstop.aws.redrive_jobs import RedriveJobs
from backstop.aws.redriven import failed_again
from backstop.redrive import REST, Job, Progress, State, known_of, watched
from ops.failure import CallFailed, told_in_a_sentence
from ops.stack import Stack
from ops.times import iso

QUIET: Final = timedelta(minutes=10)
"""After so long without a turn nobody is at a job any more: a turn takes 5 minutes, and is tried again within one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a redrive stands. `execution` is what Step Functions says of the run that a person began.

    That run may have handed over to another one, as may one that nobody began: then the last turn tells.
    """

    job: Job
    progress: Progress
    execution: str
    now: datetime

    @property
    def is_run(self) -> bool:
        """Whether somebody takes its turns."""
        if self.execution in {"", "SUCCEEDED"}:  # none is known yet, or it has handed over
            return self.now < (self.job.turned_at or self.job.begun_at) + QUIET
        return self.execution == "RUNNING"

    @property
    def state(self) -> str:
        """How it stands, in a word: a job that nobody moves any more is interrupted."""
        return "interrupted" if self.job.state is State.RUNNING and not self.is_run else str(self.job.state)

    def fields(self) -> dict[str, Any]:
        """Return what a program is told."""
        return {
            "job": self.job.id,
            "state": self.state,
            "step": "" if self.job.is_over else _step(self.job),
            "moved": self.progress.moved,
            "expected": self.job.expected,
            "failed_again": self.progress.failed_again,
            "in_doubt": self.progress.in_doubt,
            "note": self.job.note,
            "begun": iso(self.job.begun_at),
            "by": self.job.by,
            "rate": self.job.rate,
            "command": self.job.command,
            "selection": self.job.selection.serialise(),
        }


def _step(job: Job) -> str:
    """Say which step is under way."""
    return "the rest" if job.step >= REST else f"canary, step {job.step + 1} of {REST}"


def jobs_of(stack: Stack) -> RedriveJobs:
    """Return where a stack's redrives are written down. Raises CallFailed where it has none."""
    return RedriveJobs(stack.dynamodb, stack.output("RedriveTableName"))


def look(stack: Stack, job_id: str) -> Standing:
    """Return how a redrive stands. Raises CallFailed where there is none of that id."""
    jobs = jobs_of(stack)
    with told_in_a_sentence():
        job = jobs.look(job_id)
        if job is None:
            raise CallFailed(f"there is no redrive {job_id!r}: `backstop redrive status` lists them")
        return standing(stack, job)


def standing(stack: Stack, job: Job) -> Standing:
    """Return how a job stands: what was moved, and what of the last letters is known to have failed again."""
    batches = jobs_of(stack).batches(job.id)
    heard_of = failed_again(stack.dynamodb, stack.output("FailedEventsTableName"), watched(job, batches), job.id)
    progress = Progress(batches, known_of(heard_of))
    return Standing(job, progress, execution(stack, job), datetime.now(UTC))


def execution(stack: Stack, job: Job) -> str:
    """Return what Step Functions says of a job's present run; nothing where it knows none."""
    arn = stack.output("RedriveStateMachineArn").replace(":stateMachine:", ":execution:")
    try:
        return stack.machines.describe_execution(executionArn=f"{arn}:{run_name(job)}")["status"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
            return ""
        raise


def run_name(job: Job) -> str:
    """Return what a job's present run is called: Step Functions takes a name once, so that no run is begun twice."""
    return f"{job.id}-{job.runs}"
