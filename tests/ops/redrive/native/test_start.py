"""SQS moves a queue once that is agreed to, always where it belongs, and says before what that means."""

from __future__ import annotations

import json

import pytest

from ops.failure import CallFailed
from tests.ops.redrive.native.conftest import Run
from tests.ops.redrive.native.ground import DEAD, ORDERED, TASK, Sqs, arn


class TestAMove:
    @pytest.mark.parametrize(
        ("queue", "source", "destination"),
        [(DEAD, "dead", "events"), (ORDERED, "ordered-dead.fifo", "ordered.fifo")],
        ids=[DEAD, ORDERED],
    )
    def test_always_says_where_to(self, queue: str, source: str, destination: str, sqs: Sqs, start: Run) -> None:
        sqs.holds(source, 12)
        sqs.holds(destination, 0)
        sqs.names(source, destination)
        sqs.starts(SourceArn=arn(source), DestinationArn=arn(destination))
        ran = start(queue, yes=True)
        assert (ran.exit_code, ran.err) == (0, "")
        assert ran.out.endswith(
            "SQS moves them from now on. Follow it: backstop redrive status --native --stack shop\n"
        )
        assert sqs.audit() == [(f"redrive --native --queue {queue} --yes", f"queue {queue}", 12, "done")]

    @pytest.mark.parametrize("rate", [1, 10, 500])
    def test_keeps_to_its_rate(self, rate: int, sqs: Sqs, start: Run) -> None:
        sqs.holds("dead", 1200)
        sqs.holds("events", 3)
        sqs.names("dead", "events")
        sqs.starts(SourceArn=arn("dead"), DestinationArn=arn("events"), MaxNumberOfMessagesPerSecond=rate)
        assert start(rate=rate, yes=True).exit_code == 0
        assert sqs.audit()[0][0] == f"redrive --native --queue DeadLetterQueue --rate {rate} --yes"

    def test_is_told_to_programs(self, sqs: Sqs, start: Run) -> None:
        sqs.holds("dead", 12, in_flight=2)
        sqs.holds("events", 3)
        sqs.names("dead", "events")
        sqs.starts(SourceArn=arn("dead"), DestinationArn=arn("events"), MaxNumberOfMessagesPerSecond=20)
        assert json.loads(start(rate=20, yes=True, as_json=True).out) == {
            "queue": DEAD,
            "to": "EventsQueue",
            "letters": 12,
            "in_flight": 2,
            "ahead": 3,
            "rate": 20,
            "task": TASK,
        }

    @pytest.mark.parametrize("rate", [0, -1, 501])
    def test_at_no_possible_rate_is_refused_before_anything_is_asked(self, rate: int, start: Run) -> None:
        with pytest.raises(CallFailed, match="1 to 500 letters a second"):
            start(rate=rate, yes=True)

    @pytest.mark.parametrize("queue", ["EventsQueue", "WatchFailuresQueue", "shop-dead", ""])
    def test_of_another_queue_is_refused_before_anything_is_asked(self, queue: str, start: Run) -> None:
        with pytest.raises(CallFailed, match="--queue DeadLetterQueue or OrderedDeadLetterQueue"):
            start(queue, yes=True)

    def test_of_a_queue_that_the_stack_lacks_is_refused_before_anything_is_asked(self, sqs: Sqs, start: Run) -> None:
        del vars(sqs.stack)["_outputs"][f"{ORDERED}Url"]
        with pytest.raises(CallFailed, match="no output OrderedDeadLetterQueueUrl"):
            start(ORDERED, yes=True)


class TestADryRun:
    def test_says_what_it_means_and_begins_nothing(self, sqs: Sqs, start: Run) -> None:
        sqs.holds("dead", 1200, in_flight=7)
        sqs.holds("events", 3000)
        ran = start(rate=10)
        assert (ran.exit_code, ran.err, sqs.audit()) == (0, "", [])
        for said in ("about 1,200", "3,000", "7: not to be moved just now", "10 a second, about 2 min"):
            assert said in ran.out
        for said in ("no choice, no canary", "what dies meanwhile", "Attempts start anew", "No redrive id", "skipped"):
            assert said in ran.out
        assert ran.out.endswith("Dry run: nothing was changed; --yes does it.\n")

    def test_says_that_order_is_lost_where_there_was_one(self, sqs: Sqs, start: Run) -> None:
        sqs.holds("ordered-dead.fifo", 2)
        sqs.holds("ordered.fifo", 0)
        ran = start(ORDERED)
        assert ("Order is not kept" in ran.out, "skipped" in ran.out, sqs.audit()) == (True, False, [])

    def test_is_all_that_a_program_gets_that_does_not_agree(self, sqs: Sqs, answers: Run) -> None:
        sqs.holds("dead", 12)
        sqs.holds("events", 0)
        ran = answers("12\n", as_json=True)
        told = json.loads(ran.out)
        assert (ran.exit_code, told["letters"], told["task"], sqs.audit()) == (0, 12, None, [])

    @pytest.mark.parametrize("in_flight", [0, 5])
    def test_of_nothing_begins_nothing_even_where_it_is_agreed_to(self, in_flight: int, sqs: Sqs, start: Run) -> None:
        sqs.holds("dead", 0, in_flight=in_flight)
        sqs.holds("events", 0)
        ran = start(yes=True)
        assert (ran.exit_code, sqs.audit()) == (0, [])
        assert ran.out.endswith("No letters can be moved: nothing was changed.\n")


class TestAtATerminal:
    def test_the_number_typed_does_it(self, sqs: Sqs, answers: Run) -> None:
        sqs.is_about_to_move(12)
        sqs.starts(SourceArn=arn("dead"), DestinationArn=arn("events"))
        assert answers("12\n").exit_code == 0
        assert sqs.audit() == [("redrive --native --queue DeadLetterQueue", "queue DeadLetterQueue", 12, "done")]

    @pytest.mark.parametrize("typed", ["y\n", "11\n", "012\n", "\n"])
    def test_anything_else_begins_nothing(self, typed: str, sqs: Sqs, answers: Run) -> None:
        sqs.holds("dead", 12)
        sqs.holds("events", 0)
        ran = answers(typed)
        assert (ran.exit_code, ran.out.endswith("Nothing was changed.\n"), sqs.audit()) == (1, True, [])
