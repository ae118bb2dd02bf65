"""A channel of `notify` that fails: who is told instead, how often it is tried, and what is asked of PagerDuty."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from backstop.errors import SystemFault
from tests.notify_lane import GROUP, TITLE, NotifyLane, notify_lane

PAGERDUTY = "pagerduty://integration@key/backstop"


@pytest.fixture
def lane() -> Iterator[NotifyLane]:
    with notify_lane() as lane:
        yield lane


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def calls(lane: NotifyLane, region: str = "us") -> list[tuple[Any, ...]]:
    return [
        (document["event_action"], document.get("dedup_key"), document.get("payload", {}).get("severity"))
        for document in lane.receiver.at(f"pagerduty-{region}")
    ]


class TestAChannelThatFails:
    def test_for_a_moment_is_tried_again_alone(self, lane: NotifyLane) -> None:
        lane.receiver.statuses["shaky"] = [500, 503, 200]
        lane.channels(lane.channel("shaky"), lane.channel("team"))
        assert lane.alert() == {"notices": 1}
        assert (len(lane.receiver.at("shaky")), len(lane.receiver.at("team"))) == (3, 1)

    def test_is_told_of_once_through_the_others(self, lane: NotifyLane) -> None:
        lane.receiver.statuses["on-call"] = [500]
        lane.channels(lane.channel("on-call"), lane.channel("team"))
        assert lane.alert() == {"notices": 1}
        assert len(lane.receiver.at("on-call")) == 3
        alert, trouble = lane.receiver.at("team")
        assert alert["title"] == TITLE
        assert (trouble["title"], trouble["type"]) == ("Trouble with channel on-call", "warning")
        assert trouble["message"].splitlines() == [
            "Channel on-call: it could not be reached: HTTP 500, 3 tries", "", f"The alert it missed: {TITLE}",
        ]  # fmt: skip

    def test_without_a_port_that_listens_is_told_of_too(self, lane: NotifyLane, closed_port: int) -> None:
        lane.channels({"name": "gone", "url": f"json://127.0.0.1:{closed_port}/"}, lane.channel("team"))
        lane.alert()
        _, trouble = lane.receiver.at("team")
        assert trouble["message"].startswith("Channel gone: it could not be reached: no answer, 3 tries")

    def test_with_no_answer_keeps_the_others_waiting_no_longer_than_there_is_time(self, lane: NotifyLane) -> None:
        lane.receiver.hanging = {"hangs"}
        lane.channels({"name": "hangs", "url": lane.receiver.url("hangs?rto=20")}, lane.channel("team"))
        lane.publish('{"backstop": 1, "title": "It fails"}', millis=500)
        _, trouble = lane.receiver.at("team")
        assert trouble["message"].startswith("Channel hangs: it could not be reached: no answer in time")

    def test_and_alone_should_have_heard_it_has_the_others_told_in_its_place(self, lane: NotifyLane) -> None:
        lane.receiver.statuses["team"] = [500]
        lane.channels(lane.channel("team"), lane.channel("on-call", at_least="critical"))
        assert lane.alert() == {"notices": 1}
        [told] = lane.receiver.at("on-call")
        assert told["title"] == "Trouble with channel team"
        assert "The alert it missed: " + TITLE in told["message"]
        assert "where: handler.reserve" in told["message"]

    def test_as_all_others_do_has_lambda_try_again(self, lane: NotifyLane) -> None:
        lane.receiver.statuses = {"team": [500], "boss": [404]}
        lane.channels(lane.channel("team"), lane.channel("boss"))
        with pytest.raises(SystemFault, match="nobody was told"):
            lane.alert()
        lane.receiver.statuses = {}
        assert lane.alert() == {"notices": 1}

    def test_while_it_is_told_of_another_is_not_told_of_once_more(self, lane: NotifyLane) -> None:
        lane.receiver.statuses = {"boss": [500], "team": [200, 500]}
        lane.channels(lane.channel("team"), lane.channel("boss"))
        assert lane.alert() == {"notices": 1}
        assert len(lane.receiver.at("team")) == 1 + 3
        errors = [line["channel"] for line in lane.worker.lines() if line["level"] == "ERROR"]
        assert errors == ["boss", "team"]


class TestPagerDuty:
    @pytest.fixture(autouse=True)
    def on_call(self, lane: NotifyLane) -> None:
        lane.channels({"name": "on-call", "url": PAGERDUTY, "at_least": "error"})

    def test_an_alert_opens_the_incident_of_its_group(self, lane: NotifyLane) -> None:
        lane.alert(severity="critical")
        assert calls(lane) == [("trigger", GROUP, "critical")]
        [document] = lane.receiver.at("pagerduty-us")
        assert document["routing_key"] == "integration"
        assert document["payload"]["summary"] == TITLE.replace("ERROR", "CRITICAL")
        assert document["payload"]["source"] == "backstop"
        assert "handler.reserve" in document["payload"]["custom_details"]["text"]

    def test_the_end_resolves_it(self, lane: NotifyLane) -> None:
        lane.alert()
        lane.alert(severity="info", reason="end", is_over=True)
        assert calls(lane) == [("trigger", GROUP, "error"), ("resolve", GROUP, None)]

    def test_the_end_of_many_resolves_each_and_opens_none(self, lane: NotifyLane) -> None:
        lane.alert(severity="info", reason="digest", is_over=True, group=None, incidents=["g1", "g2"])
        assert sorted(calls(lane)) == [("resolve", "g1", None), ("resolve", "g2", None)]

    def test_a_digest_of_failures_opens_an_incident_of_its_own(self, lane: NotifyLane) -> None:
        lane.alert(reason="digest", group=None, incidents=["g1", "g2"])
        assert calls(lane) == [("trigger", None, "error")]

    def test_an_end_without_a_key_has_nothing_to_resolve(self, lane: NotifyLane) -> None:
        assert lane.alert(reason="end", is_over=True, group="") == {"notices": 1}
        assert not lane.receiver.requests

    def test_an_alarm_goes_by_its_name_and_ok_resolves_it(self, lane: NotifyLane) -> None:
        for state in ("ALARM", "OK"):
            lane.publish(json.dumps({"AlarmName": "shop-dead", "NewStateValue": state}))
        assert calls(lane) == [("trigger", "shop-dead", "error"), ("resolve", "shop-dead", None)]

    def test_in_europe_is_called_there(self, lane: NotifyLane) -> None:
        lane.secret(f"{PAGERDUTY}?region=eu")
        lane.alert()
        assert calls(lane, "eu") == [("trigger", GROUP, "error")]

    def test_that_fails_is_tried_again_under_the_same_key(self, lane: NotifyLane) -> None:
        lane.receiver.statuses["pagerduty-us"] = [500, 429, 202]
        lane.alert()
        assert calls(lane) == [("trigger", GROUP, "error")] * 3

    def test_hears_of_a_chat_that_is_down_as_one_incident(self, lane: NotifyLane) -> None:
        lane.receiver.statuses["team"] = [500]
        lane.channels({"name": "on-call", "url": PAGERDUTY}, lane.channel("team"))
        lane.alert()
        lane.alert(group="gfedcba9876543210")
        assert [key for _, key, _ in calls(lane)] == [
            GROUP, "backstop-channels", "gfedcba9876543210", "backstop-channels",
        ]  # fmt: skip

    def test_takes_a_title_that_is_too_long_for_it_in_part(self, lane: NotifyLane) -> None:
        lane.alert(title="x" * 5000, text="y" * 50_000)
        [document] = lane.receiver.at("pagerduty-us")
        assert len(document["payload"]["summary"]) <= 1024
        assert len(document["payload"]["custom_details"]["text"]) <= 12_000


class TestSlack:
    URL = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#team"

    def test_is_sent_the_title_and_the_text(self, lane: NotifyLane) -> None:
        lane.secret(self.URL)
        lane.alert()
        [request] = lane.receiver.requests
        assert request.path == "/slack/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
        said = json.dumps(request.document)
        assert request.document["channel"] == "#team"
        assert TITLE in said
        assert "where: handler.reserve" in said

    def test_with_one_room_that_failed_is_told_there_only(self, lane: NotifyLane) -> None:
        path = "slack/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
        lane.receiver.statuses[path] = [200, 500, 200]
        lane.secret(f"{self.URL}/#boss")
        lane.alert()
        first, *others = [document["channel"] for document in lane.receiver.at(path)]
        assert others == ["#team" if first == "#boss" else "#boss"] * 2
