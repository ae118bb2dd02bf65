from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.notice import MAX_BODY, MAX_KEY, MAX_KEYS, MAX_TITLE, notice
from backstop.occurrence import Severity
from backstop.publication import serialise, trial_publication

ALERT: dict[str, Any] = {
    "backstop": 1,
    "reason": "first",
    "severity": "error",
    "stage": "prod",
    "title": "OutOfStock in handler.reserve",
    "text": "OutOfStock in handler.reserve\n\nwhere: handler.reserve\n",
    "group": "g0123456789abcdef",
}
ALARM: dict[str, Any] = {
    "AlarmName": "shop-dead-letters",
    "AlarmDescription": "Events need a person or a fix.",
    "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:shop-dead-letters",
    "NewStateValue": "ALARM",
    "OldStateValue": "OK",
    "NewStateReason": "Threshold Crossed: 1 datapoint [3.0] was greater than the threshold (0.0).",
    "StateChangeTime": "2026-11-21T09:00:00.000+0000",
    "Region": "EU (Ireland)",
    "Trigger": {
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Namespace": "AWS/SQS",
        "Dimensions": [{"value": "shop-dead", "name": "QueueName"}],
        "Threshold": 0.0,
    },
}
LIKE_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


class TestAnAlert:
    def test_is_told_with_its_stage_and_its_severity(self) -> None:
        told = notice(json.dumps(ALERT), "[prod] ERROR: OutOf...")
        assert told.title == "[prod] ERROR: OutOfStock in handler.reserve"
        assert told.body == "where: handler.reserve"
        assert (told.severity, told.key, told.is_over) == (Severity.ERROR, "g0123456789abcdef", False)
        assert (told.ends, told.is_for_all) == ((), False)

    def test_of_the_end_ends_its_group_and_is_for_those_who_heard_of_it(self) -> None:
        document = ALERT | {
            "reason": "end",
            "is_over": True,
            "severity": "info",
            "failure_severity": "critical",
            "title": "Over",
        }
        told = notice(json.dumps(document), "")
        assert told.title == "[prod] Over"
        assert (told.severity, told.is_over, told.ends) == (Severity.CRITICAL, True, ("g0123456789abcdef",))
        assert not told.is_for_all

    def test_of_the_end_is_for_all_where_nobody_knows_of_what(self) -> None:
        told = notice(json.dumps(ALERT | {"reason": "end", "is_over": True, "severity": "info"}), "")
        assert (told.severity, told.is_for_all) == (Severity.INFO, True)

    def test_of_many_ends_ends_each(self) -> None:
        said = {"reason": "digest", "is_over": True, "group": None, "incidents": ["g1", "g2", 3, {"group": "g4"}]}
        told = notice(json.dumps(ALERT | said), "")
        assert (told.is_over, told.key, told.ends) == (True, "", ("g1", "g2"))

    def test_of_many_that_began_is_no_incident_that_one_of_their_ends_could_end(self) -> None:
        told = notice(json.dumps(ALERT | {"reason": "digest", "group": None, "incidents": ["g1"]}), "")
        assert (told.is_over, told.key, told.ends) == (False, "", ())

    def test_that_tests_is_for_all(self) -> None:
        published = trial_publication("shop", "prod", datetime(2026, 11, 21, tzinfo=UTC))
        told = notice(serialise(published.document), published.subject)
        assert told.title == published.subject
        assert (told.severity, told.is_for_all, told.is_over) == (Severity.INFO, True, False)

    def test_with_a_severity_that_nobody_knows_is_told_to_all(self) -> None:
        told = notice(json.dumps(ALERT | {"severity": "apocalyptic"}), "")
        assert (told.severity, told.is_for_all) == (Severity.ERROR, True)

    def test_of_a_later_version_is_an_alert_still(self) -> None:
        assert notice(json.dumps(ALERT | {"backstop": 2}), "").key == ALERT["group"]

    def test_without_a_text_says_its_title(self) -> None:
        assert notice(json.dumps(ALERT | {"text": None}), "").body == ALERT["title"]


class TestAnAlarm:
    def test_becomes_readable_text(self) -> None:
        told = notice(json.dumps(ALARM), 'ALARM: "shop-dead-letters" in EU (Ireland)')
        assert told.title == "ALARM: shop-dead-letters"
        assert told.body.splitlines() == [
            "Events need a person or a fix.",
            "",
            "why:     Threshold Crossed: 1 datapoint [3.0] was greater than the threshold (0.0).",
            "metric:  AWS/SQS ApproximateNumberOfMessagesVisible of QueueName shop-dead (threshold 0.0)",
            "since:   2026-11-21T09:00:00.000+0000",
            "before:  OK",
            "region:  EU (Ireland)",
            "see:     https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#alarmsV2:alarm/shop-dead-letters",
        ]

    @pytest.mark.parametrize(
        ("state", "severity", "ends"),
        [
            ("ALARM", Severity.ERROR, ()),
            ("OK", Severity.ERROR, ("shop-dead-letters",)),
            ("INSUFFICIENT_DATA", Severity.WARNING, ()),
        ],
    )
    def test_goes_by_its_name_and_ok_ends_it(self, state: str, severity: Severity, ends: tuple[str, ...]) -> None:
        told = notice(json.dumps(ALARM | {"NewStateValue": state}), "")
        assert (told.key, told.severity, told.ends) == ("shop-dead-letters", severity, ends)
        assert told.is_over is bool(ends)

    @pytest.mark.parametrize(
        ("state", "before", "made", "is_news"),
        [
            pytest.param("OK", "INSUFFICIENT_DATA", "2026-11-21T08:59:00.000+0000", False, id="just made, and well"),
            pytest.param("OK", "INSUFFICIENT_DATA", "2026-11-21T10:59:00.000+0200", False, id="in another zone"),
            pytest.param("OK", "INSUFFICIENT_DATA", "", False, id="nobody knows when it was made"),
            pytest.param("OK", "INSUFFICIENT_DATA", "2026-11-21", False, id="nobody knows where it was noon"),
            pytest.param("OK", "INSUFFICIENT_DATA", "2026-11-21T08:45:00.000+0000", True, id="made long before"),
            pytest.param("OK", "ALARM", "2026-11-21T08:59:00.000+0000", True, id="just made, and well again"),
            pytest.param("ALARM", "INSUFFICIENT_DATA", "2026-11-21T08:59:00.000+0000", True, id="just made, not well"),
        ],
    )
    def test_that_was_just_made_and_finds_that_all_is_well_is_no_news(
        self, state: str, before: str, made: str, is_news: bool
    ) -> None:
        known = {"NewStateValue": state, "OldStateValue": before, "AlarmConfigurationUpdatedTimestamp": made}
        assert notice(json.dumps(ALARM | known), "").is_news is is_news

    def test_of_several_metrics_names_none(self) -> None:
        assert "metric:" not in notice(json.dumps(ALARM | {"Trigger": {"Metrics": [{}]}}), "").body

    def test_with_nothing_but_a_name_says_so(self) -> None:
        assert notice('{"AlarmName": "a", "NewStateValue": "ALARM"}', "").body == "ALARM: a"


class TestAnyOtherText:
    @pytest.mark.parametrize(
        "message",
        ["hi", "{", "[1]", "null", '"hi"', '{"backstop": true, "title": "x"}', '{"AlarmName": "x"}', "[" * 100_000],
        ids=lambda message: message[:20],
    )
    def test_is_passed_on_with_its_subject(self, message: str) -> None:
        told = notice(message, "From the kitchen")
        assert (told.title, told.severity, told.key) == ("From the kitchen", Severity.WARNING, "")
        assert told.body == (message if len(message) <= MAX_BODY else message[: MAX_BODY - 3] + "...")

    def test_without_a_subject_has_a_title_too(self) -> None:
        assert notice("", "").title == notice("", "").body == "A message without a subject"

    def test_is_redacted(self) -> None:
        told = notice("password=hush-1 from ada@example.com", "token: hush-2")
        assert "hush" not in repr(told)
        assert "ada" not in told.body


def test_a_title_is_one_line_and_nothing_obeys_control_characters() -> None:
    told = notice(json.dumps(ALERT | {"title": "a\n\x1b[2Jb\ud800", "text": "c\x07\n\td", "group": "g\n1"}), "")
    assert told.title == "[prod] ERROR: a [2Jb"
    assert told.body == "c \n\td"
    assert told.key == "g\n1"


def test_everything_has_a_greatest_length() -> None:
    many = [f"g{number}" for number in range(1000)]
    long = {"reason": "end", "is_over": True, "title": "x" * 999, "text": "y" * 99_999, "incidents": many}
    told = notice(json.dumps(ALERT | long), "")
    assert (len(told.title), len(told.body), len(told.ends)) == (MAX_TITLE, MAX_BODY, MAX_KEYS)
    assert len(notice(json.dumps(ALERT | {"group": "g" * 999}), "").key) == MAX_KEY


@given(st.sampled_from([ALERT, ALARM]), st.data())
def test_no_shape_of_a_field_is_refused(document: dict[str, Any], data: st.DataObject) -> None:
    fields = data.draw(
        st.fixed_dictionaries({}, optional=dict.fromkeys((*document, "incidents", "is_over"), LIKE_JSON))
    )
    told = notice(json.dumps(document | fields), "subject")
    assert told.title
    assert told.body
    assert json.dumps([told.title, told.body, told.key, told.ends], ensure_ascii=False).encode()


@given(st.text(), st.text())
def test_no_text_is_refused(message: str, subject: str) -> None:
    told = notice(message, subject)
    assert told.title
    assert told.body
