"""Time that runs out, workers that die and settings that are missing, through the real app.py: no record is lost."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import islice

import pytest

from tests.fakes.firehose_answers import InvocationFailed
from tests.fakes.handler import Event
from tests.fakes.source import WorkerDied
from tests.stream_lane import STREAM, StreamLane, verdicts

SETTINGS = ["STREAM_NAME", "STAGE", "RELEASE", "AWS_LAMBDA_FUNCTION_NAME", "LAMBDA_TASK_ROOT"]


def takes(lane: StreamLane, seconds: float) -> Callable[[Event], Event]:
    """Return a run that takes its time."""

    def run(click: Event) -> Event:
        lane.clock.advance(timedelta(seconds=seconds))
        return click

    return run


def put_slow(lane: StreamLane, count: int, seconds: float) -> list[str]:
    """Put clicks on the stream of which each takes its time, and return their ids."""
    clicks = [lane.click() for _ in range(count)]
    for click in clicks:
        lane.handler.will(click["id"], takes(lane, seconds))
    lane.put(*clicks)
    return [click["id"] for click in clicks]


def errors_of(lane: StreamLane) -> list[type[BaseException]]:
    """Return how the invocations failed that did."""
    return [type(invocation.error) for invocation in lane.invocations if invocation.error is not None]


class TestTimeThatRunsOut:
    @pytest.mark.parametrize("seconds", [0.5, 10, 14, 50])
    def test_sends_the_rest_round_before_the_timeout(self, stream: StreamLane, seconds: float) -> None:
        clicks = put_slow(stream, 20, seconds)
        stream.run()
        assert errors_of(stream) == []
        assert Counter(stream.stored_ids()) == Counter(clicks)
        assert stream.stream.errors() == []

    def test_reports_no_failure_but_how_many_went_back(self, stream: StreamLane) -> None:
        put_slow(stream, 3, 50)
        stream.run()
        assert stream.worker.reports() == []
        assert verdicts(stream) == {"PutBack": 2 + 1}

    def test_runs_no_click_that_was_not_begun(self, stream: StreamLane) -> None:
        clicks = put_slow(stream, 20, 10)
        stream.run()
        assert Counter(stream.handler.runs) == Counter(clicks)

    def test_gives_what_went_round_its_turn_before_what_came_in_meanwhile(self, stream: StreamLane) -> None:
        """An invocation has time for four of them; as many come in while it runs, ahead of what it puts back."""
        newcomers = (stream.click(f"newcomer-{number}") for number in range(140))

        def come_in(click: Event) -> Event:
            for newcomer in islice(newcomers, 1):
                stream.handler.will(newcomer["id"], come_in)
                stream.put(newcomer)
            return takes(stream, 14)(click)

        for newcomer in islice(newcomers, 4):
            stream.handler.will(newcomer["id"], come_in)
            stream.put(newcomer)
        waiting = put_slow(stream, 4, 14)
        stream.run()
        assert stream.stored_ids()[4:8] == waiting
        assert len(stream.stored()) == 140 + 4
        assert stream.stream.errors() == []

    def test_sends_no_record_round_for_ever(self, stream: StreamLane) -> None:
        """Each invocation has time for one of them: the last ones would go round 39 times."""
        clicks = put_slow(stream, 40, 50)
        stream.run()
        reports = stream.worker.reports()
        assert {(report["error_type"], report["kind"]) for report in reports} == {("Circling", "permanent")}
        kept = [json.loads(data)["id"] for data in stream.kept()]
        assert Counter(stream.stored_ids() + kept) == Counter(clicks)
        assert len(kept) == len(reports) < len(clicks) / 4

    def test_in_one_record_loses_none_of_its_batch(self, stream: StreamLane) -> None:
        """Lambda kills the worker, Firehose tries the batch again, and keeps it in the end."""
        stream.handler.will("hangs", takes(stream, 70))
        data = stream.put(stream.click(), stream.click("hangs"), stream.click())
        stream.run()
        assert errors_of(stream) == [WorkerDied] * 4
        assert stream.kept() == data


class TestAWorkerThatDies:
    def test_in_a_handler_loses_nothing(self, stream: StreamLane) -> None:
        stream.handler.will("killer", WorkerDied("out of memory"), dict)
        stream.put(stream.click("a"), stream.click("killer"), stream.click("b"))
        stream.run()
        assert errors_of(stream) == [WorkerDied]
        assert stream.stored_ids() == ["a", "killer", "b"]

    def test_whenever_it_runs_a_record_leaves_its_batch_in_the_errors(self, stream: StreamLane) -> None:
        stream.handler.will("killer", WorkerDied("out of memory"))
        data = stream.put(stream.click(), stream.click("killer"))
        stream.run()
        [good, killer] = stream.stream.errors()
        assert good["errorCode"] == killer["errorCode"] == "Lambda.FunctionError"
        assert (good["attemptsMade"], stream.kept()) == (4, data)

    def test_right_after_it_put_records_back_may_deliver_them_twice_and_loses_none(self, stream: StreamLane) -> None:
        clicks = put_slow(stream, 5, 14)
        stream.after_put = die_once(stream)
        stream.run()
        assert errors_of(stream) == [WorkerDied]
        delivered = Counter(stream.stored_ids())
        assert set(delivered) == set(clicks)
        assert max(delivered.values()) == 2
        assert stream.stream.errors() == []

    def test_of_a_put_that_outlasts_it_loses_none(self, stream: StreamLane) -> None:
        """The stream takes the records, so slowly that Lambda ends the worker before it can answer."""
        clicks = put_slow(stream, 5, 14)
        seconds = iter([30.0])

        def dawdle(data: bytes) -> bool:
            stream.clock.advance(timedelta(seconds=next(seconds, 0)))
            return False

        stream.stream.refuses = dawdle
        stream.run()
        assert errors_of(stream) == [WorkerDied]
        assert set(stream.stored_ids()) == set(clicks)


def die_once(stream: StreamLane) -> Callable[[], None]:
    """Return what lets the worker die, and not the next one."""

    def die() -> None:
        stream.after_put = lambda: None
        raise WorkerDied("out of memory")

    return die


class TestASettingThatIsMissing:
    @pytest.mark.parametrize("name", SETTINGS)
    def test_fails_the_invocation_which_says_its_name_and_where_to_set_it(self, stream: StreamLane, name: str) -> None:
        del os.environ[name]
        stream.put(stream.click())
        stream.run()
        assert len(stream.invocations) == 4
        for invocation in stream.invocations:
            assert name in str(invocation.error)
            assert "template.yaml" in str(invocation.error)
            assert not isinstance(invocation.error, InvocationFailed)

    @pytest.mark.parametrize("name", SETTINGS)
    def test_leaves_the_batch_in_the_errors_as_it_came(self, stream: StreamLane, name: str) -> None:
        os.environ[name] = ""
        data = stream.put(stream.click(), b"no JSON")
        stream.run()
        assert stream.kept() == data
        assert {document["errorCode"] for document in stream.stream.errors()} == {"Lambda.FunctionError"}
        assert stream.handler.runs == []

    def test_is_read_again_once_it_is_there(self, stream: StreamLane, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("STREAM_NAME")
        stream.put(stream.click("a"))
        stream.run()
        monkeypatch.setenv("STREAM_NAME", STREAM)
        stream.put(stream.click("b"))
        stream.run()
        assert stream.stored_ids() == ["b"]


class TestTheSamplesKey:
    def test_that_cannot_be_read_fails_the_clicks_that_need_it_and_no_other(self, clicks: StreamLane) -> None:
        os.environ["EMAIL_KEY"] = "no such secret"
        _, with_address, _ = clicks.put(clicks.click("a"), clicks.click(email="ada@example.com"), clicks.click("b"))
        clicks.run()
        assert (clicks.stored_ids(), clicks.kept()) == (["a", "b"], [with_address])
        [report] = clicks.worker.reports()
        assert (report["error_type"], report["kind"]) == ("ResourceNotFoundException", "system")

    def test_is_read_again_after_it_could_not_be(self, clicks: StreamLane) -> None:
        name, os.environ["EMAIL_KEY"] = os.environ["EMAIL_KEY"], "no such secret"
        clicks.put(clicks.click(email="ada@example.com"))
        clicks.run()
        os.environ["EMAIL_KEY"] = name
        clicks.put(clicks.click("a", email="ada@example.com"))
        clicks.run()
        assert clicks.stored_ids() == ["a"]
