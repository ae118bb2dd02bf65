"""An event's id in, all that the stack knows of it out: its history, its record, its place, what operators did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from backstop.errors import StoreUnavailable
from backstop.kinds import Kind
from backstop.verdict import Policy
from ops import audit
from ops.failed_events.history import Befell, Where, is_possible, of_event
from ops.failure import CallFailed, sentence
from ops.stack import Stack
from ops.where import settings
from ops.where.place import Place, key_of, place
from ops.where.record import Record, Run, records

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an event. `history` is the newest first, and `has_more` says that it goes further back.

    `most_attempts` are those that it is given, where that is known, and `days` for how long a history is kept. `unread`
    says what could not be read, and why.
    """

    history: Sequence[Befell] = ()
    has_more: bool = False
    records: Sequence[Record] = ()
    place: Place | None = None
    done: Sequence[audit.Entry] = ()
    most_attempts: int | None = None
    days: int | None = None
    unread: Sequence[str] = ()


def facts(stack: Stack, event_id: str, key: str, limit: int, now: datetime) -> Facts:
    """Ask for all that is known of an event. `key` is its key, where the caller knows it.

    Raises what botocore raises where its history cannot be read; what else cannot be read is said in `unread`.
    """
    if not is_possible(event_id):
        return Facts()
    found = of_event(stack, event_id, limit + 1)
    history = found[:limit]
    asking = _Asking()
    ran: list[Record] = asking.ask("whether it is done", lambda: records(stack, event_id, now), [])
    where = asking.ask("whether it is parked", lambda: _place(stack, event_id, key, history, ran, now), None)
    names = {event_id} | {row.redrive_id for row in history if row.redrive_id}
    done: list[audit.Entry] = asking.ask("what operators did", lambda: audit.naming(stack, names), [])
    return Facts(
        history=history,
        has_more=len(found) > limit,
        records=ran,
        place=where,
        done=done,
        most_attempts=_most_attempts(stack, history, where),
        days=None if history or ran or where else settings.number(stack, settings.WATCH, "FAILED_EVENT_DAYS"),
        unread=asking.unread,
    )


class _Asking:
    """Asks for one thing after the other, and remembers what was not answered."""

    def __init__(self) -> None:
        self.unread: list[str] = []

    def ask(self, what: str, question: Callable[[], Answer], otherwise: Answer) -> Answer:
        try:
            return question()
        except (CallFailed, StoreUnavailable) as error:
            self.unread.append(f"{what} is not known: {error}")
        except (ClientError, BotoCoreError) as error:
            self.unread.append(f"{what} is not known: {sentence(error)}")
        return otherwise


def _place(
    stack: Stack, event_id: str, key: str, history: Sequence[Befell], ran: Sequence[Record], now: datetime
) -> Place | None:
    """Find the place of an event by the key that is named, or that its history names; else among all that is parked.

    That may be much: it is looked through only for what the other facts leave open.
    """
    for name in dict.fromkeys(filter(None, (key, history[0].key if history else ""))):
        found = place(stack, event_id, name, now)
        if found is not None:
            return found
    is_open = history[0].state == Where.PARKED if history else not any(one.run is Run.DONE for one in ran)
    name = key_of(stack, event_id) if is_open and not key else ""
    return place(stack, event_id, name, now) if name else None


def _most_attempts(stack: Stack, history: Sequence[Befell], where: Place | None) -> int | None:
    """Return how many attempts an event that is tried again is given; None where that is not known, or it is not."""
    if where is not None:
        return _most(stack, settings.PROCESS_ORDERED, where.found.history.kind)
    if not history or history[0].state not in {Where.RETRYING, Where.PARKED}:
        return None
    is_ordered = history[0].source_queue.endswith(".fifo")
    return _most(stack, settings.PROCESS_ORDERED if is_ordered else settings.PROCESS, history[0].kind)


def _most(stack: Stack, function: str, kind: str) -> int | None:
    most = settings.number(stack, function, "MAX_ATTEMPTS")
    known = Kind.UNKNOWN if kind == Kind.UNKNOWN else Kind.TRANSIENT
    return None if most is None else Policy(max_attempts=most).attempts(known)
