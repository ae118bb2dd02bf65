"""Dead letters of the ordered lane in, their events back in their places: key by key, in the order of sending."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Final, NamedTuple

from backstop.errors import StoreUnavailable
from backstop.letter import Letter, sent_back
from backstop.message import Record
from backstop.parking import CannotPark, Lock, Parked, Parking, Placed, State, parked
from backstop.placing import DIGITS, in_order

NO_KEY: Final = "its key is not known"
NO_ROOM: Final = "its history does not fit: ten attributes used, or over 1 MiB"
HELD: Final = "its key waits for a person, who decides about its head first: backstop keys"
NOT_ASIDE: Final = "it is in its place still: it waits there, or is about to be put aside"
BEHIND: Final = "an earlier one of its key stays"

_OWN_DIGITS: Final = 24
"""What is left of the 64 digits that a history keeps, behind the zeros that no number of SQS begins with."""
_KEPT: Final = ("SentTimestamp", "AWSTraceHeader")


class Turn(NamedTuple):
    """What becomes of a letter: the event that is put into its place among those of its key, or why there is none."""

    letter: Letter
    event: Parked | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Returning:
    """What returning letters needs besides them.

    `wake` lets keys be drained after so many seconds, as far as that works. `new_generation` gives a number that no
    earlier lock of any key began with. `in_hand` is how long a worker may be at what it has taken in: the time of its
    invocation, and what clocks differ by. A worker that found a key free looks no second time, so until then, nobody
    runs what is put back.
    """

    parking: Parking
    wake: Callable[[Sequence[str], int], object]
    new_generation: Callable[[], int]
    now: Callable[[], datetime]
    in_hand: timedelta


@dataclass(slots=True)
class Returned:
    """What became of letters, by their messages' ids.

    The events of those that are `safe` are in their places: the letters may be deleted. `refused` ones may go back
    later, and may be back already, which does no harm: they are given again. `staying` ones cannot, as things are.
    """

    safe: list[Letter] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    staying: dict[str, str] = field(default_factory=dict)


def turn_of(letter: Letter) -> tuple[str, str]:
    """Return what letters are sorted by: their keys, then the order in which the events of a key were sent."""
    return letter.key, in_order(sequence_of(letter))


def sequence_of(letter: Letter) -> str:
    """Return the number of an event among those of its key: the one that SQS gave it, as its history tells.

    What SQS moved has no history. Its number is made of that which it has now, so that it is the same each time, and
    comes before all others of its key: 40 zeros, and then 24 digits, in the order in which such letters were moved.
    """
    if letter.trail.sequence:
        return letter.trail.sequence
    own = str(letter.record["attributes"].get("SequenceNumber", ""))
    if not own.isdecimal() or len(own) > _OWN_DIGITS:
        distinct = int(hashlib.sha256(letter.message_id.encode()).hexdigest(), 16) % 10**11
        own = f"{int(letter.sent_at.timestamp() * 1000):013}{distinct:011}"
    return "0" * DIGITS + own.zfill(_OWN_DIGITS)


def put_back(letters: Sequence[Letter], redrive_id: str, now: datetime) -> list[Turn]:
    """Return what becomes of letters, in the order in which they go back.

    They have to be all of their keys that are meant, or the earliest: what goes back later may be overtaken.
    """
    return [_turn(letter, redrive_id, now) for letter in sorted(letters, key=turn_of)]


def return_letters(letters: Sequence[Letter], redrive_id: str, returning: Returning) -> Returned:
    """Put the events of letters into their places and let their keys be drained. May be called again at any time.

    Where one cannot be put back, the later ones of its key are not either.
    """
    returned, stuck, keys = Returned(), dict[str, dict[str, str]](), list[str]()
    for turn in put_back(letters, redrive_id, returning.now()):
        key, message_id = turn.letter.key, turn.letter.message_id
        if key in stuck:
            stuck[key][message_id] = BEHIND
            continue
        try:
            why = _why_not(turn, returning)
        except StoreUnavailable as error:
            stuck[key] = returned.refused
            returned.refused[message_id] = str(error)
            keys.append(key)  # it may be in its place all the same
            continue
        if why:
            stuck[key] = returned.staying
            returned.staying[message_id] = why
        else:
            returned.safe.append(turn.letter)
            keys.append(key)
    if keys:
        returning.wake(list(dict.fromkeys(keys)), ceil(returning.in_hand.total_seconds()))
    return returned


def _turn(letter: Letter, redrive_id: str, now: datetime) -> Turn:
    if not letter.key:
        return Turn(letter, None, NO_KEY)
    sent = sent_back(letter, redrive_id, now)
    if sent is None:
        return Turn(letter, None, NO_ROOM)
    return Turn(letter, parked(_record(letter), letter.event_id).after(sent.trail))


def _record(letter: Letter) -> Record:
    """Return the record of an event as its own queue handed it over, as far as its letter tells."""
    attributes = letter.record["attributes"]
    return {
        **letter.record,
        "eventSourceARN": f"arn:aws:sqs:::{letter.source_queue}",
        "attributes": {name: attributes[name] for name in _KEPT if name in attributes}
        | {"MessageGroupId": letter.key, "SequenceNumber": sequence_of(letter)},
    }


def _why_not(turn: Turn, returning: Returning) -> str:
    """Put an event into its place; returns why it cannot be. Raises StoreUnavailable."""
    if turn.event is None:
        return turn.why
    now = returning.now()
    due = now + returning.in_hand
    lock = Lock(turn.letter.key, State.WAITING, returning.new_generation(), turn.event.name, 1, due, now)
    try:
        placed = returning.parking.return_to_place(lock, turn.event)
    except CannotPark as error:
        return str(error)
    return {Placed.PARKED: "", Placed.NOT_ASIDE: NOT_ASIDE}.get(placed, HELD)
