"""What is really in the orders' histories and parked in, where each event of an ordered drill ended out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, NamedTuple, Self

from backstop.parking import State
from ops.drill.ordered.plan import Plan, Planned


class Applied(NamedTuple):
    """An entry of an order's history: which event it was, and how long after it was sent it was applied."""

    token: str
    delay_seconds: float


class Order(NamedTuple):
    """An order as it is stored: its history in its order, and how many changes came to it out of order."""

    history: Sequence[Applied] = ()
    violations: int = 0


class Waiting(NamedTuple):
    """A parked event; `dead_because` is empty where it only waits."""

    event_id: str
    dead_because: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: nothing here is taken from the plan.

    `sent` are the numbers of the events that SQS took, `parked` the parked events of each key in their order, `states`
    what each key waits for that waits, `queued` messages in OrderedQueue.
    """

    sent: frozenset[int]
    orders: Mapping[str, Order]
    parked: Mapping[str, Sequence[Waiting]]
    states: Mapping[str, State]
    queued: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Delays:
    """How long after it was sent an event was applied, in seconds, by nearest rank; None where none was."""

    p50: float | None
    p99: float | None

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Self:
        """Return the delays of some events."""
        ordered = sorted(seconds)
        if not ordered:
            return cls(None, None)
        p50, p99 = (round(ordered[ceil(share * len(ordered)) - 1], 3) for share in (0.5, 0.99))
        return cls(p50, p99)


@dataclass(frozen=True, slots=True)
class Account:
    """Where the events of a drill ended: each in exactly one place, and each key as it was planned, if it balances.

    `keys_not_as_planned` are those that are neither done nor held, with a dead head, exactly at it. `keys_left` are
    those that still wait now that the drill has cleaned up after itself.
    """

    sent: int
    done: int
    dead: Mapping[str, int]
    parked: int
    queued: int
    lost: int
    effects_twice: int
    order_violations: int
    good_events_dead: int
    keys_not_as_planned: int
    unrelated_delay_seconds: Delays
    other_delay_seconds: Delays
    seconds: float
    keys_left: int = 0

    @property
    def is_balanced(self) -> bool:
        """Whether every event ended, where it belongs, with one effect and in its order."""
        wrong = self.lost + self.effects_twice + self.order_violations + self.good_events_dead
        is_over = not self.queued and self.sent == self.done + sum(self.dead.values()) + self.parked
        return is_over and not wrong and not self.keys_not_as_planned

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


class _End(NamedTuple):
    """How a key ended."""

    sent: int
    done: int
    dead: list[str]
    parked: int
    effects_twice: int
    order_violations: int
    good_events_dead: int
    is_as_planned: bool


def balance(plan: Plan, found: Found) -> Account:
    """Account for a drill. What is in no history, not parked and not queued is lost.

    An event that is applied and yet parked counts as parked; if it is dead, too, as a good one that died.
    """
    ends = [_end(key, events, found) for key, events in plan.keys.items()]
    sent, done, parked = (sum(getattr(end, name) for end in ends) for name in ("sent", "done", "parked"))
    dead = Counter(reason for end in ends for reason in end.dead)
    return Account(
        sent=sent,
        done=done,
        dead=dict(sorted(dead.items())),
        parked=parked,
        queued=found.queued,
        lost=max(sent - done - dead.total() - parked - found.queued, 0),
        effects_twice=sum(end.effects_twice for end in ends),
        order_violations=sum(end.order_violations for end in ends),
        good_events_dead=sum(end.good_events_dead for end in ends),
        keys_not_as_planned=sum(not end.is_as_planned for end in ends),
        unrelated_delay_seconds=_delays(found, plan.unrelated),
        other_delay_seconds=_delays(found, plan.keys.keys() - plan.unrelated),
        seconds=round(found.seconds, 1),
    )


def _end(key: str, events: Sequence[Planned], found: Found) -> _End:
    """Compare a key with what was sent of it. A history that is not the first of its events, in order, is one wrong."""
    sent = [event for event in events if event.number in found.sent]
    order, parked = found.orders.get(key, Order()), found.parked.get(key, ())
    tokens = [applied.token for applied in order.history]
    once = list(dict.fromkeys(tokens))
    waits = {waiting.event_id: waiting.dead_because for waiting in parked}
    dead = [event for event in sent if waits.get(event.event_id)]
    done = [event for event in sent if event.token in once and event.event_id not in waits]
    ended = (found.states.get(key), done, dead, [waiting.event_id for waiting in parked])
    return _End(
        sent=len(sent),
        done=len(done),
        dead=[waits[event.event_id] for event in dead],
        parked=sum(event.event_id in waits for event in sent) - len(dead),
        effects_twice=len(tokens) - len(once),
        order_violations=order.violations + (once != [event.token for event in sent[: len(once)]]),
        good_events_dead=sum(not event.is_deadly or event.token in once for event in dead),
        is_as_planned=ended == _planned(sent),
    )


def _planned(sent: Sequence[Planned]) -> tuple[State | None, list[Planned], list[Planned], list[str]]:
    """Return how a key should end: what it waits for, what is done, what is dead, the ids of what is parked."""
    place = next((place for place, event in enumerate(sent) if event.is_deadly), None)
    if place is None:
        return None, list(sent), [], []
    return State.HELD, list(sent[:place]), [sent[place]], [event.event_id for event in sent[place:]]


def _delays(found: Found, keys: Iterable[str]) -> Delays:
    return Delays.of(applied.delay_seconds for key in keys for applied in found.orders.get(key, Order()).history)
