"""A redrive's job in, what comes next of it done: letters moved, looked after, or an end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, NamedTuple, assert_never

from backstop.errors import StoreUnavailable
from backstop.mover import RESERVE, move
from backstop.moving import Moving
from backstop.redrive import (
    POLL,
    Batch,
    End,
    HoldUp,
    Job,
    Move,
    Proceed,
    Progress,
    Sending,
    Sent,
    State,
    Wait,
    Watch,
    known_of,
    next_act,
    watched,
)

AT_ONCE: Final = timedelta(0)
BUSY: Final = timedelta(seconds=5)
"""How long is waited where another mover is at work, or has died."""
LATER: Final = timedelta(seconds=30)
"""How long is waited where a queue did not take letters, or a circuit is open."""

_WAITS: Final = "waits: "


@dataclass(frozen=True, slots=True)
class Redrive:
    """What a job's turns need.

    `failed_again` says of those of some events that were heard of since a redrive whether they failed again; None where
    that is not known yet. `watch` is how long a step of the canary is looked after. `open_circuit` names a circuit that
    events wait for, if there is any.
    """

    moving: Moving
    failed_again: Callable[[Sequence[str], str], Mapping[str, bool | None]]
    watch: timedelta
    open_circuit: Callable[[], str] = str


class Turn(NamedTuple):
    """What a turn came to, and when the next one is due."""

    job: Job
    wait: timedelta


def take_turn(job: Job, redrive: Redrive) -> Turn:
    """Do what is next for a job, as the only one. Raises StoreUnavailable: then the turn is to be done again."""
    jobs, mover = redrive.moving.jobs, redrive.moving.mover
    if job.is_over or not jobs.lease(job.id, mover, redrive.moving.now()):
        found = jobs.look(job.id) or job
        return Turn(found, AT_ONCE if found.is_over else BUSY)
    try:
        return _take(jobs.look(job.id) or job, redrive)
    finally:
        with suppress(StoreUnavailable):  # it ends by itself
            jobs.release(job.id, mover)


def _take(job: Job, redrive: Redrive) -> Turn:
    batches = [_decided(job, batch, redrive) for batch in redrive.moving.jobs.batches(job.id)]
    if job.resends_doubtful:  # those that are in doubt now, and none that may be later
        return _keep(replace(job, resends_doubtful=False), job, AT_ONCE, redrive)
    heard_of = redrive.failed_again(watched(job, batches), job.id)
    progress = Progress(batches, known_of(heard_of), redrive.open_circuit())
    act = next_act(job, progress, redrive.watch, redrive.moving.now())
    match act:
        case Move(numbers=numbers):
            return _moved(job, batches, numbers, redrive)
        case Watch():
            return _keep(replace(job, watching_since=redrive.moving.now()), job, POLL, redrive)
        case Wait(time=time):
            return Turn(job, time)
        case HoldUp(circuit=circuit):
            return _held_up(job, circuit, redrive)
        case Proceed():
            proceeded = replace(job, step=job.step + 1, watching_since=None, note=_lasting(job.note))
            return _keep(proceeded, job, AT_ONCE, redrive)
        case End(state=state, note=note):
            return _keep(replace(job, state=state, note=note or _lasting(job.note)), job, AT_ONCE, redrive)
        case _:
            assert_never(act)


def _moved(job: Job, batches: Sequence[Batch], numbers: Sequence[int], redrive: Redrive) -> Turn:
    """Move letters; that some are hidden meanwhile is known, should this mover die."""
    moving = redrive.moving
    taking = replace(job, hidden_until=moving.now() + moving.remaining() + RESERVE)
    if not moving.jobs.change(taking, moving.mover):
        return Turn(moving.jobs.look(job.id) or replace(job, state=State.CANCELLED), AT_ONCE)
    moved = move(job, batches, numbers, moving)
    note = moved.why or (f"{moved.staying:,} stay: see the log" if moved.staying else "")
    changed = replace(job, places_done=job.places_done + moved.is_through, note=note)
    is_held_up = moved.why or (changed == job and not moved.moved)
    return _keep(changed, taking, LATER if is_held_up else AT_ONCE, redrive)


def _held_up(job: Job, circuit: str, redrive: Redrive) -> Turn:
    """Wait for a circuit; what was moved is looked after from anew once it is closed."""
    since = job.watching_since and redrive.moving.now()
    note = f"{_WAITS}circuit {circuit} is open (backstop circuits)"
    return _keep(replace(job, watching_since=since, note=note), job, LATER, redrive)


def _lasting(note: str) -> str:
    """Return a note, unless it told of a circuit that was open then."""
    return "" if note.startswith(_WAITS) else note


def _keep(changed: Job, job: Job, wait: timedelta, redrive: Redrive) -> Turn:
    """Keep how far a job has come; where it is not this mover's any more, it is as others left it."""
    if changed == job or redrive.moving.jobs.change(changed, redrive.moving.mover):
        return Turn(changed, wait)
    return Turn(redrive.moving.jobs.look(job.id) or replace(job, state=State.CANCELLED), AT_ONCE)


def _decided(job: Job, batch: Batch, redrive: Redrive) -> Batch:
    """Return a batch whose mover died as far as is known of it: what was heard of an event tells that it arrived."""
    unsure = batch.letters if batch.state is Sent.SENDING else batch.doubtful
    if not unsure:
        return batch
    arrived = redrive.failed_again([one.event_id for one in unsure], job.id)
    came = tuple(one for one in unsure if one.event_id in arrived)
    known = () if batch.state is Sent.SENDING else batch.letters
    doubtful = () if job.resends_doubtful else _doubtful(unsure, arrived)
    decided = replace(batch, state=Sent.SENT, letters=(*known, *came), count=batch.count + len(came), doubtful=doubtful)
    if decided != batch:
        redrive.moving.jobs.write(job.id, decided)
    return decided


def _doubtful(unsure: Sequence[Sending], arrived: Collection[str]) -> tuple[Sending, ...]:
    return tuple(one for one in unsure if one.event_id not in arrived and not one.is_ordered)
