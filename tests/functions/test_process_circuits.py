"""A downstream behind a circuit is down, through the real app.py: no message dies of it, and all is done afterwards."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from backstop import Message, TransientError, circuit
from tests.fakes.faults import Fault
from tests.fakes.handler import Event
from tests.lane import ProcessLane

HOUR = timedelta(hours=1)


class Bank:
    """A downstream that handlers call through a circuit."""

    def __init__(self, lane: ProcessLane, name: str = "bank", open_for: float = 30, failures: int = 5) -> None:
        self.is_down = False
        self.calls = 0
        self.charged: Counter[str] = Counter()
        self._lane = lane
        self._circuit = circuit(name, open_for=open_for, failures=failures)

    def charge(self, event: Event, message: Message) -> None:
        """Do as a handler does: call it through its circuit."""
        with self._circuit:
            self.calls += 1
            if self.is_down:
                raise TransientError("503")
            self.charged[event["id"]] += 1

    def send(self, count: int) -> list[str]:
        """Send orders that charge it."""
        orders = [self._lane.order() for _ in range(count)]
        for order in orders:
            self._lane.handler.will(order["id"], self.charge)
        self._lane.send(*orders)
        return [order["id"] for order in orders]


@pytest.fixture
def bank(lane: ProcessLane) -> Bank:
    return Bank(lane)


def take_all(lane: ProcessLane) -> None:
    """Let the function take all that is visible."""
    for source in (lane.events_source, lane.retries_source):
        while source.poll():
            pass


def pass_time(lane: ProcessLane, time: timedelta) -> None:
    """Let time pass, and the function take what becomes due meanwhile."""
    until = lane.clock.now() + time
    while (due := next_due(lane)) is not None and due <= until:
        lane.clock.advance_to(due + timedelta(milliseconds=1))
        take_all(lane)
    lane.clock.advance_to(until)


def next_due(lane: ProcessLane) -> Any:
    return min((due for queue in (lane.events, lane.retries) if (due := queue.next_due()) is not None), default=None)


def circuits(lane: ProcessLane) -> list[tuple[str, str]]:
    """Return the transitions that were told of."""
    return [(line["before"], line["after"]) for line in lane.reports() if line["pipeline_event"] == "circuit"]


def refused(lane: ProcessLane) -> list[dict[str, Any]]:
    """Return what was told of refused messages."""
    return [line for line in lane.reports() if line.get("error_type") == "CircuitOpen" and "verdict" in line]


class TestADownstreamThatIsDown:
    def test_is_not_called_by_messages_that_come_after_five_failures(self, lane: ProcessLane, bank: Bank) -> None:
        bank.is_down = True
        bank.send(200)
        take_all(lane)
        assert bank.calls == 5
        assert len(lane.retries.messages) == 200

    def test_costs_what_was_refused_no_attempt(self, lane: ProcessLane, bank: Bank) -> None:
        bank.is_down = True
        bank.send(20)
        take_all(lane)
        assert Counter(trail["attempt"] for trail in lane.trails(lane.retries)) == {1: 5, 0: 15}

    def test_is_waited_for_as_long_as_its_circuit_is_open_and_not_by_all_at_once(
        self, lane: ProcessLane, bank: Bank
    ) -> None:
        bank.is_down = True
        bank.send(200)
        take_all(lane)
        waits = [timedelta(seconds=seconds) for seconds in delays(lane)]
        assert min(waits) >= timedelta(seconds=29)
        assert max(waits) <= timedelta(seconds=61)
        assert len(set(waits)) > 20

    def test_makes_no_dead_letter_in_a_day_and_a_hundred_runs(self, lane: ProcessLane) -> None:
        slow = Bank(lane, "slow-bank", open_for=600, failures=2)
        slow.is_down = True
        ids = slow.send(2)
        pass_time(lane, timedelta(hours=26))
        assert min(runs(lane, ids)) >= 90
        assert lane.dead_letters.messages == []
        assert {trail["attempt"] for trail in lane.trails(lane.retries)} == {1}

    def test_is_told_of_as_one_group_that_begins_with_the_opening(self, lane: ProcessLane, bank: Bank) -> None:
        bank.is_down = True
        bank.send(20)
        take_all(lane)
        [opened] = [line for line in lane.reports() if line["pipeline_event"] == "circuit"]
        assert {line["group"] for line in refused(lane)} == {opened["group"]}
        assert opened["fingerprint"] == refused(lane)[0]["fingerprint"]
        assert (opened["circuit"], opened["error_type"], opened["function"]) == ("bank", "CircuitOpen", "shop-process")
        assert {line["verdict"] for line in refused(lane)} == {"Retry"}


class TestADownstreamThatIsBack:
    def test_is_found_out_by_three_probes_and_all_is_done_once(self, lane: ProcessLane, bank: Bank) -> None:
        bank.is_down = True
        ids = bank.send(100)
        take_all(lane)
        bank.is_down = False
        lane.run_until_quiet()
        assert bank.charged == lane.handler.finished == dict.fromkeys(ids, 1)
        assert lane.dead_letters.messages == []
        assert circuits(lane) == [("CLOSED", "OPEN"), ("OPEN", "HALF_OPEN"), ("HALF_OPEN", "CLOSED")]

    def test_after_a_day_finds_all_messages_with_their_attempts_and_their_time(self, lane: ProcessLane) -> None:
        """Each may fail on its own account afterwards, as if the outage had not been."""
        slow = Bank(lane, "slow-bank", open_for=600, failures=2)
        slow.is_down = True
        ids = slow.send(2)
        pass_time(lane, timedelta(hours=26))
        slow.is_down = False
        for event_id in ids:
            lane.handler.will(event_id, *[TransientError("a conflict")] * 4, slow.charge)
        lane.run_until_quiet()
        assert slow.charged == dict.fromkeys(ids, 1)
        assert lane.dead_letters.messages == []

    def test_is_measured(self, lane: ProcessLane, bank: Bank) -> None:
        bank.is_down = True
        bank.send(20)
        take_all(lane)
        bank.is_down = False
        lane.run_until_quiet()
        states = [line["State"] for line in lane.metrics() if "CircuitTransitions" in line]
        assert states == ["OPEN", "HALF_OPEN", "CLOSED"]


def delays(lane: ProcessLane) -> list[float]:
    """Return how long refused messages wait in RetryQueue, in seconds."""
    now = lane.clock.now()
    return [
        (message.visible_at - now).total_seconds()
        for message, trail in zip(lane.retries.messages, lane.trails(lane.retries), strict=True)
        if trail["error_type"] == "CircuitOpen"
    ]


def runs(lane: ProcessLane, ids: list[str]) -> list[int]:
    counted = Counter(lane.handler.runs)
    return [counted[event_id] for event_id in ids]


def test_messages_that_call_nothing_through_a_circuit_cost_no_call_for_it(lane: ProcessLane) -> None:
    lane.send(*[lane.order() for _ in range(20)])
    take_all(lane)
    assert lane.tables.scan(TableName="circuits")["Items"] == []


@pytest.mark.parametrize("fault", list(Fault))
def test_calls_go_through_where_the_table_does_not_answer(lane: ProcessLane, bank: Bank, fault: Fault) -> None:
    for operation in ("GetItem", "UpdateItem", "PutItem"):
        lane.faults.fail_always(operation, fault, when=lambda request: b'"circuits"' in request["body"])
    ids = bank.send(30)
    take_all(lane)
    assert bank.charged == dict.fromkeys(ids, 1)
    assert [line["level"] for line in lane.lines() if line.get("message") == "circuits are not known"] == ["WARNING"]


def test_each_lane_has_its_own_circuits(lane: ProcessLane, bank: Bank) -> None:
    """A function that starts anew knows them by the table only."""
    bank.is_down = True
    bank.send(10)
    take_all(lane)
    lane.worker.restart()
    bank.send(10)
    take_all(lane)
    assert bank.calls == 5
