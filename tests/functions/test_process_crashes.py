"""Messages that kill their worker, through the real app.py: neighbours finish, the killer is seen off."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backstop import Message, SystemFault, TransientError
from tests.fakes.faults import Fault
from tests.fakes.handler import Act, Event
from tests.fakes.source import WorkerDied
from tests.lane import FUNCTION_TIMEOUT, ProcessLane

EXIT = WorkerDied("os._exit")


def send_with_killers(lane: ProcessLane, *killers: int, total: int = 10, act: Act = EXIT) -> list[str]:
    """Send events, some of which kill their worker whenever they are run, and return all their ids."""
    ids = [f"e{number}" for number in range(total)]
    for number in killers:
        lane.handler.will(ids[number], act)
    lane.send(*[lane.order(event_id) for event_id in ids])
    return ids


def deliver_again(lane: ProcessLane) -> None:
    """Wait until what was in flight is visible again and let the function take one batch of it."""
    due = lane.events.next_due()
    assert due is not None
    lane.clock.advance_to(due)
    lane.deliver()


class TestAKillerAmongNineGoodOnes:
    @pytest.mark.parametrize("position", [0, 4, 9], ids=["first", "in the middle", "last"])
    def test_is_dead_at_its_third_delivery_without_a_third_run(self, lane: ProcessLane, position: int) -> None:
        ids = send_with_killers(lane, position)
        lane.run_until_quiet()
        [trail] = lane.trails(lane.dead_letters)
        assert (trail["event_id"], trail["dead_because"]) == (ids[position], "crashed")
        assert trail["error_type"] == "Crashed"
        assert lane.handler.runs.count(ids[position]) == 2
        assert len(lane.events_source.deliveries) == 3

    @pytest.mark.parametrize("position", [0, 4, 9], ids=["first", "in the middle", "last"])
    def test_lets_its_neighbours_finish_by_the_second_delivery(self, lane: ProcessLane, position: int) -> None:
        ids = send_with_killers(lane, position)
        lane.deliver()
        deliver_again(lane)
        good = [event_id for event_id in ids if event_id != ids[position]]
        assert lane.handler.finished == dict.fromkeys(good, 1)

    def test_runs_after_its_neighbours_are_done_and_let_go(self, lane: ProcessLane) -> None:
        left: list[list[str]] = []

        def die(event: Event, message: Message) -> None:
            left.append([str(message.body) for message in lane.events.messages])
            raise EXIT

        send_with_killers(lane, 4, act=die)
        lane.deliver()
        deliver_again(lane)
        assert [len(bodies) for bodies in left] == [10, 1]

    def test_is_the_only_one_to_be_reported(self, lane: ProcessLane) -> None:
        ids = send_with_killers(lane, 4)
        lane.run_until_quiet()
        [report] = lane.reports()
        assert (report["event_id"], report["verdict"], report["dead_because"]) == (ids[4], "Dead", "crashed")

    def test_that_runs_into_the_timeout_is_seen_off_like_one_that_exits(self, lane: ProcessLane) -> None:
        def loop(event: Event, message: Message) -> None:
            lane.clock.advance(FUNCTION_TIMEOUT)
            raise WorkerDied("Task timed out")

        ids = send_with_killers(lane, 4, act=loop)
        lane.run_until_quiet()
        assert [trail["dead_because"] for trail in lane.trails(lane.dead_letters)] == ["crashed"]
        assert lane.handler.runs.count(ids[4]) == 2
        assert sum(lane.handler.finished.values()) == 9

    def test_is_done_where_it_kills_only_one_worker(self, lane: ProcessLane) -> None:
        ids = send_with_killers(lane, 4)
        lane.handler.will(ids[4], EXIT, None)
        lane.run_until_quiet()
        assert lane.handler.finished == dict.fromkeys(ids, 1)
        assert lane.dead_letters.messages == []

    def test_has_its_failed_neighbours_sent_on_before_it_runs_again(self, lane: ProcessLane) -> None:
        ids = send_with_killers(lane, 4)
        lane.handler.will(ids[7], TransientError("later"), None)
        lane.deliver()
        deliver_again(lane)
        assert [trail["event_id"] for trail in lane.trails(lane.retries)] == [ids[7]]
        lane.run_until_quiet()
        assert lane.handler.finished[ids[7]] == 1
        assert len(lane.dead_letters.messages) == 1

    def test_costs_no_neighbour_its_life_where_deleting_ahead_fails(self, lane: ProcessLane) -> None:
        lane.faults.fail_always("DeleteMessageBatch", Fault.DENIED)
        ids = send_with_killers(lane, 4)
        lane.run_until_quiet()
        assert [trail["event_id"] for trail in lane.trails(lane.dead_letters)] == [ids[4]]
        assert lane.handler.finished == dict.fromkeys([*ids[:4], *ids[5:]], 1)


class TestSeveralKillersInOneBatch:
    @pytest.mark.parametrize("killers", [(0, 1), (3, 7), (0, 9), (1, 4, 8)], ids=str)
    def test_are_all_seen_off_and_nobody_else_is(self, lane: ProcessLane, killers: tuple[int, ...]) -> None:
        ids = send_with_killers(lane, *killers)
        lane.run_until_quiet()
        dead = {trail["event_id"]: trail["dead_because"] for trail in lane.trails(lane.dead_letters)}
        assert dead == {ids[number]: "crashed" for number in killers}
        good = [event_id for number, event_id in enumerate(ids) if number not in killers]
        assert lane.handler.finished == dict.fromkeys(good, 1)
        assert {lane.handler.runs.count(ids[number]) for number in killers} == {2}

    def test_are_run_by_a_worker_each(self, lane: ProcessLane) -> None:
        ids = send_with_killers(lane, 3, 7)
        lane.run_until_quiet()
        batches = [set(delivery.ids) for delivery in lane.events_source.deliveries if delivery.error is not None]
        assert len(batches) == 4
        assert lane.handler.runs.count(ids[3]) == lane.handler.runs.count(ids[7]) == 2


class TestAKillerThatIsRedriven:
    def test_runs_again_after_its_fix(self, lane: ProcessLane) -> None:
        lane.handler.will("a", EXIT, EXIT, None)
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        lane.clock.advance(timedelta(hours=1))
        lane.sqs.start_message_move_task(SourceArn=lane.dead_letters.arn, DestinationArn=lane.events.arn)
        lane.run_until_quiet()
        assert lane.handler.finished == {"a": 1}
        assert lane.dead_letters.messages == []
        assert [report["pipeline_event"] for report in lane.reports()] == ["failed", "recovered"]

    def test_is_seen_off_again_where_it_was_not_fixed(self, lane: ProcessLane) -> None:
        lane.handler.will("a", EXIT)
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        lane.sqs.start_message_move_task(SourceArn=lane.dead_letters.arn, DestinationArn=lane.events.arn)
        lane.run_until_quiet()
        assert lane.handler.runs == ["a"] * 4
        assert [trail["dead_because"] for trail in lane.trails(lane.dead_letters)] == ["crashed"]


class TestWhatOnlyLooksLikeAKiller:
    def test_a_batch_that_was_throttled_is_no_crash(self, lane: ProcessLane) -> None:
        ids = send_with_killers(lane)
        lane.events_source.throttle(5)
        lane.run_until_quiet()
        assert lane.handler.finished == dict.fromkeys(ids, 1)

    def test_failures_that_were_followed_by_throttles_are_no_crashes(self, lane: ProcessLane) -> None:
        lane.handler.will("a", *[TransientError("later")] * 4, None)
        lane.send(lane.order("a"))
        for _ in range(5):
            lane.retries_source.throttle()
            lane.run_until_quiet()
        assert lane.handler.finished == {"a": 1}

    @pytest.mark.parametrize(
        ("operation", "act"),
        [
            pytest.param("DeleteItem", TransientError("down"), id="of a transient failure"),
            pytest.param("DeleteItem", SystemFault("no permission"), id="of a system fault"),
            pytest.param("UpdateItem", None, id="of an event that is done"),
        ],
    )
    def test_records_that_could_not_be_tidied_up_are_no_crashes(
        self, lane: ProcessLane, operation: str, act: Act
    ) -> None:
        """The table refuses, and Lambda throttles: the record that is left behind looks like a dead worker's."""
        lane.faults.fail(operation, *[Fault.DENIED] * 4)
        lane.handler.will("a", *[act] * 4, None)
        lane.send(lane.order("a"))
        lane.deliver()
        while (due := lane.retries.next_due()) is not None:
            lane.retries_source.throttle()
            lane.clock.advance_to(due)
            lane.retries_source.poll()
            lane.deliver_retries()
        assert lane.trails(lane.dead_letters) == []
        assert "a" in lane.handler.finished

    def test_a_worker_that_died_after_the_event_was_done_is_no_crash_of_it(self, lane: ProcessLane) -> None:
        ids = send_with_killers(lane, 9)
        lane.deliver()
        assert lane.handler.finished == dict.fromkeys(ids[:9], 1)
        lane.run_until_quiet()
        assert lane.handler.finished == dict.fromkeys(ids[:9], 1)

    def test_nothing_is_suspected_while_the_table_does_not_answer(self, lane: ProcessLane) -> None:
        ids = send_with_killers(lane, 4)
        lane.deliver()
        lane.faults.fail("BatchGetItem", Fault.THROTTLED)
        lane.run_until_quiet()
        assert [trail["event_id"] for trail in lane.trails(lane.dead_letters)] == [ids[4]]
        assert lane.handler.finished == dict.fromkeys([*ids[:4], *ids[5:]], 1)
