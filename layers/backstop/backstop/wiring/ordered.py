"""What the wiring of every function that acts on ordered events shares: where they are parked, and what wakes keys."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from backstop.aws import clients, sqs
from backstop.aws.logs import PipelineLog
from backstop.aws.parked import ParkedTable
from backstop.aws.parked_record import ParkedRecords
from backstop.sequence import wake_up

_GENERATION_BITS: Final = 53
"""Of the number that a lock begins with: so many that no two ever begin alike, and that JSON can tell each."""


def parked_table(table: str, bucket: str, most: int) -> ParkedTable:
    """Return where events are parked: `most` of a key, what is too large for an item in the bucket."""
    return ParkedTable(clients.client("dynamodb"), table, ParkedRecords(lambda: clients.client("s3"), bucket), most)


def new_generation() -> int:
    """Return a number that no earlier lock of any key began with."""
    return secrets.randbits(_GENERATION_BITS)


def wake(keys: Sequence[str], delay_seconds: int, drain_queue_url: str, log: PipelineLog) -> None:
    """Let keys be drained after a delay, as far as that works: the sweep finds those that nobody drains."""
    bodies = [wake_up(key) for key in keys]
    whys = sqs.send_bodies(clients.client("sqs"), drain_queue_url, bodies, delay_seconds)
    if whys:
        log.not_woken(len(keys), whys[0])
