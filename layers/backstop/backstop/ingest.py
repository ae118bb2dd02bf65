"""A batch of a FIFO queue in: each event is run, or parked behind those of its key that wait; the ids that stay out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from backstop.errors import StoreUnavailable
from backstop.message import Message, Record, read, received_before
from backstop.parking import CannotPark, Lock, Parked, Place, Placed, Seen, State, parked, sequence_of
from backstop.process import event_id_of, split
from backstop.sequence import PAUSE, Lane, Pace, Standing, bury, keep, letter, report, run, wake


@dataclass(slots=True)
class _Intake:
    """How a batch goes: what its keys wait for, and what stays with SQS.

    `blockers` name the events that the keys that wait are waiting for. All later events of a key whose event stays
    (`stuck`) or was not started (`unreached`) are left as well, or they would overtake it.
    """

    lane: Lane
    seen: Seen
    pace: Pace
    blockers: dict[str, str]
    stuck: set[str]
    unreached: set[str] = field(default_factory=set)
    staying: list[Record] = field(default_factory=list)
    unstarted: list[Record] = field(default_factory=list)

    def stays(self, record: Record, why: str) -> None:
        """Leave an event, and all later ones of its key, to SQS."""
        self.stuck.add(_key(record))
        self.staying.append(record)
        self.lane.effects.left_to_sqs(_message(record, self.lane), why)


def ingest(records: Sequence[Record], lane: Lane) -> list[str]:
    """Take a batch in and return the ids of the messages that stay with SQS, each once.

    Keys of suspects, which may kill this worker too, come last and one by one: what came before is let go by then.
    """
    for record in records:
        sequence_of(record)  # before anything is run: raises SystemFault where there is no order to keep
    others = keep(records, timedelta(0), lane)
    try:
        again = [_place(record) for record in received_before(records)]
        seen = lane.parking.look(sorted({_key(record) for record in records}), again)
    except StoreUnavailable as unknown:
        seen = Seen({}, frozenset(map(_key, records)), 0)
        lane.effects.left_to_sqs(_message(records[0], lane), f"whether keys wait cannot be told: {unknown}")
    blockers = {key: lock.head for key, lock in seen.locks.items()}
    intake = _Intake(lane, seen, Pace(lane.flow.remaining_millis), blockers, set(seen.unknown))
    for record in records:
        if record["messageId"] in others:
            intake.stays(record, "it came too late: it is another worker's by now")
    _measure(seen.locks.values(), lane)
    together, *apart = _portions(records, lane)
    _take_all(together, intake)
    before = together
    for portion in apart:
        kept = {record["messageId"] for record in (*intake.staying, *intake.unstarted)}
        lane.effects.let_go([record for record in before if record["messageId"] not in kept])
        _take_all(portion, intake)
        before = portion
    _leave(intake)
    lane.effects.count()
    return list(dict.fromkeys(str(record["messageId"]) for record in (*intake.staying, *intake.unstarted)))


def _leave(intake: _Intake) -> None:
    """Let what was not started come again at once, and what could not be parked the later, the longer it has waited."""
    lane = intake.lane
    if intake.unstarted:
        lane.effects.give_back(intake.unstarted)
    if intake.staying:
        oldest = min(_message(record, lane).sent_at for record in intake.staying)
        age = max(lane.flow.now() - oldest, timedelta(0))
        wait = lane.flow.policy.backoff.deferral(age, lane.flow.dice())
        lane.effects.keep(intake.staying, ceil(wait.total_seconds()))


def _portions(records: Sequence[Record], lane: Lane) -> list[list[Record]]:
    """Return what may be run together, and then the events of each key that has a suspect."""
    _, suspects = split(records, lane.flow)
    suspected = list(dict.fromkeys(map(_key, suspects)))
    portions = [[record for record in records if _key(record) == key] for key in suspected]
    return [[record for record in records if _key(record) not in suspected], *portions]


def _take_all(records: Sequence[Record], intake: _Intake) -> None:
    for record in records:
        if _place(record) in intake.seen.aside:
            continue  # its message was not let go in time: the others have gone on without it
        if _key(record) in intake.unreached:
            intake.unstarted.append(record)
        elif _key(record) in intake.stuck:
            intake.staying.append(record)
        elif not intake.pace.allows_another():
            intake.unreached.add(_key(record))
            intake.unstarted.append(record)
        else:
            _take(record, intake)


def _take(record: Record, intake: _Intake) -> None:
    """Park an event behind those that wait, or run it where none does."""
    key = _key(record)
    if key in intake.blockers:
        event = parked(record, event_id_of(record, intake.lane.flow.parse), intake.blockers[key])
        placed = _park_behind(record, event, intake)
        if placed is not Placed.KEY_IS_FREE:
            return
        del intake.blockers[key]  # drained since the lock was read
    standing = run(record, intake.lane)
    if standing is None:
        return
    now = intake.lane.circumstances.now()
    sent = letter(standing, intake.lane)
    if sent is None:
        _park_as_head(record, standing, standing.state(), standing.due(now), intake)
    elif not bury(sent, standing, intake.lane):
        _park_as_head(record, standing, State.WAITING, now + PAUSE, intake)
    else:
        _mark_aside(record, now, intake)


def _mark_aside(record: Record, now: datetime, intake: _Intake) -> None:
    """Let the others go on without an event, once it is known that they do: its message may come again after them."""
    try:
        intake.lane.parking.mark_aside(_place(record), now)
    except StoreUnavailable as error:
        intake.stays(record, f"that it is a dead letter could not be noted: {error}")


def _park_behind(record: Record, event: Parked, intake: _Intake) -> Placed | None:
    """Park an event behind the others of its key; None where it stays with SQS."""
    try:
        return intake.lane.parking.park_behind(_key(record), event)
    except (StoreUnavailable, CannotPark) as error:
        intake.stays(record, f"it could not be parked: {error}")
        return None


def _park_as_head(record: Record, standing: Standing, state: State, due: datetime, intake: _Intake) -> None:
    key, lane = _key(record), intake.lane
    event = parked(record, standing.message.event_id).after(standing.trail)
    lock = Lock(key, state, lane.new_generation(), event.name, 1, due, lane.circumstances.now())
    try:
        if intake.seen.parked_keys >= lane.limits.keys:
            raise CannotPark(f"{intake.seen.parked_keys} keys wait, and {lane.limits.keys} may")
        placed = lane.parking.park_head(lock, event)
    except (StoreUnavailable, CannotPark) as error:
        intake.stays(record, f"it could not be parked: {error}")
        return
    if placed is Placed.KEY_WAITS and _park_behind(record, event, intake) is not Placed.PARKED:
        # an earlier delivery of it was parked after all, and is drained by now: SQS brings it again, to be told so
        if key not in intake.stuck:
            intake.stays(record, "its key waited, and then did not")
        return
    intake.blockers[key] = event.name
    if state is standing.state():
        report(standing, lane)
    if state is State.WAITING:
        wake(key, due, lane)


def _measure(locks: Iterable[Lock], lane: Lane) -> None:
    """Tell how full the fullest key is, where any waits."""
    most = max((lock.waiting for lock in locks), default=0)
    if most:
        lane.effects.measure(FullestKeyPercent=100 * most / lane.limits.events_a_key)


def _message(record: Record, lane: Lane) -> Message:
    return read(record, "", lane.flow.queues, lane.flow.now())


def _place(record: Record) -> Place:
    return _key(record), sequence_of(record)


def _key(record: Record) -> str:
    return str(record["attributes"].get("MessageGroupId", ""))
