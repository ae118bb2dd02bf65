"""What it takes to let a key's events wait in their order: the lock that says that a key waits, and who may act on it.

A key waits exactly as long as its lock is there. Whoever acts on the events of a key that waits holds its lease: a
generation of the lock that is nobody else's, until a time that no worker outlives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from backstop.errors import SystemFault
from backstop.message import Record, queue_name
from backstop.trail import ATTRIBUTE, Trail


class State(StrEnum):
    """What a key that waits is waiting for."""

    WAITING = "waiting"
    """For its time: its head is tried again."""
    RUNNING = "running"
    """For who has its lease."""
    HELD = "held"
    """For a person: its head is dead."""


class OnDeadHead(StrEnum):
    """What becomes of a key whose head is dead."""

    HOLD = "hold"
    """It stays parked until a person decides."""
    SKIP = "skip"
    """Its head becomes a dead letter, and the others go on."""


class Placed(StrEnum):
    """What became of an event that was to be parked."""

    PARKED = "parked"
    """It is parked, by this call or an earlier one."""
    KEY_WAITS = "key waits"
    """It cannot be the head: its key waits already."""
    KEY_IS_FREE = "key is free"
    """It cannot be parked behind others: its key does not wait any more."""
    KEY_IS_HELD = "key is held"
    """It cannot be put before others: a person decides about the head of its key first."""
    NOT_ASIDE = "not put aside"
    """It cannot be put back: it has a dead letter, but is in its place still."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A key that waits.

    `generation` changes with each lease. `head` names the event that the others wait for.
    `waiting` counts the parked events, the head included. `due` is when somebody acts next: the head's next try, or the
    end of a lease; it says nothing of a key that is held. `returned` counts the events that were put back into their
    places: what was first before may be first no more.
    """

    key: str
    state: State
    generation: int
    head: str
    waiting: int
    due: datetime
    since: datetime
    returned: int = 0


@dataclass(frozen=True, slots=True)
class Parked:
    """An event that waits in its place.

    `sequence` is the number that SQS gave it: digits, in the order in which events of a key were sent. `event_id` is
    empty where the body is no event. `blocked_by` names the event that it waits for; empty for a head. `place` is where
    the bucket keeps a record that is too large for an item; empty where it keeps none.
    """

    sequence: str
    event_id: str
    record: Record
    blocked_by: str = ""
    place: str = ""

    @property
    def name(self) -> str:
        """What it goes by: its event's id, or the number that SQS gave it."""
        return self.event_id or f"#{self.sequence}"

    @property
    def trail(self) -> str:
        """What befell it, as a message carries it; empty where nothing has."""
        return str(self.record["messageAttributes"].get(ATTRIBUTE, {}).get("stringValue", ""))

    def redrives(self, now: datetime) -> int:
        """Return how often it was put back after it had been put aside, as its history tells."""
        return Trail.written(self.trail, frozenset(), now).redrives

    def after(self, trail: Trail) -> Parked:
        """Return the same event with what befell it since."""
        attribute = {"stringValue": trail.serialise(), "dataType": "String"}
        attributes = {**self.record["messageAttributes"], ATTRIBUTE: attribute}
        return replace(self, record={**self.record, "messageAttributes": attributes})


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be parked: events a key, and keys."""

    events_a_key: int
    keys: int


Place = tuple[str, str]
"""Where an event stands in its order: its key, and the number that SQS gave it."""

KEPT_ASIDE: Final = timedelta(days=15)
"""How long it is known that an event was put aside: longer than a queue keeps a message that could bring it again."""


class Seen(NamedTuple):
    """What is known of some keys: the locks of those that wait, the keys of which nothing could be learned."""

    locks: dict[str, Lock]
    unknown: frozenset[str]
    parked_keys: int
    """How many keys waited in all when they were last counted."""
    aside: frozenset[Place] = frozenset()
    """The events that were put aside, of those that were asked for."""


class Census(NamedTuple):
    """How many keys wait, how many of them for a person, and since when one has been due that nobody took."""

    keys: int
    held: int
    due_since: datetime | None


class Parking(Protocol):
    """Where events are parked. Every method raises StoreUnavailable where that cannot be told or done.

    What raised may have been done all the same: every method may be called again with what it was called with.
    """

    def look(self, keys: Sequence[str], again: Sequence[Place] = ()) -> Seen:
        """Return which of up to 10 keys wait, and which of up to 10 events were put aside, as of now: one call."""

    def park_head(self, lock: Lock, event: Parked) -> Placed:
        """Make a key wait, with its first event: both or neither. Raises CannotPark where the event is too large."""

    def park_behind(self, key: str, event: Parked) -> Placed:
        """Park an event behind the others of its key. Raises CannotPark where it is too large, or they are too many."""

    def lease(self, key: str, now: datetime, until: datetime) -> Lock | None:
        """Take the lease of a key that is due. None where it does not wait, is held, or another one has it."""

    def first(self, lock: Lock) -> tuple[Lock, Sequence[Parked]]:
        """Return the lock as it is, and then the first of its events, in their order. Raises LeaseLost."""

    def remove(self, lock: Lock, event: Parked) -> bool:
        """Forget an event that is done; returns whether none was put back since the lock was read. Raises LeaseLost."""

    def put_aside(self, lock: Lock, event: Parked, now: datetime) -> bool:
        """Forget an event like `remove`, but for that its key goes on without it: its message may come again."""

    def mark_aside(self, place: Place, now: datetime) -> None:
        """Know of an event that was never parked that its key goes on without it."""

    def return_to_place(self, lock: Lock, event: Parked) -> Placed:
        """Put an event that was put aside back into its place among those of its key: they wait for it from then on.

        `lock` is that of a key which does not wait yet. What was put back as often before is PARKED, even if it was put
        aside again since. Raises CannotPark where they are too many, or another event has its place.
        """

    def postpone(self, lock: Lock, head: Parked, state: State, due: datetime) -> bool:
        """Give the lease back and keep what befell the head. Raises LeaseLost.

        Does neither, and returns False, where an event was put back since the lock was read, and is the head now.
        """

    def give_back(self, lock: Lock, state: State, due: datetime) -> None:
        """Give the lease back. Raises LeaseLost."""

    def unlock(self, lock: Lock) -> bool:
        """Let the key go. False where an event was parked since the lock was read, or the lease is lost."""

    def due(self, now: datetime, most: int) -> Sequence[str]:
        """Return keys that wait and are due, those first that have been for longest."""

    def count(self, now: datetime) -> Census:
        """Count the keys that wait, and keep their number for `look`."""


class LeaseLost(Exception):
    """Raised when a key is not the caller's any more: its lease ran out, and another one has it."""


class CannotPark(Exception):
    """Raised when an event cannot be parked: it is too large, or too many are parked."""


_RECEIVED_AGAIN: Final = {"ApproximateReceiveCount": "2"}
"""Whoever runs a parked event may not be the first to: its record in progress then tells of a worker that died."""


def sequence_of(record: Record) -> str:
    """Return the number that SQS gave a record of a FIFO queue. Raises SystemFault where it has none."""
    sequence = str(record["attributes"].get("SequenceNumber", ""))
    if not sequence.isdecimal():
        raise SystemFault(
            f"{queue_name(record) or 'the event'} is not from a FIFO queue: without order, none can be kept"
        )
    return sequence


def parked(record: Record, event_id: str, blocked_by: str = "") -> Parked:
    """Return what is parked of a record: what it takes to run it later, or to send it elsewhere as it came."""
    kept = {
        "messageId": record["messageId"],
        "body": record["body"],
        "eventSourceARN": record["eventSourceARN"],
        "attributes": {**record["attributes"], **_RECEIVED_AGAIN},
        "messageAttributes": dict(record.get("messageAttributes") or {}),
    }
    return Parked(sequence_of(record), event_id, kept, blocked_by)
