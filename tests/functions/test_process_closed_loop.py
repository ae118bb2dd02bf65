"""300 events through queues, function and tables with everything going wrong at once, until it is quiet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest

from backstop import Message, PermanentError, SystemFault, TransientError
from tests.fakes.faults import Fault
from tests.fakes.handler import Act, Event
from tests.fakes.source import WorkerDied
from tests.lane import ProcessLane

EVENTS = 300
LATER = TransientError("no price yet")
SCRIPTS: dict[str, tuple[int, list[Act]]] = {
    "poison": (8, [PermanentError("never")]),
    "bug": (4, [KeyError("sku")]),
    "killer": (3, [WorkerDied("out of memory")]),
    "hopeless": (3, [LATER]),
    "late": (40, [LATER, LATER, None]),
    "later": (8, [LATER, LATER, LATER, LATER, None]),
    "kills-once": (2, [WorkerDied("a timeout"), None]),
    "outage": (20, [SystemFault("no permission")] * 4 + [None]),
}
BAD = ("poison", "bug", "killer", "hopeless")


class Traffic:
    """The events of a run: what each does, and in which order they are sent."""

    def __init__(self, lane: ProcessLane, random: Random) -> None:
        names = [f"{script}-{number}" for script, (count, _) in SCRIPTS.items() for number in range(count)]
        self.ids = names + [f"good-{number}" for number in range(EVENTS - len(names))]
        random.shuffle(self.ids)
        self.malformed = [f"not JSON {number}" for number in range(6)]
        for event_id in self.ids:
            _, acts = SCRIPTS.get(event_id.rpartition("-")[0], (0, [None]))
            lane.handler.will(event_id, *[takes_time(lane, act, random) for act in acts])

    @property
    def bad(self) -> set[str]:
        return {event_id for event_id in self.ids if event_id.rpartition("-")[0] in BAD}

    def send(self, lane: ProcessLane, random: Random) -> None:
        """Send all events, some of them twice, some of them late."""
        for event_id in self.ids:
            for _ in range(1 + (random.random() < 0.08)):
                lane.send(lane.order(event_id), DelaySeconds=random.choice([0, 0, 0, 5, 60]))
        lane.send(*self.malformed)


def takes_time(lane: ProcessLane, act: Act, random: Random) -> Callable[[Event, Message], None]:
    def run(event: Event, message: Message) -> None:
        lane.clock.advance(timedelta(seconds=random.random() * 2))
        if isinstance(act, BaseException):
            raise act.with_traceback(None)

    return run


def let_calls_fail_now_and_then(lane: ProcessLane, random: Random) -> None:
    for operation, fault in (
        ("SendMessageBatch", Fault.THROTTLED),
        ("DeleteMessageBatch", Fault.UNREACHABLE),
        ("ChangeMessageVisibilityBatch", Fault.THROTTLED),
        ("PutItem", Fault.THROTTLED),
        ("BatchGetItem", Fault.THROTTLED),
    ):
        lane.faults.fail_always(operation, fault, when=lambda request: random.random() < 0.03)
    lane.sqs.refuses = lambda operation, entry: random.random() < 0.03


@pytest.mark.parametrize("seed", [1, 2])
def test_every_event_is_done_or_dead_and_none_is_lost_doubled_or_wrongly_dead(lane: ProcessLane, seed: int) -> None:
    random = Random(seed)
    traffic = Traffic(lane, random)
    let_calls_fail_now_and_then(lane, random)
    traffic.send(lane, random)
    for delivery in lane.deliveries_until_quiet():
        if random.random() < 0.05:
            random.choice([lane.events_source, lane.retries_source]).throttle()
        if random.random() < 0.1 and lane.events.deleted:
            lane.events.resurrect(random.choice(list(lane.events.deleted)))
        assert isinstance(delivery.error, WorkerDied | None)
    done = set(lane.handler.finished)
    dead = {trail["event_id"] for trail in lane.trails(lane.dead_letters) if "event_id" in trail}
    assert done | dead == set(traffic.ids)
    assert dead == traffic.bad
    assert set(lane.handler.finished.values()) == {1}
    assert set(traffic.malformed) <= {letter.body for letter in lane.dead_letters.messages}
    assert lane.events.expired == lane.retries.expired == []
