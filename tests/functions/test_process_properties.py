"""Whatever a batch holds and whatever fails around it, through the real app.py: what holds in every case."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstop import Message, PermanentError, SystemFault, TransientError
from tests.fakes.faults import Fault
from tests.fakes.handler import Act, Event, ScriptedHandler
from tests.fakes.source import Delivery, WorkerDied
from tests.lane import ProcessLane
from tests.support import process_lane

CI: Final = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)

QUEUE_CALLS: Final = ("SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")
TABLE_CALLS: Final = ("PutItem", "UpdateItem", "DeleteItem", "BatchGetItem")

LATER = TransientError("later")
DIES = WorkerDied("out of memory")
SCRIPTS: Final[dict[str, Sequence[Act]]] = {
    "good": [None],
    "late": [LATER, LATER, None],
    "asks to wait": [TransientError("busy", retry_after=1200), None],
    "system fault": [SystemFault("no permission")] * 3 + [None],
    "unknown": [RuntimeError("what is this"), None],
    "kills once": [DIES, None],
    "permanent": [PermanentError("never")],
    "a bug": [KeyError("sku")],
    "hopeless": [LATER],
    "killer": [DIES],
}
GOOD: Final = ("good", "late", "asks to wait", "system fault", "unknown", "kills once")
STEADY: Final = tuple(name for name in SCRIPTS if name != "kills once")
"""A table that fails may lose the answer to a claim, and a claim that is left behind counts as a crash."""
BAD: Final = tuple(name for name in SCRIPTS if name not in GOOD)
BODIES: Final = ("not JSON", "{}", "[" * 10_000, '{"id": NaN}')


@dataclass(frozen=True)
class Sent:
    """A message of the batch: how its event behaves, how long each run takes, and how often the message is sent."""

    script: str
    seconds: int
    copies: int

    def acts(self, lane: ProcessLane) -> list[Act]:
        """Return what the runs of its event do."""
        return [self._slowly(lane, act) for act in SCRIPTS[self.script]]

    def _slowly(self, lane: ProcessLane, act: Act) -> Callable[[Event, Message], None]:
        def run(event: Event, message: Message) -> None:
            lane.clock.advance(timedelta(seconds=self.seconds))
            if isinstance(act, BaseException):
                raise act.with_traceback(None)

        return run


@dataclass(frozen=True)
class Scenario:
    """A batch, and what fails around it."""

    sent: list[Sent]
    bodies: list[str]
    faults: dict[str, list[Fault | None]]
    refusals: list[bool]
    throttled_polls: int

    def begin(self, lane: ProcessLane) -> dict[str, str]:
        """Send the batch, and return the ids of its events with their scripts."""
        lane.forget()
        scripts = {}
        for sent in self.sent:
            order = lane.order()
            scripts[order["id"]] = sent.script
            lane.handler.will(order["id"], *sent.acts(lane))
            lane.send(*[order] * sent.copies)
        lane.send(*self.bodies)
        lane.events_source.throttle(self.throttled_polls)
        for operation, faults in self.faults.items():
            lane.faults.fail(operation, *faults)
        refusals = iter(self.refusals)
        lane.sqs.refuses = lambda operation, entry: next(refusals, False)
        return scripts


def scenarios(
    scripts: Sequence[str] = tuple(SCRIPTS), failing: Sequence[str] = QUEUE_CALLS + TABLE_CALLS
) -> st.SearchStrategy[Scenario]:
    """Draw batches of events that behave as `scripts`, while calls of the kinds `failing` fail now and then."""
    sent = st.builds(Sent, st.sampled_from(scripts), st.sampled_from([0, 0, 0, 3, 12]), st.sampled_from([1, 1, 1, 2]))
    fault = st.sampled_from([None, *Fault])
    return st.builds(
        Scenario,
        sent=st.lists(sent, min_size=1, max_size=8),
        bodies=st.lists(st.sampled_from(BODIES), max_size=2),
        faults=st.fixed_dictionaries({}, optional={name: st.lists(fault, max_size=3) for name in failing}),
        refusals=st.lists(st.booleans(), max_size=12 if "SendMessageBatch" in failing else 0),
        throttled_polls=st.integers(0, 2),
    )


@pytest.fixture(scope="module")
def lane() -> Iterator[ProcessLane]:
    """One warm worker for all cases: nothing of one may show in the next."""
    with process_lane(ScriptedHandler()) as lane:
        yield lane


def assert_answer_is_one_that_lambda_takes(delivery: Delivery) -> None:
    if isinstance(delivery.error, WorkerDied):
        return
    assert delivery.error is None
    answer: Any = delivery.answer
    named = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
    assert len(named) == len(set(named))
    assert set(named) <= set(delivery.ids)


def assert_nothing_is_lost(lane: ProcessLane, delivery: Delivery) -> None:
    """Each message of the batch is done, or it is in one of the queues."""
    bodies = lane.bodies()
    for record in delivery.event["Records"]:
        if record["body"] not in bodies:
            assert json.loads(record["body"])["id"] in lane.handler.finished


@given(scenarios())
@CI
def test_every_message_is_done_or_sent_on_or_returned_after_every_delivery(
    lane: ProcessLane, scenario: Scenario
) -> None:
    scenario.begin(lane)
    for delivery in lane.deliveries_until_quiet():
        assert_answer_is_one_that_lambda_takes(delivery)
        assert_nothing_is_lost(lane, delivery)


@given(scenarios(failing=QUEUE_CALLS) | scenarios(STEADY, failing=TABLE_CALLS))
@CI
def test_good_events_end_done_and_bad_ones_dead_while_queues_or_tables_fail(
    lane: ProcessLane, scenario: Scenario
) -> None:
    scripts = scenario.begin(lane)
    lane.run_until_quiet()
    dead = {trail.get("event_id", "") for trail in lane.trails(lane.dead_letters)} - {""}
    assert set(lane.handler.finished) == {event_id for event_id, script in scripts.items() if script in GOOD}
    assert dead == {event_id for event_id, script in scripts.items() if script in BAD}
    assert set(scenario.bodies) <= {letter.body for letter in lane.dead_letters.messages}


@given(scenarios(GOOD))
@CI
def test_an_event_that_is_done_is_never_run_again(lane: ProcessLane, scenario: Scenario) -> None:
    scripts = scenario.begin(lane)
    lane.run_until_quiet()
    forgotten = [fault for fault in scenario.faults.get("UpdateItem", []) if fault and not fault.takes_effect]
    assert sum(lane.handler.finished.values()) - len(scripts) <= len(forgotten)
    runs = list(lane.handler.runs)
    for queue in (lane.events, lane.retries):
        for message_id in list(queue.deleted):
            queue.resurrect(message_id)
    lane.run_until_quiet()
    assert lane.handler.runs == runs
