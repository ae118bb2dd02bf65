"""`watch` as it is deployed: log lines become groups, rows and alerts, and what AWS refuses is made up for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import fastjsonschema
import pytest

from backstop import PermanentError, SystemFault, TransientError
from backstop.errors import MalformedDelivery, StoreUnavailable
from tests.fakes.faults import Fault
from tests.template.document import ROOT
from tests.watch_lane import ENVIRONMENT, WatchLane, lines_of, packed, watch_lane

VALIDATE: Callable[[Any], Any] = fastjsonschema.compile(json.loads((ROOT / "docs" / "alert.schema.json").read_text()))
FAULTS = [Fault.THROTTLED, Fault.DENIED, Fault.UNREACHABLE]


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Three events of one group that are dead at once, each told of in a real line."""
    return lines_of(*[PermanentError("no price for 'tea'") for _ in range(3)])


@pytest.fixture
def lane() -> Iterator[WatchLane]:
    with watch_lane() as lane:
        yield lane


def group_in(lines: list[str]) -> str:
    group: str = json.loads(lines[0])["group"]
    return group


class TestABatch:
    def test_becomes_a_group_a_row_an_event_and_one_alert(self, lane: WatchLane, lines: list[str]) -> None:
        lane.watch(*lines)
        assert lane.counted() == {group_in(lines): 3}
        rows = {item["event_id"]["S"]: item["state"]["S"] for item in lane.items("events")}
        assert rows == {"order-1": "dead", "order-2": "dead", "order-3": "dead"}
        assert lane.reasons() == [("first", 3)]

    def test_reaches_people_as_text_and_machines_as_a_document_of_the_schema(
        self, lane: WatchLane, lines: list[str]
    ) -> None:
        lane.watch(*lines)
        [document], [mail] = lane.arrived(), lane.mails()
        VALIDATE(document)
        assert json.loads(mail.messages["default"]) == document
        assert mail.messages["email"] == document["text"]
        assert f"backstop groups show g{group_in(lines)} --stack shop" in mail.messages["email"]
        assert mail.subject == "[test] ERROR: PermanentError: no price for <quoted>"
        assert mail.attributes == {"severity": "error", "stage": "test", "reason": "first"}

    def test_is_told_of_in_the_functions_own_log_with_the_alert(self, lane: WatchLane, lines: list[str]) -> None:
        lane.watch(*lines)
        [line] = lane.log("alert sent")
        assert (line["alert"], line["doubtful"]) == (lane.arrived()[0], False)
        assert (line["service"], line["function"], line["stage"]) == ("backstop-watch", "shop-watch", "test")
        assert "pipeline_event" not in line, "or the watcher would watch itself, were it enrolled by mistake"

    def test_that_comes_again_counts_nothing_and_tells_nobody(self, lane: WatchLane, lines: list[str]) -> None:
        [invoked] = lane.watch(*lines)
        before = lane.items("groups"), lane.items("events")
        for _ in range(3):
            lane.clock.advance(timedelta(seconds=30))
            lane.invoke(invoked)
        assert (lane.items("groups"), lane.items("events")) == before
        assert lane.reasons() == [("first", 3)]

    def test_of_several_groups_is_told_in_the_order_of_urgency(self, lane: WatchLane) -> None:
        lane.watch(*lines_of(TransientError("later"), PermanentError("never"), SystemFault("ours")))
        severities = [document["severity"] for document in lane.arrived()]
        assert severities == ["critical", "error", "warning"]

    def test_of_what_is_no_failure_leaves_no_trace(self, lane: WatchLane) -> None:
        lane.watch("START RequestId: 1", '{"level": "INFO", "message": "fine"}')
        assert (lane.items("groups"), lane.items("events"), lane.arrived()) == ([], [], [])


class TestTheEnd:
    def test_is_told_once_nothing_has_failed_for_some_time(self, lane: WatchLane, lines: list[str]) -> None:
        lane.watch(*lines)
        lane.pass_minutes(9)
        assert lane.reasons() == [("first", 3)]
        lane.pass_minutes(30)
        assert lane.reasons() == [("first", 3), ("end", 3)]
        VALIDATE(lane.arrived()[-1])
        assert lane.mails()[-1].attributes["severity"] == "info"


class TestWhatIsNoDelivery:
    @pytest.mark.parametrize(
        "event",
        [
            pytest.param({}, id="nothing"),
            pytest.param({"sweep": "true"}, id="a sweep in words"),
            pytest.param({"awslogs": {"data": "%%%"}}, id="not base64"),
            pytest.param({"awslogs": {"data": "eyJ9"}}, id="not gzip"),
            pytest.param(packed(b"[]"), id="not an object"),
            pytest.param(packed(b'{"messageType": "DATA_MESSAGE"}'), id="no lines"),
            pytest.param(packed(b" " * (11 * 1024 * 1024)), id="a bomb"),
        ],
    )
    def test_is_refused_and_leaves_no_trace(self, lane: WatchLane, event: dict[str, Any]) -> None:
        with pytest.raises(MalformedDelivery):
            lane.invoke(event)
        assert lane.killer.calls == []
        assert lane.worker.printed() == ""


class TestATopicThatRefuses:
    def test_has_the_alert_with_the_next_sweep(self, lane: WatchLane, lines: list[str]) -> None:
        lane.faults.fail_always("Publish", Fault.UNREACHABLE)
        lane.watch(*lines)
        assert lane.arrived() == []
        assert [line["alert"]["reason"] for line in lane.log("alert not sent")] == ["first"]
        lane.faults.clear()
        lane.pass_minutes(1)
        assert lane.reasons() == [("first", 3)]

    def test_and_takes_it_at_the_third_try_is_told_once(self, lane: WatchLane, lines: list[str]) -> None:
        lane.faults.fail("Publish", Fault.UNREACHABLE, Fault.UNREACHABLE)
        lane.watch(*lines)
        lane.pass_minutes(3)
        assert lane.reasons() == [("first", 3)]

    def test_for_hours_has_what_failed_and_is_over_told_at_last(self, lane: WatchLane, lines: list[str]) -> None:
        lane.faults.fail_always("Publish", Fault.UNREACHABLE)
        lane.watch(*lines)
        lane.pass_minutes(90)
        lane.faults.clear()
        lane.pass_minutes(2)
        assert lane.reasons() == [("first", 3), ("end", 3)]

    def test_whose_answer_is_lost_may_have_the_alert_and_is_given_no_second_one(
        self, lane: WatchLane, lines: list[str]
    ) -> None:
        lane.faults.fail("Publish", Fault.ANSWER_LOST)
        lane.watch(*lines)
        lane.pass_minutes(5)
        assert lane.reasons() == [("first", 3)]
        assert [line["doubtful"] for line in lane.log("alert sent")] == [True]


class TestATableThatRefuses:
    @pytest.mark.parametrize("fault", FAULTS)
    def test_keeps_nobody_from_hearing_and_the_batch_is_counted_when_it_comes_again(
        self, lane: WatchLane, lines: list[str], fault: Fault
    ) -> None:
        for operation in ("UpdateItem", "GetItem"):
            lane.faults.fail_always(operation, fault)
        [invoked] = lane.payloads(*lines)
        with pytest.raises(StoreUnavailable):
            lane.invoke(invoked)
        assert lane.reasons() == [("first", 3)]
        assert [line["level"] for line in lane.log("batch not kept")] == ["ERROR"]
        lane.faults.clear()
        for _ in range(2):
            lane.invoke(invoked)
        assert lane.counted() == {group_in(lines): 3}

    def test_with_the_other_one_is_told_of_in_a_line_each(self, lane: WatchLane, lines: list[str]) -> None:
        for operation in ("UpdateItem", "GetItem", "BatchWriteItem"):
            lane.faults.fail_always(operation, Fault.DENIED)
        [invoked] = lane.payloads(*lines)
        with pytest.raises(StoreUnavailable, match="failure groups"):
            lane.invoke(invoked)
        whys = [line["why"] for line in lane.log("batch not kept")]
        assert ["failure groups" in whys[0], "failed events" in whys[1]] == [True, True]

    def test_for_long_is_made_up_for_within_the_limit(self, lane: WatchLane, lines: list[str]) -> None:
        lane.faults.fail_always("UpdateItem", Fault.THROTTLED)
        for _ in range(40):
            [invoked] = lane.payloads(*lines)
            with pytest.raises(StoreUnavailable):
                lane.invoke(invoked)
        assert lane.reasons() == [("first", 3), ("more", 12), ("more", 102)]

    def test_after_it_has_counted_lets_a_batch_count_once(self, lane: WatchLane, lines: list[str]) -> None:
        lane.faults.fail("UpdateItem", None, Fault.ANSWER_LOST)  # the first only finds that there is no window
        [invoked] = lane.payloads(*lines)
        with pytest.raises(StoreUnavailable):
            lane.invoke(invoked)
        lane.invoke(invoked)
        assert lane.counted() == {group_in(lines): 3}

    @pytest.mark.parametrize("fault", FAULTS)
    def test_of_failed_events_holds_up_no_alert_and_is_filled_later(
        self, lane: WatchLane, lines: list[str], fault: Fault
    ) -> None:
        lane.faults.fail_always("BatchWriteItem", fault)
        [invoked] = lane.payloads(*lines)
        with pytest.raises(StoreUnavailable):
            lane.invoke(invoked)
        assert lane.reasons() == [("first", 3)]
        assert lane.items("events") == []
        lane.faults.clear()
        lane.invoke(invoked)
        assert len(lane.items("events")) == 3
        assert lane.counted() == {group_in(lines): 3}
        assert lane.reasons() == [("first", 3)]


class TestTheEnvironment:
    @pytest.mark.parametrize("name", [*ENVIRONMENT, "STAGE", "RELEASE"])
    def test_that_lacks_a_variable_is_refused_by_its_name(self, name: str) -> None:
        with watch_lane(**{name: ""}) as lane, pytest.raises(SystemFault, match=name):
            lane.sweep()
