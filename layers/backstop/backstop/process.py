"""A batch of SQS records in, a verdict for each message that was not done the first time out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from backstop.errors import (
    Crashed,
    Kinds,
    MalformedEvent,
    NotYet,
    StoreUnavailable,
    classify,
    retry_after,
    was_refused,
)
from backstop.event import Event, Parse
from backstop.kinds import Kind
from backstop.message import Message, Record, read, receive_count, received_before
from backstop.verdict import Dead, Failure, Policy, Refusal, Retry, decide

RESERVE_MILLIS: Final = 1000
"""Time that is kept for re-sending what failed and answering: a few SQS calls, one of them tried again."""

TIRED: Final = 5
"""Receives after which a message that was not started is re-sent, to be counted anew: half of the template's
maxReceiveCount, beyond which SQS makes it a dead letter. A backlog alone must not make dead letters of good events."""

Run = Callable[[Event, Message], None]

Excuses = Callable[[Exception, Kind], bool]


def nobody(error: Exception, kind: Kind) -> bool:
    """Excuse no failure."""
    return False


class Failed(NamedTuple):
    """A message that was not done, and what becomes of it. `error` is None where it only waits for its time."""

    message: Message
    verdict: Retry | Dead
    kind: Kind
    error: Exception | None


@dataclass(slots=True)
class Batch:
    """What came of a batch. A message that was done the first time leaves no trace here."""

    recovered: list[Message] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    unstarted: list[Record] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Flow:
    """What `settle` needs besides the records.

    `run` raises what the handler raises. `were_running` returns those of the given event ids whose in-progress record
    says that a worker died while running them. `remaining_millis` is what is left of the invocation. `excuses` is
    told of each failure that is not a fault of ours, and returns whether it is its release's or its circuit's.
    """

    parse: Parse
    run: Run
    were_running: Callable[[Sequence[str]], frozenset[str]]
    remaining_millis: Callable[[], int]
    now: Callable[[], datetime]
    dice: Callable[[], float]
    policy: Policy
    kinds: Kinds
    queues: frozenset[str]
    excuses: Excuses = nobody


def settle(records: Sequence[Record], flow: Flow) -> Batch:
    """Run each message until it is done or judged, and stop when too little time is left for another one."""
    batch = Batch()
    now = flow.now()
    remaining = flow.remaining_millis()
    longest = 0
    for position, record in enumerate(records):
        if remaining < RESERVE_MILLIS + longest:
            _leave(records[position:], flow, now, batch)
            break
        settle_one(record, flow, now, batch)
        before, remaining = remaining, flow.remaining_millis()
        if before - remaining > longest:
            longest = before - remaining
    return batch


def _leave(records: Sequence[Record], flow: Flow, now: datetime, batch: Batch) -> None:
    """Leave what was not started to SQS, but send on what SQS would soon take for a message that cannot be handled."""
    for record in records:
        if receive_count(record) < TIRED:
            batch.unstarted.append(record)
        else:
            message = read(record, "", flow.queues, now)
            batch.failed.append(Failed(message, Retry(now, is_counted=False), Kind.TRANSIENT, None))


def split(records: Sequence[Record], flow: Flow) -> tuple[Sequence[Record], Sequence[Record]]:
    """Return what may be run together, and the suspects: those that were running when a worker died.

    What was received before comes after what was not: the worker that had it did not finish.
    """
    again = received_before(records)
    if not again:
        return records, ()
    returned = set(map(id, again))
    fresh = [record for record in records if id(record) not in returned]
    ids = [event_id_of(record, flow.parse) for record in again]
    try:
        running = flow.were_running(sorted(set(ids) - {""}))
    except StoreUnavailable:
        running = frozenset()  # nothing is known of them; running them will tell
    suspects = [record for record, event_id in zip(again, ids, strict=True) if event_id in running]
    others = [record for record, event_id in zip(again, ids, strict=True) if event_id not in running]
    return fresh + others, suspects


def settle_one(record: Record, flow: Flow, now: datetime, batch: Batch) -> None:
    """Run one message until it is done or judged, and add what came of it to `batch`."""
    event_id = ""
    try:
        event = flow.parse(record["body"])
        event_id = event["id"]
        message = read(record, event_id, flow.queues, now)
        if message.trail.not_before is not None and message.trail.not_before > now:
            raise NotYet(message.trail.not_before)
        flow.run(event, message)
    except NotYet as wait:
        message = read(record, event_id, flow.queues, now)
        batch.failed.append(Failed(message, Retry(wait.until, is_counted=False), Kind.TRANSIENT, None))
        return
    except Exception as error:  # noqa: BLE001  # whatever a handler raises is a fact about its message, and no other's
        batch.failed.append(_judge(record, event_id, error, flow))
        return
    if message.trail.last_failed_at is not None:
        batch.recovered.append(message)


def _judge(record: Record, event_id: str, error: Exception, flow: Flow) -> Failed:
    now = flow.now()
    message = read(record, event_id, flow.queues, now)
    kind = classify(error, flow.kinds)
    refused = was_refused(error) if kind is Kind.TRANSIENT else None
    has_killed, is_ours = isinstance(error, Crashed), kind is Kind.SYSTEM
    is_excused = not (has_killed or is_ours) and flow.excuses(error, kind)
    since, wait = now, None
    if kind is not Kind.PERMANENT or is_excused:  # the time of others does not count: they are not tried again
        since, wait = _since(message, now, is_excused=is_excused or is_ours), retry_after(error, now)
    refusal = None if refused is None else Refusal(refused.retry_after or timedelta(0), refused.open_for)
    failure = Failure(kind, message.attempt, since, wait, has_killed, refusal, is_excused)
    return Failed(message, decide(failure, flow.policy, now, flow.dice()), kind, refused or error)


def _since(message: Message, now: datetime, *, is_excused: bool) -> datetime:
    """Return when its time began to run: time in which the fault was not its own is not the message's."""
    waited = message.waited_until(now)
    if is_excused:
        return now - waited
    if message.trail.attempt == 0 or message.first_failed_at is None:
        return now
    return min(message.first_failed_at + waited, now)


def event_id_of(record: Record, parse: Parse) -> str:
    """Return the id of the event that a record carries; empty where it carries none."""
    try:
        return str(parse(record["body"])["id"])
    except MalformedEvent:
        return ""
