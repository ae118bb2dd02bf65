"""`notify` as it is deployed: messages of the topic in, real HTTP requests to its channels out."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backstop.errors import SystemFault
from tests.notify_lane import ALERT, REQUEST_ID, TITLE, Context, NotifyLane, notify_lane

EVENT = json.loads((Path(__file__).parents[2] / "events" / "notify.json").read_text())
TOKEN = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7hu"
OTHER_SHAPES: list[Any] = [
    {},
    {"Records": None},
    {"Records": "no"},
    {"Records": [None, 1, {}, {"Sns": None}]},
    {"backstop": 1},
]


@pytest.fixture
def lane() -> Iterator[NotifyLane]:
    with notify_lane() as lane:
        yield lane


@pytest.fixture
def root_log() -> Iterator[io.StringIO]:
    """Return what libraries log, down to the least word, as Lambda's own handler would write it."""
    written, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(written), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    root.debug("asked")
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


def titles(lane: NotifyLane, path: str) -> list[str]:
    return [document["title"] for document in lane.receiver.at(path)]


class TestAnAlert:
    def test_goes_to_every_channel(self, lane: NotifyLane) -> None:
        lane.channels(lane.channel("team"), lane.channel("boss"))
        assert lane.alert() == {"notices": 1}
        for path in ("team", "boss"):
            [document] = lane.receiver.at(path)
            assert (document["title"], document["type"]) == (TITLE, "failure")
            assert document["message"].strip() == "where: handler.reserve"

    @pytest.mark.parametrize(
        ("fields", "kind"),
        [
            ({"severity": "critical"}, "failure"),
            ({"severity": "error"}, "failure"),
            ({"severity": "warning"}, "warning"),
            ({"severity": "info", "reason": "test"}, "info"),
            ({"severity": "info", "reason": "end", "is_over": True}, "success"),
        ],
        ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
    )
    def test_looks_as_urgent_as_it_is(self, lane: NotifyLane, fields: dict[str, Any], kind: str) -> None:
        lane.channels(lane.channel("team"))
        lane.alert(**fields)
        assert [document["type"] for document in lane.receiver.at("team")] == [kind]

    def test_goes_only_to_channels_that_want_it(self, lane: NotifyLane) -> None:
        lane.channels(lane.channel("on-call", at_least="error"), lane.channel("team"))
        lane.alert(severity="warning")
        lane.alert(severity="error")
        assert len(lane.receiver.at("on-call")) == 1
        assert len(lane.receiver.at("team")) == 2

    def test_is_over_for_those_who_heard_of_it(self, lane: NotifyLane) -> None:
        lane.channels(lane.channel("on-call", at_least="error"), lane.channel("team"))
        lane.alert(severity="info", reason="end", is_over=True, failure_severity="warning")
        assert (len(lane.receiver.at("on-call")), len(lane.receiver.at("team"))) == (0, 1)
        lane.alert(severity="info", reason="end", is_over=True, failure_severity="critical")
        lane.alert(severity="info", reason="end", is_over=True)  # nobody knows of what: all are told
        assert (len(lane.receiver.at("on-call")), len(lane.receiver.at("team"))) == (2, 3)

    def test_is_nobodys_where_no_channel_wants_it(self, lane: NotifyLane) -> None:
        lane.channels(lane.channel("on-call", at_least="critical"), {"name": "typo", "url": "nothing"})
        assert lane.alert(severity="info", reason="first") == {"notices": 1}
        assert not lane.receiver.requests


class TestTheSampleEvent:
    def test_is_forwarded(self, lane: NotifyLane) -> None:
        lane.channels(lane.channel("team"))
        assert lane.worker.invoke(EVENT, Context(60_000)) == {"notices": 1}
        [document] = lane.receiver.at("team")
        assert document["title"] == EVENT["Records"][0]["Sns"]["Subject"]
        assert "backstop groups show g" in document["message"]

    @pytest.mark.parametrize("event", OTHER_SHAPES, ids=repr)
    def test_another_shape_is_nothing_to_tell(self, lane: NotifyLane, event: Any) -> None:
        lane.channels(lane.channel("team"))
        assert lane.worker.invoke(event, Context(60_000)) == {"notices": 0}
        assert not lane.receiver.requests


class TestTheSecret:
    def test_is_read_anew_each_time(self, lane: NotifyLane) -> None:
        lane.channels(lane.channel("before"))
        lane.alert()
        lane.channels(lane.channel("after"))
        lane.alert()
        assert (len(lane.receiver.at("before")), len(lane.receiver.at("after"))) == (1, 1)

    def test_is_the_last_one_where_it_cannot_be_read(self, lane: NotifyLane) -> None:
        lane.channels(lane.channel("team"))
        lane.alert()
        lane.secrets.delete_secret(SecretId=lane.arn, ForceDeleteWithoutRecovery=True)
        lane.alert()
        assert len(lane.receiver.at("team")) == 2
        [line] = [line for line in lane.worker.lines() if line["level"] == "WARNING"]
        assert "ResourceNotFoundException" in line["why"]

    def test_is_asked_for_again_where_none_was_read(self, lane: NotifyLane) -> None:
        lane.secrets.delete_secret(SecretId=lane.arn, ForceDeleteWithoutRecovery=True)
        with pytest.raises(SystemFault, match="could not be read"):
            lane.alert()

    def test_may_be_lines(self, lane: NotifyLane) -> None:
        lane.secret(f"# the team\n{lane.receiver.url('team')}\n\n{lane.receiver.url('boss')}\n")
        lane.alert()
        assert len(lane.receiver.at("team")) == len(lane.receiver.at("boss")) == 1

    @pytest.mark.parametrize("text", ["{}", "[]", '{"channels": []}', "{", "# nobody", '{"channels": [{"name": "x"}]}'])
    def test_without_a_channel_fails_so_that_it_is_seen(self, lane: NotifyLane, text: str) -> None:
        lane.secret(text)
        with pytest.raises(SystemFault, match="nobody was told"):
            lane.alert()

    def test_is_used_where_it_can_be_and_what_cannot_is_told(self, lane: NotifyLane) -> None:
        lane.channels(
            lane.channel("team"),
            {"name": "typo", "url": "slak://T0/B0/hush-hush"},
            {"url": "hush-hush"},
            lane.channel("picky", at_least="urgent"),
        )
        lane.alert()
        assert titles(lane, "team") == [TITLE, "Trouble with 3 channels"]
        assert titles(lane, "picky") == [TITLE, "Trouble with 3 channels"]
        assert lane.receiver.at("team")[1]["message"].splitlines()[:3] == [
            "Channel 3 (no address): its url is no address (service://…)",
            "Channel picky: its at_least is none of critical, error, warning, info: it hears of everything",
            "Channel typo: it could not be reached: its address is none that Apprise understands",
        ]


def test_a_setting_that_is_missing_is_named(lane: NotifyLane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHANNELS_SECRET")
    with pytest.raises(SystemFault, match="CHANNELS_SECRET"):
        lane.alert()


class TestTheLog:
    def test_says_who_was_told(self, lane: NotifyLane) -> None:
        lane.channels(lane.channel("team"))
        lane.alert()
        [line] = lane.worker.lines()
        expected = {
            "level": "INFO", "message": "told", "channels": ["team"], "notice": TITLE, "function": "shop-notify",
            "stage": "test", "release": "r1", "request_id": REQUEST_ID,
        }  # fmt: skip
        assert {name: line.get(name) for name in expected} == expected

    def test_says_what_is_wrong_and_holds_no_pipeline_event(self, lane: NotifyLane) -> None:
        lane.receiver.statuses["boss"] = [500]
        lane.channels(lane.channel("team"), lane.channel("boss"))
        lane.alert()
        [line] = [line for line in lane.worker.lines() if line["level"] == "ERROR"]
        assert (line["channel"], line["why"]) == ("boss", "it could not be reached: HTTP 500, 3 tries")
        assert not lane.worker.reports()


class TestSecrets:
    def test_are_in_no_log_line_no_error_and_no_message_to_another_channel(
        self, lane: NotifyLane, capfd: pytest.CaptureFixture[str], root_log: io.StringIO
    ) -> None:
        lane.receiver.statuses = {"hush-1": [500], f"slack/{TOKEN}": [403]}
        channels = [
            {"url": f"json://user:hush-0@127.0.0.1:{lane.receiver.port}/hush-1"},
            {"url": "json://hush-2.invalid:hush-3/x?token=hush-4"},
            {"url": f"slack://{TOKEN}/#team"},
            {"url": "tgram://hush-5/hush-6"},
            {"url": "hush-7"},
            {"url": "mailto://me:hush-8@127.0.0.1:1?cto=0.2"},
        ]
        lane.channels(*channels)
        with pytest.raises(SystemFault) as raised:
            lane.alert()
        lane.channels(lane.channel("team"), *channels)
        lane.alert()
        told = json.dumps(lane.receiver.at("team"), ensure_ascii=False)
        everything = told + lane.worker.printed() + "".join(capfd.readouterr()) + root_log.getvalue() + repr(raised)
        assert "Trouble with 6 channels" in told
        assert "asked" in root_log.getvalue()
        for secret in ("hush", *TOKEN.split("/")):
            assert secret not in everything

    def test_are_not_shown_by_what_holds_them(self) -> None:
        from backstop.channel import directory

        assert "hush" not in repr(directory(json.dumps({"channels": [{"name": "a", "url": "slack://hush"}]})))


def test_an_alarm_arrives_as_readable_text(lane: NotifyLane) -> None:
    lane.channels(lane.channel("team"))
    alarm = {"AlarmName": "shop-dead-letters", "NewStateValue": "ALARM", "NewStateReason": "Threshold Crossed"}
    lane.publish(json.dumps(alarm), "ALARM: shop-dead-letters")
    [document] = lane.receiver.at("team")
    assert (document["title"], document["type"]) == ("ALARM: shop-dead-letters", "failure")
    assert document["message"].strip() == "why:     Threshold Crossed"


def test_any_other_text_is_passed_on(lane: NotifyLane) -> None:
    lane.channels(lane.channel("team"))
    lane.publish("The oven is on.", "From the kitchen")
    [document] = lane.receiver.at("team")
    assert (document["title"], document["message"]) == ("From the kitchen", "The oven is on.")


def test_a_text_of_many_lines_is_not_interpreted(lane: NotifyLane) -> None:
    lane.channels(lane.channel("team"))
    lane.alert(text="*a* _b_ `c` <d> & \\n :smile: %20\n  e")
    [document] = lane.receiver.at("team")
    assert document["message"] == "*a* _b_ `c` <d> & \\n :smile: %20\n  e"
    assert ALERT["title"] in document["title"]
