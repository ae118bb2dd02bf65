"""`redrive` as it is deployed: a job goes back turn by turn, and what AWS refuses is made up for by a later turn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from backstop import TransientError
from backstop.errors import StoreUnavailable, SystemFault
from backstop.redrive import State
from tests.fakes.faults import Fault
from tests.fakes.handler import ScriptedHandler
from tests.fakes.queue import QueuedMessage
from tests.fakes.source import WorkerDied
from tests.redrive_lane import EVENTS, A, B, RedriveLane, redrive_lane
from tests.support import process_lane

SOME = [f"a-{number}" for number in range(12)]
OTHERS = [f"b-{number}" for number in range(3)]
FAULTS = [Fault.THROTTLED, Fault.DENIED, Fault.UNREACHABLE, Fault.ANSWER_LOST]
VARIABLES = [
    "REDRIVE_TABLE",
    "FAILED_EVENTS_TABLE",
    "FAILURE_GROUPS_TABLE",
    "PARKED_TABLE",
    "DATA_BUCKET",
    "DRAIN_QUEUE_URL",
    "DEAD_LETTER_QUEUE_URLS",
    "SOURCE_QUEUE_URLS",
    "DEFAULT_QUEUE_URL",
    "MAX_PARKED_EVENTS",
    "IN_HAND_SECONDS",
    "CANARY_WATCH_SECONDS",
    "RESCUE_AFTER_DAYS",
]


@pytest.fixture
def lane() -> Iterator[RedriveLane]:
    with redrive_lane() as lane:
        fill(lane)
        yield lane


def fill(lane: RedriveLane) -> None:
    for event_id in SOME:
        lane.bury(event_id)
    for event_id in OTHERS:
        lane.bury(event_id, B)
    lane.clock.advance(timedelta(seconds=1))


def once(event_ids: list[str]) -> dict[str, int]:
    return dict.fromkeys(event_ids, 1)


class TestAJob:
    def test_moves_its_group_turn_by_turn_and_says_when_the_next_is_due(self, lane: RedriveLane) -> None:
        lane.begin(group=A, is_canary=True)
        first = lane.turn()
        assert first == {"job": "r1", "state": "running", "is_over": False, "wait_seconds": 0}
        assert lane.arrived().total() == 1
        watching = lane.turn()
        assert (watching["state"], watching["wait_seconds"]) == ("running", 3)
        assert lane.run() == {"job": "r1", "state": "done", "is_over": True, "wait_seconds": 0}
        assert (lane.arrived(), lane.dead()) == (once(SOME), {*OTHERS})
        assert not lane.is_hidden()

    def test_that_is_over_stays_over(self, lane: RedriveLane) -> None:
        lane.begin(group=A)
        lane.run()
        lane.bury("a-late")
        assert lane.turn()["state"] == "done"
        assert "a-late" in lane.dead()

    def test_that_is_not_known_is_over(self, lane: RedriveLane) -> None:
        answer = lane.invoke({"job": "r20260101-000000-ffff"})
        assert answer == {"job": "r20260101-000000-ffff", "state": "unknown", "is_over": True, "wait_seconds": 0}

    def test_is_told_of_in_a_line_a_letter_that_quotes_no_payload(self, lane: RedriveLane) -> None:
        lane.begin(group=A)
        lane.run()
        told = lane.redriven()
        assert sorted(line["event_id"] for line in told) == sorted(SOME)
        facts = {(line["redrive_id"], line["queue"], line["group"], line["function"]) for line in told}
        assert facts == {("r1", EVENTS, A, "shop-redrive")}
        assert "4111-secret" not in lane.worker.printed()

    def test_stops_when_the_log_tells_that_its_first_letter_failed_again(self, lane: RedriveLane) -> None:
        lane.begin(group=A, is_canary=True)
        lane.turn()
        [first] = lane.arrived()
        lane.hear_of(first, "r1")
        assert lane.run()["state"] == "stopped"
        assert lane.arrived().total() == 1
        job = lane.jobs.look("r1")
        assert job is not None
        assert job.note == "1 of the last 1 that were moved failed again: more than 10%"

    def test_waits_no_longer_than_until_the_log_tells_that_all_are_done(self, lane: RedriveLane) -> None:
        lane.begin(group=A, is_canary=True)
        began = lane.clock.now()
        while not lane.turn()["is_over"]:
            for event_id in lane.arrived():
                lane.hear_of(event_id, "r1", "Done")
        assert lane.clock.now() - began < timedelta(seconds=30)

    def test_takes_what_came_from_nowhere_that_is_known_to_the_events_queue(self, lane: RedriveLane) -> None:
        lane.bury("stranger", source_queue="someone-elses")
        lane.clock.advance(timedelta(seconds=1))
        lane.begin(event_ids=("stranger",))
        lane.run()
        assert lane.arrived() == once(["stranger"])

    def test_that_was_cancelled_meanwhile_moves_no_more(self, lane: RedriveLane) -> None:
        job = lane.begin(group=A, is_canary=True)
        lane.turn()
        assert lane.jobs.reopen(replace(job, state=State.CANCELLED), State.RUNNING)
        assert lane.turn() == {"job": "r1", "state": "cancelled", "is_over": True, "wait_seconds": 0}
        assert lane.arrived().total() == 1


class TestRealLetters:
    """What `process` itself has buried goes back to it, and is done there."""

    def test_are_run_anew_and_told_of_as_recovered(self) -> None:
        letters, sent = self.letters()
        with redrive_lane() as lane:
            lane.clock.advance(timedelta(days=1))
            for letter in letters:
                lane.dead_letters.put(letter.body, letter.attributes, {})
            lane.begin(kind="transient")
            assert lane.run()["state"] == "done"
            moved = list(lane.events.messages)
        assert {message.body for message in moved} == sent
        with process_lane(ScriptedHandler()) as process:
            process.clock.advance(timedelta(days=1, minutes=1))
            for message in moved:
                process.events.put(message.body, message.attributes, {})
            process.run_until_quiet()
            assert len(process.handler.runs) == 2
            told = {(line["pipeline_event"], line["redrive_id"], line["attempt"]) for line in process.reports()}
        assert told == {("recovered", "r1", 1)}

    def letters(self) -> tuple[list[QueuedMessage], set[str]]:
        with process_lane(ScriptedHandler()) as process:
            orders = [process.order() for _ in range(2)]
            for order in orders:
                process.handler.will(order["id"], TransientError("no answer"))
            process.send(*orders)
            process.run_until_quiet()
            return list(process.dead_letters.messages), {json.dumps(order) for order in orders}


class TestItsEnvironment:
    @pytest.mark.parametrize("name", VARIABLES)
    def test_names_what_is_missing(self, name: str) -> None:
        with redrive_lane(**{name: ""}) as lane, pytest.raises(SystemFault, match=name):
            lane.turn()


class TestWhatAwsRefuses:
    """At each operation, once: the state machine takes a turn that raised again."""

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize(
        "operation",
        ["GetItem", "Query", "PutItem", "UpdateItem", "ReceiveMessage", "DeleteMessageBatch", "GetQueueAttributes"],
    )
    @pytest.mark.parametrize("is_canary", [True, False])
    def test_is_made_up_for_by_a_later_turn(self, operation: str, fault: Fault, is_canary: bool) -> None:
        with redrive_lane(CANARY_WATCH_SECONDS="3") as lane:
            fill(lane)
            lane.begin(group=A, is_canary=is_canary)
            lane.faults.fail(operation, fault)
            assert self.run(lane)["state"] == "done"
            assert lane.faults.calls[operation] > 1
            assert (lane.arrived(), lane.dead()) == (once(SOME), {*OTHERS})
            assert not any(batch.doubtful for batch in lane.jobs.batches("r1"))

    @pytest.mark.parametrize("fault", FAULTS)
    def test_of_giving_letters_back_hides_them_for_the_length_of_a_turn_at_most(
        self, lane: RedriveLane, fault: Fault
    ) -> None:
        lane.begin(group=A)
        lane.faults.fail("ChangeMessageVisibilityBatch", fault)
        began = lane.clock.now()
        assert self.run(lane)["state"] == "done"
        assert (lane.arrived(), lane.dead()) == (once(SOME), {*OTHERS})
        assert not lane.is_hidden()
        assert lane.clock.now() - began <= timedelta(seconds=310 + 30)

    @pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.DENIED])
    def test_of_a_send_is_waited_for_and_said(self, lane: RedriveLane, fault: Fault) -> None:
        lane.begin(group=A)
        lane.faults.fail("SendMessageBatch", fault)
        assert lane.turn()["wait_seconds"] == 30
        job = lane.jobs.look("r1")
        assert job is not None
        assert fault in job.note
        assert self.run(lane)["state"] == "done"
        assert (lane.arrived(), lane.dead()) == (once(SOME), {*OTHERS})

    @pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.ANSWER_LOST])
    def test_of_an_answer_to_a_send_holds_letters_back_of_which_nobody_hears(
        self, lane: RedriveLane, fault: Fault
    ) -> None:
        lane.begin(group=A)
        lane.faults.fail("SendMessageBatch", fault)
        assert self.run(lane)["state"] == "done"
        doubtful = {one.event_id for batch in lane.jobs.batches("r1") for one in batch.doubtful}
        assert len(doubtful) == 10
        assert doubtful <= lane.dead()
        arrived = lane.arrived()
        assert max(arrived.values()) == 1
        assert {*arrived} == ({*SOME} if fault is Fault.ANSWER_LOST else {*SOME} - doubtful)

    @pytest.mark.parametrize("operation", ["GetItem", "Query", "PutItem", "UpdateItem", "ReceiveMessage"])
    def test_for_good_is_raised_as_what_it_is(self, lane: RedriveLane, operation: str) -> None:
        lane.begin(group=A)
        lane.faults.fail_always(operation, Fault.DENIED)
        with pytest.raises(StoreUnavailable):
            lane.turn()
        assert (lane.arrived(), lane.dead()) == ({}, {*SOME, *OTHERS})
        lane.clock.advance(timedelta(seconds=310))
        assert not lane.is_hidden()

    def run(self, lane: RedriveLane) -> dict[str, object]:
        for _ in range(200):
            try:
                answer = lane.turn()
            except StoreUnavailable:
                lane.clock.advance(timedelta(seconds=5))
                continue
            if answer["is_over"]:
                return answer
        raise AssertionError("the job comes to no end")


class TestAFunctionThatIsKilled:
    """At each call to a table, before its effect or after."""

    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_sends_nothing_twice_and_loses_nothing(self, moment: str) -> None:
        for call in range(self.calls()):
            with redrive_lane() as lane:
                fill(lane)
                lane.begin(group=A)
                lane.killer.arm(call, moment)
                self.turn_killed(lane)
                lane.run()
                arrived, doubtful = lane.arrived(), self.doubtful(lane)
                assert max(arrived.values()) == 1, call
                assert {*SOME} - {*arrived} <= doubtful <= {*SOME}, call
                assert doubtful <= lane.dead(), call
                assert {*OTHERS} <= lane.dead(), call

    def calls(self) -> int:
        with redrive_lane() as lane:
            fill(lane)
            lane.begin(group=A)
            lane.run()
            return len(lane.killer.calls)

    def turn_killed(self, lane: RedriveLane) -> None:
        while True:
            try:
                answer = lane.turn()
            except WorkerDied:
                return
            assert not answer["is_over"], "nobody was killed"

    def doubtful(self, lane: RedriveLane) -> set[str]:
        return {one.event_id for batch in lane.jobs.batches("r1") for one in batch.doubtful}
