"""A new release that cannot handle what comes, through the real app.py: it must not make dead letters of a queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from backstop import PermanentError, TransientError
from backstop.aws.release_counts import ReleaseCounts
from backstop.release_counts import YOUNG
from tests.fakes.faults import Fault
from tests.fakes.handler import Act, ScriptedHandler
from tests.lane import ProcessLane
from tests.support import process_lane

RELEASE = ("shop-process", "r1")
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def send_failing(lane: ProcessLane, count: int, *acts: Act) -> list[str]:
    """Send orders of which each fails as the next act says, in turn."""
    orders = [lane.order() for _ in range(count)]
    for number, order in enumerate(orders):
        lane.handler.will(order["id"], acts[number % len(acts)])
    lane.send(*orders)
    return [order["id"] for order in orders]


def take_all(lane: ProcessLane) -> None:
    """Let the function take all that is in EventsQueue, at once."""
    while lane.events_source.poll():
        pass


def store(lane: ProcessLane) -> ReleaseCounts:
    """Return what recovery and operators see the releases by."""
    return ReleaseCounts(lane.tables, "circuits")


def told(lane: ProcessLane) -> list[str]:
    """Return what was said of held releases."""
    return [report["why"] for report in lane.reports() if report["pipeline_event"] == "circuit"]


class TestABadDeploy:
    def test_makes_some_twenty_dead_letters_and_the_others_wait(self, lane: ProcessLane) -> None:
        send_failing(lane, 500, KeyError("a bug"))
        take_all(lane)
        assert 0 < len(lane.dead_letters.messages) <= 25
        assert len(lane.dead_letters.messages) + len(lane.retries.messages) == 500
        assert {trail["attempt"] for trail in lane.trails(lane.retries)} == {0}

    def test_is_told_of_once(self, lane: ProcessLane) -> None:
        send_failing(lane, 500, KeyError("a bug"))
        take_all(lane)
        [why] = told(lane)
        [group] = {trail["group"] for trail in lane.trails(lane.dead_letters)}
        assert why == f"20 of 20 messages of release r1 fail alike: group g{group}"
        [metric] = [line for line in lane.metrics() if "CircuitTransitions" in line]
        assert (metric["Circuit"], metric["State"]) == ("release shop-process", "OPEN")

    def test_is_seen_by_recovery(self, lane: ProcessLane) -> None:
        send_failing(lane, 30, KeyError("a bug"))
        take_all(lane)
        [hold] = store(lane).holds()
        assert (hold.function, hold.release, hold.failed, hold.ran) == (*RELEASE, 20, 20)

    def test_ends_with_the_next_release_and_everything_is_done_once(self, lane: ProcessLane) -> None:
        ids = send_failing(lane, 100, KeyError("a bug"))
        take_all(lane)
        buried = len(lane.dead_letters.messages)
        for event_id in ids:
            lane.handler.will(event_id, None)
        lane.run_until_quiet()
        assert len(lane.dead_letters.messages) == buried <= 25
        assert set(lane.handler.finished.values()) == {1}
        assert len(lane.handler.finished) == 100 - buried

    def test_waits_for_days_without_a_dead_letter_more(self, lane: ProcessLane) -> None:
        send_failing(lane, 40, RuntimeError("what is this"))
        take_all(lane)
        for _ in range(100):
            lane.clock.advance(HOUR)
            while lane.retries_source.poll():
                pass
        assert len(lane.dead_letters.messages) <= 25
        assert len(lane.dead_letters.messages) + len(lane.retries.messages) == 40

    def test_may_be_of_bodies_that_its_schema_does_not_allow(self, lane: ProcessLane) -> None:
        """Perhaps it is the producers', perhaps the schema's: a person has to see."""
        lane.send(*[lane.order(currency="euro") for _ in range(200)])
        take_all(lane)
        assert len(lane.dead_letters.messages) <= 25
        assert len(told(lane)) == 1

    def test_is_let_go_on_by_a_person(self, lane: ProcessLane) -> None:
        send_failing(lane, 60, KeyError("a bug"))
        take_all(lane)
        store(lane).let_go(*RELEASE)
        lane.run_until_quiet()
        assert len(lane.dead_letters.messages) == 60
        assert store(lane).holds() == []

    def test_holds_only_the_failures_that_most_have_in_common(self, lane: ProcessLane) -> None:
        send_failing(lane, 60, KeyError("a bug"))
        take_all(lane)
        before = len(lane.dead_letters.messages)
        send_failing(lane, 5, PermanentError("an order of nobody"))
        take_all(lane)
        assert len(lane.dead_letters.messages) == before + 5

    def test_keeps_being_held_by_a_worker_that_starts_anew(self, lane: ProcessLane) -> None:
        send_failing(lane, 60, KeyError("a bug"))
        take_all(lane)
        before = len(lane.dead_letters.messages)
        lane.clock.advance(HOUR)
        lane.worker.restart()
        send_failing(lane, 60, KeyError("a bug"))
        take_all(lane)
        assert len(lane.dead_letters.messages) == before
        assert len(told(lane)) == 1


class TestNoBadDeploy:
    def test_is_an_old_release_that_fails_alike(self, lane: ProcessLane) -> None:
        store(lane).seen(*RELEASE, "code", lane.clock.now() - YOUNG)
        send_failing(lane, 500, KeyError("a bug"))
        take_all(lane)
        assert len(lane.dead_letters.messages) == 500
        assert told(lane) == []

    @pytest.mark.parametrize(
        ("count", "acts", "dead"),
        [
            pytest.param(20, (None, KeyError("a bug")), 10, id="ten of twenty"),
            pytest.param(
                100, (None, KeyError("a"), IndexError("b"), KeyError("a"), IndexError("b")), 80, id="40 % each"
            ),
            pytest.param(19, (KeyError("a bug"),), 19, id="too few to tell"),
        ],
    )
    def test_is_what_not_most_messages_have_in_common(
        self, lane: ProcessLane, count: int, acts: tuple[Act, ...], dead: int
    ) -> None:
        send_failing(lane, count, *acts)
        take_all(lane)
        assert len(lane.dead_letters.messages) == dead
        assert told(lane) == []

    def test_is_a_downstream_that_is_down(self, lane: ProcessLane) -> None:
        send_failing(lane, 100, TransientError("503"))
        take_all(lane)
        assert told(lane) == []
        assert {trail["attempt"] for trail in lane.trails(lane.retries)} == {1}

    def test_costs_no_call_as_long_as_nothing_fails(self, lane: ProcessLane) -> None:
        lane.send(*[lane.order() for _ in range(100)])
        take_all(lane)
        assert lane.tables.scan(TableName="circuits")["Items"] == []


@pytest.mark.parametrize("mode", ["suggest", "off"])
def test_where_recovery_does_not_act_it_is_told_and_nothing_is_held(mode: str) -> None:
    with lane_in(mode) as lane:
        send_failing(lane, 200, KeyError("a bug"))
        take_all(lane)
        assert len(lane.dead_letters.messages) == 200
        assert len(told(lane)) == 1
        assert len(store(lane).holds()) == 1


@contextmanager
def lane_in(mode: str) -> Iterator[ProcessLane]:
    """Set a lane up where recovery may do as `mode` says."""
    with process_lane(ScriptedHandler(), RECOVERY_MODE=mode) as lane:
        yield lane


@pytest.mark.parametrize("fault", list(Fault))
def test_a_table_that_does_not_answer_costs_a_call_in_five_seconds_and_no_message(
    lane: ProcessLane, fault: Fault
) -> None:
    lane.faults.fail_always("UpdateItem", fault, when=lambda request: b'"circuits"' in request["body"])
    before = lane.faults.calls["UpdateItem"]
    send_failing(lane, 100, KeyError("a bug"))
    take_all(lane)
    assert len(lane.dead_letters.messages) == 100
    assert lane.faults.calls["UpdateItem"] - before <= 1
