"""What becomes of a message that failed, over all its attempts, through the real app.py."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from backstop import Message, PermanentError, SystemFault, TransientError
from tests.fakes.handler import Act, Event
from tests.fakes.source import LambdaSqsSource
from tests.lane import ProcessLane

HOUR = 3600


class TestRetries:
    @pytest.mark.parametrize(
        ("error", "attempts", "reason"),
        [
            pytest.param(TransientError("later"), 6, "exhausted", id="transient: six attempts"),
            pytest.param(ConnectionResetError("gone"), 6, "exhausted", id="a broken connection: six attempts"),
            pytest.param(RuntimeError("what is this"), 3, "exhausted", id="unknown: three attempts"),
            pytest.param(PermanentError("never"), 1, "permanent", id="permanent: one attempt"),
            pytest.param(KeyError("a bug"), 1, "permanent", id="a bug: one attempt"),
        ],
    )
    def test_end_with_a_dead_letter(self, lane: ProcessLane, error: Act, attempts: int, reason: str) -> None:
        lane.handler.will("a", error)
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        assert [message.attempt for message in lane.handler.messages] == list(range(1, attempts + 1))
        [trail] = lane.trails(lane.dead_letters)
        assert (trail["dead_because"], trail["attempt"]) == (reason, attempts)
        assert [report["verdict"] for report in lane.reports()] == ["Retry"] * (attempts - 1) + ["Dead"]

    def test_wait_no_longer_than_their_backoff_allows(self, lane: ProcessLane) -> None:
        runs = note_times(lane, "a", TransientError("later"))
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        waits = [after - before for before, after in pairwise(runs)]
        bounds = [timedelta(seconds=seconds + 1) for seconds in (5, 10, 20, 40, 80)]  # SQS delays whole seconds
        assert all(wait <= bound for wait, bound in zip(waits, bounds, strict=True))

    def test_succeed_as_soon_as_the_cause_is_gone(self, lane: ProcessLane) -> None:
        lane.handler.will("a", *[TransientError("later")] * 5, None)
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        assert lane.handler.finished == {"a": 1}
        assert lane.dead_letters.messages == []

    @pytest.mark.parametrize("seconds", [60, 900, 901, 2 * HOUR], ids=["60 s", "900 s", "901 s", "2 h"])
    def test_honour_the_time_that_a_failure_asks_for(self, lane: ProcessLane, seconds: int) -> None:
        runs = note_times(lane, "a", TransientError("busy", retry_after=seconds), None)
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        first, second = runs
        assert timedelta(seconds=seconds) <= second - first <= timedelta(seconds=seconds + 2)
        assert [message.attempt for message in lane.handler.messages] == [1, 2]
        assert [report["pipeline_event"] for report in lane.reports()] == ["failed", "recovered"]

    def test_stop_24_hours_after_the_first_failure(self, lane: ProcessLane) -> None:
        runs = note_times(lane, "a", TransientError("busy", retry_after=5 * HOUR))
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        assert len(runs) == 5
        assert runs[-1] - runs[0] <= timedelta(hours=24)
        assert lane.trails(lane.dead_letters)[0]["dead_because"] == "exhausted"


class TestSystemFaults:
    def test_cost_no_attempt_however_often_they_occur(self, lane: ProcessLane) -> None:
        lane.handler.will("a", *[SystemFault("no permission")] * 30, None)
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        assert {message.attempt for message in lane.handler.messages} == {1}
        assert lane.handler.finished == {"a": 1}
        assert lane.dead_letters.messages == []

    def test_thin_out_as_they_last(self, lane: ProcessLane) -> None:
        runs = note_times(lane, "a", *[SystemFault("no permission")] * 30, None)
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        waits = [after - before for before, after in pairwise(runs)]
        assert waits[0] <= timedelta(seconds=6)
        assert min(waits[-5:]) >= timedelta(seconds=450)
        assert max(waits) <= timedelta(seconds=901)

    def test_leave_all_attempts_for_what_comes_after_them(self, lane: ProcessLane) -> None:
        lane.handler.will("a", *[SystemFault("no permission")] * 3, TransientError("later"))
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        assert len(lane.handler.runs) == 3 + 6


class TestDuplicates:
    def test_of_an_event_that_runs_wait_until_it_is_done(self, lane: ProcessLane) -> None:
        elsewhere = LambdaSqsSource(lane.events, lane.new_worker(), lane.clock)

        def meanwhile(event: Event, message: Message) -> None:
            lane.send(event)
            elsewhere.poll()
            assert lane.handler.runs == ["a"]

        lane.handler.will("a", meanwhile)
        lane.send(lane.order("a"))
        lane.deliver()
        [waiting] = lane.retries.messages
        assert waiting.visible_at - lane.clock.now() <= timedelta(seconds=31)
        assert lane.trails(lane.retries)[0]["attempt"] == 0
        lane.run_until_quiet()
        assert lane.handler.runs == ["a"]
        assert lane.reports() == []

    def test_in_one_batch_are_run_once(self, lane: ProcessLane) -> None:
        order = lane.order("a")
        lane.send(order, order, order)
        lane.deliver()
        assert lane.handler.runs == ["a"]
        assert lane.events.messages == lane.retries.messages == []

    def test_of_a_failed_event_end_when_one_of_them_is_done(self, lane: ProcessLane) -> None:
        lane.handler.will("a", TransientError("not yet"), TransientError("not yet"), None)
        order = lane.order("a")
        lane.send(order, order)
        lane.run_until_quiet()
        assert lane.handler.finished == {"a": 1}
        assert len(lane.handler.runs) == 3


class TestRedrivenDeadLetters:
    def test_are_done_once_the_bug_is_fixed_and_say_what_they_recovered_from(self, lane: ProcessLane) -> None:
        lane.handler.will("a", PermanentError("a bug"), None)
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        [letter] = lane.dead_letters.messages
        redrive(lane)
        lane.run_until_quiet()
        assert lane.handler.finished == {"a": 1}
        assert lane.dead_letters.messages == []
        failed, recovered = lane.reports()
        assert (recovered["pipeline_event"], recovered["group"]) == ("recovered", failed["group"])
        assert json.loads(letter.body)["id"] == "a"

    def test_have_all_their_attempts_anew(self, lane: ProcessLane) -> None:
        lane.handler.will("a", TransientError("down"))
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        lane.clock.advance(timedelta(days=3))
        redrive(lane)
        lane.run_until_quiet()
        assert [message.attempt for message in lane.handler.messages] == [1, 2, 3, 4, 5, 6] * 2
        [trail] = lane.trails(lane.dead_letters)
        assert (trail["attempt"], trail["source_queue"]) == (6, "shop-events")

    def test_that_were_done_meanwhile_are_not_run_again(self, lane: ProcessLane) -> None:
        lane.handler.will("a", PermanentError("a bug"), None)
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        redrive(lane)
        lane.run_until_quiet()
        assert lane.handler.finished == {"a": 1}

    def test_that_are_no_events_are_dead_again(self, lane: ProcessLane) -> None:
        lane.send("not JSON")
        lane.run_until_quiet()
        redrive(lane)
        lane.run_until_quiet()
        [letter] = lane.dead_letters.messages
        assert letter.body == "not JSON"


def redrive(lane: ProcessLane) -> None:
    """Put the dead letters back as SQS itself does."""
    lane.sqs.start_message_move_task(SourceArn=lane.dead_letters.arn, DestinationArn=lane.events.arn)


def note_times(lane: ProcessLane, event_id: str, *acts: Act) -> list[datetime]:
    """Script an event, and return the list into which the times of its runs will be written."""
    times: list[datetime] = []

    def noting(act: Act) -> Act:
        def run(event: Event, message: Message) -> None:
            times.append(lane.clock.now())
            if isinstance(act, BaseException):
                raise act

        return run

    lane.handler.will(event_id, *[noting(act) for act in acts])
    return times
