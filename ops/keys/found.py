"""A key in, what is parked of it out: its lock, its head, and what befell that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from backstop.aws.parked import ParkedTable
from backstop.aws.parked_record import ParkedRecords
from backstop.message import queue_name
from backstop.parking import Lock, Parked, State
from backstop.trail import Trail
from ops.stack import Stack
from ops.terminal import harmless

_LONGEST_KEY: Final = 2048
"""Bytes that a partition key takes (DynamoDB quotas)."""


@dataclass(frozen=True, slots=True)
class Found:
    """A key that waits. Its head is the first of its events; none where all are done and the lock is about to go."""

    lock: Lock
    head: Parked | None
    history: Trail

    @property
    def head_name(self) -> str:
        """What the head goes by; the lock may still name one that is gone."""
        return "" if self.head is None else self.head.name

    @property
    def is_rid_of_its_head(self) -> bool:
        """Whether it is held for a head that was taken out by a command that then did not come to its end.

        Those behind a head say what they are blocked by; a head that a key is held for does not.
        """
        return self.lock.state is State.HELD and (self.head is None or bool(self.head.blocked_by))

    def is_run(self, now: datetime) -> bool:
        """Return whether a worker has it right now."""
        return self.lock.state is State.RUNNING and self.lock.due > now


def parked_table(stack: Stack) -> ParkedTable:
    """Return the stack's table of parked events. It is for looking and deciding: nothing can be parked by it."""
    records = ParkedRecords(lambda: stack.s3, stack.output("DataBucketName"))
    return ParkedTable(stack.dynamodb, stack.output("ParkedTableName"), records, most=0)


def find(stack: Stack, table: ParkedTable, key: str, now: datetime) -> Found | None:
    """Return what is parked of a key; None where it does not wait. Raises StoreUnavailable."""
    if not _is_possible(key):
        return None
    lock = table.lock(key)
    if lock is None:
        return None
    head = next(table.events(key), None)
    return Found(lock, head, Trail() if head is None else history_of(stack, head, now))


def history_of(stack: Stack, event: Parked, now: datetime) -> Trail:
    """Return what befell an event, as it was written: of a dead one too, whose attempts would start anew."""
    queues = stack.queue_names | {queue_name(event.record)}
    return Trail.written(event.trail, queues, now)


def not_parked(key: str) -> str:
    """Say that a key does not wait."""
    return f"no events of key {harmless(key)} are parked"


def _is_possible(key: str) -> bool:
    """Return whether DynamoDB could have a key: a terminal's words may be no text at all."""
    try:
        return 0 < len(key.encode()) <= _LONGEST_KEY
    except UnicodeEncodeError:
        return False
