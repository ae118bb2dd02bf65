"""What a sender can do to a message besides its body, through the real app.py."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from backstop import PermanentError, TransientError
from tests.lane import ProcessLane, trail_of
from tests.support import MAX_RECEIVE_COUNT

MIB = 1024 * 1024
LATER = TransientError("later")


def history(**fields: Any) -> dict[str, Any]:
    return attribute(json.dumps({"version": 1} | fields))


def attribute(text: str) -> dict[str, Any]:
    return {"backstop": {"DataType": "String", "StringValue": text}}


class TestAHistoryThatAStrangerWrote:
    @pytest.mark.parametrize(
        ("attributes", "attempt"),
        [
            pytest.param(history(attempt=-1), 1, id="attempt -1"),
            pytest.param(history(attempt=3), 4, id="attempt 3"),
            pytest.param(history(attempt=1.5), 1, id="attempt 1.5"),
            pytest.param(history(attempt=True), 1, id="attempt true"),
            pytest.param(history(attempt="3"), 1, id="attempt as text"),
            pytest.param(attribute('{"version":1,"attempt":' + "9" * 5000 + "}"), 1, id="attempt of 5,000 digits"),
            pytest.param(attribute('{"version":1,"attempt":NaN}'), 1, id="attempt NaN"),
            pytest.param(history(source_queue="payroll"), 1, id="a foreign queue"),
            pytest.param(history(source_queue=["shop-events"]), 1, id="a list for a queue"),
            pytest.param(history(attempt=3, reason="x" * 100_000), 1, id="100 KB"),
            pytest.param(attribute("not JSON"), 1, id="not JSON"),
            pytest.param(attribute("[]"), 1, id="a list"),
            pytest.param(attribute("null"), 1, id="null"),
            pytest.param(attribute("[" * 5000), 1, id="5,000 brackets"),
            pytest.param(attribute('{"attempt": 3}'), 1, id="no version"),
            pytest.param(attribute('{"version": 2, "attempt": 3}'), 1, id="another version"),
            pytest.param(attribute('{"version": "1", "attempt": 3}'), 1, id="a version as text"),
            pytest.param({"backstop": {"DataType": "Binary", "BinaryValue": b"\x00"}}, 1, id="binary"),
            pytest.param({"backstop": {"DataType": "Number", "StringValue": "3"}}, 1, id="a number"),
            pytest.param(
                history(not_before="9999-12-31T23:59:59-23:59", attempt=-5), None, id="not before the year 10000"
            ),
            pytest.param(history(not_before="soon"), 1, id="not before soon"),
            pytest.param(history(first_failed_at="0001-01-01T00:00:00+23:59"), None, id="failed in the year 0"),
            pytest.param(history(kind="system", waited_seconds=10**30), 1, id="waited for longer than the universe"),
            pytest.param(history(kind="system", waited_seconds=-(10**9)), 1, id="waited for less than nothing"),
            pytest.param(history(kind="system", waited_seconds=10**9), 1, id="waited for 30 years"),
            pytest.param(history(kind="system", last_failed_at="0001-01-01T00:00:00Z"), 1, id="a fault in the year 1"),
            pytest.param(history(first_failed_at=0), 1, id="failed at 0"),
            pytest.param(history(first_failed_at="2999-01-01T00:00:00Z"), 1, id="failed in the future"),
            pytest.param(history(verdict="dead", attempt=5), 1, id="dead before: attempts anew"),
            pytest.param(history(verdict={"a": 1}, kind=[], group=None, reason=7), 1, id="values of other types"),
        ],
    )
    def test_is_taken_as_far_as_it_makes_sense(
        self, lane: ProcessLane, attributes: dict[str, Any], attempt: int | None
    ) -> None:
        lane.handler.will("a", LATER)
        lane.send(lane.order("a"), MessageAttributes=attributes)
        delivery = lane.deliver()
        assert delivery.error is None
        assert delivery.failed == set()
        [sent] = lane.retries.messages + lane.dead_letters.messages
        trail = trail_of(sent)
        assert trail["source_queue"] == "shop-events"
        if attempt is not None:
            assert trail["attempt"] == attempt
        lane.lines()

    def test_may_end_a_messages_tries_but_no_more_than_that(self, lane: ProcessLane) -> None:
        lane.handler.will("a", LATER)
        lane.send(lane.order("a"), MessageAttributes=history(attempt=10**9))
        lane.deliver()
        [trail] = lane.trails(lane.dead_letters)
        assert trail["dead_because"] == "exhausted"
        assert trail["attempt"] <= 1001

    def test_may_put_a_message_off_for_a_day_and_no_longer(self, lane: ProcessLane) -> None:
        lane.send(lane.order("a"), MessageAttributes=history(not_before="9999-12-31T23:59:59Z"))
        started = lane.clock.now()
        lane.run_until_quiet()
        assert lane.handler.finished == {"a": 1}
        assert lane.clock.now() - started <= timedelta(hours=24, seconds=1)

    def test_never_sends_a_message_to_a_queue_that_is_none_of_this_stacks(self, lane: ProcessLane) -> None:
        lane.sqs.create_queue(QueueName="payroll")
        lane.handler.will("a", PermanentError("never"))
        lane.send(lane.order("a"), MessageAttributes=history(source_queue="payroll", redrive_id="r"))
        lane.run_until_quiet()
        assert {call.queue for call in lane.sqs.calls} <= {"shop-events", "shop-retry", "shop-dead"}

    @pytest.mark.parametrize("field", ["kind", "group", "error_type", "redrive_id", "dead_because"])
    def test_is_not_quoted_in_the_log(self, lane: ProcessLane, field: str) -> None:
        stranger = "card 4111 1111 1111 1111 of Zyxwvut\x1b[2J\ud800"
        written = history(last_failed_at="2026-01-05T08:00:00Z", **{field: stranger})
        lane.handler.will("b", LATER)
        lane.send(lane.order("a"), lane.order("b"), MessageAttributes=written)
        lane.deliver()
        assert len(lane.reports()) == 2
        assert "Zyxwvut" not in lane.printed()

    def test_costs_a_good_message_nothing(self, lane: ProcessLane) -> None:
        lane.send(lane.order("a"), MessageAttributes=attribute("x" * 100_000))
        delivery = lane.deliver()
        assert delivery.answer == {"batchItemFailures": []}
        assert lane.handler.finished == {"a": 1}


class TestAMessageThatHasNoRoomForItsHistory:
    def ten(self) -> dict[str, Any]:
        return {f"own-{number}": {"DataType": "String", "StringValue": "x"} for number in range(10)}

    def test_is_left_to_sqs_with_a_line_in_the_log(self, lane: ProcessLane) -> None:
        lane.handler.will("full", LATER, None)
        [message_id] = lane.send(lane.order("full"), MessageAttributes=self.ten())
        lane.send(lane.order("good"))
        delivery = lane.deliver()
        assert delivery.failed == {message_id}
        assert lane.handler.finished == {"good": 1}
        [line] = lane.lines()
        assert (line["message_id"], line["queue"], line["level"]) == (message_id, "shop-events", "ERROR")
        assert "ten attributes" in line["why"]

    def test_is_done_when_sqs_delivers_it_again(self, lane: ProcessLane) -> None:
        lane.handler.will("full", LATER, None)
        lane.send(lane.order("full"), MessageAttributes=self.ten())
        lane.run_until_quiet()
        assert lane.handler.finished == {"full": 1}

    def test_ends_among_the_dead_letters_by_sqss_own_hand(self, lane: ProcessLane) -> None:
        lane.handler.will("full", LATER)
        lane.send(lane.order("full"), MessageAttributes=self.ten())
        lane.run_until_quiet()
        [letter] = lane.dead_letters.messages
        assert letter.attributes == self.ten()
        assert len(lane.handler.runs) == MAX_RECEIVE_COUNT

    def test_of_1_mib_is_left_to_sqs_too(self, lane: ProcessLane) -> None:
        body = json.dumps(lane.order("big"))
        lane.handler.will("big", LATER)
        [message_id] = lane.send(body + " " * (MIB - len(body)))
        delivery = lane.deliver()
        assert delivery.failed == {message_id}
        assert "1 MiB" in lane.lines()[0]["why"]

    def test_goes_without_its_reason_where_that_makes_it_fit(self, lane: ProcessLane) -> None:
        body = json.dumps(lane.order("big"))
        lane.handler.will("big", TransientError("why it failed " * 40))
        lane.send(body + " " * (MIB - 500 - len(body)))
        delivery = lane.deliver()
        assert delivery.failed == set()
        [trail] = lane.trails(lane.retries)
        assert trail["attempt"] == 1
        assert "reason" not in trail

    def test_with_nine_attributes_of_its_own_is_sent_on(self, lane: ProcessLane) -> None:
        nine = dict(list(self.ten().items())[:9])
        lane.handler.will("a", LATER, None)
        lane.send(lane.order("a"), MessageAttributes=nine)
        lane.run_until_quiet()
        assert lane.handler.finished == {"a": 1}


class TestAMarkOfADrill:
    @pytest.mark.parametrize("fault", ["system", "loop of another name"])
    def test_does_nothing_where_no_drill_is_allowed(self, lane: ProcessLane, fault: str) -> None:
        mark = json.dumps({"drill": "d", "number": 1, "fault": fault, "until": 4e9})
        lane.send(lane.order("a"), MessageAttributes={"backstop-drill": {"DataType": "String", "StringValue": mark}})
        lane.run_until_quiet()
        assert lane.handler.finished == {"a": 1}
        assert lane.reports() == []


class TestABodyThatSqsCouldNotTakeAgain:
    def test_is_left_to_sqs_and_its_neighbours_are_sent_on(self, lane: ProcessLane) -> None:
        stuck = lane.events.put('{"id": "\ud800"}', {}, {})
        lane.handler.will("b", LATER)
        lane.send(lane.order("b"), "not JSON")
        delivery = lane.deliver()
        assert delivery.error is None
        assert delivery.failed == {stuck.message_id}
        assert len(lane.retries.messages) == len(lane.dead_letters.messages) == 1
