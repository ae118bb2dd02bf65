"""A mover as a process of its own, to be killed: `python -m benchmarks.redrive_mover ENDPOINT JOB`."""

from __future__ import annotations

import sys
from datetime import timedelta
from functools import partial
from time import sleep

from backstop.aws.redriven import failed_again
from backstop.turn import Redrive, take_turn
from benchmarks.redrive_ground import FAILED, RedriveGround
from ops.stack import Stack, local_session

_TURN = timedelta(seconds=60)
_WATCH = timedelta(seconds=10)


def main(endpoint_url: str, job_id: str) -> None:
    ground = RedriveGround(Stack("bench", local_session(), endpoint_url))
    heard_of = partial(failed_again, ground.dynamodb, FAILED)
    job = ground.jobs.look(job_id)
    while job is not None and not job.is_over:
        job, wait = take_turn(job, Redrive(ground.moving(_TURN), heard_of, _WATCH))
        sleep(min(wait.total_seconds(), 5))


if __name__ == "__main__":
    main(*sys.argv[1:])
