from __future__ import annotations

from typing import Any

import pytest

from tests.template.document import ALARMS, DAY, FUNCTIONS, PARAMETERS, each, references, text_of
from tests.template.measures import MEASURED, RECORD_FAILED, Metric, is_measured, published
from tests.template.stream import DESTINATION, processor
from tests.template.watch import WATCHERS

ADDED_UP = {"Errors", "Throttles", "VerdictCount", "ExecutionsFailed", "LettersRescued"}
"""What is counted in each minute; of what is measured, the most counts."""

LATE = WATCHERS | {"RedriveFunction", "RecoverFunction"}
"""Functions that are only late when they are turned away: whoever asks them asks again, for long."""

ALARMING = {
    "dead letters": ("DeadLetterQueue", "ApproximateNumberOfMessagesVisible", 0),
    "dead letters of 10 days": ("DeadLetterQueue", "ApproximateAgeOfOldestMessage", 10 * DAY),
    "oldest event": ("EventsQueue", "ApproximateAgeOfOldestMessage", {"Ref": "OldestEventSeconds"}),
    "events of 7 days": ("EventsQueue", "ApproximateAgeOfOldestMessage", 7 * DAY),
    "retry backlog": ("RetryQueue", "ApproximateNumberOfMessagesDelayed", {"Ref": "RetryBacklog"}),
    "retries overdue": ("RetryQueue", "ApproximateNumberOfMessagesVisible", {"Ref": "RetryBacklog"}),
    "oldest ordered event": ("OrderedQueue", "ApproximateAgeOfOldestMessage", {"Ref": "OldestEventSeconds"}),
    "ordered events of 7 days": ("OrderedQueue", "ApproximateAgeOfOldestMessage", 7 * DAY),
    "events that SQS took out of their order": ("OrderedDeadLetterQueue", "ApproximateNumberOfMessagesVisible", 0),
    "dead ordered events of 10 days": ("OrderedDeadLetterQueue", "ApproximateAgeOfOldestMessage", 10 * DAY),
    "redrives that stopped": ("RedriveStateMachine", "ExecutionsFailed", 0),
    "dead letters that nobody decided on": ("RedriveFunction", "LettersRescued", 0),
    "records failed": ("TransformFunction", "VerdictCount", 0),
    "failures that nobody counted": ("WatchFailuresQueue", "ApproximateNumberOfMessagesVisible", 0),
    "failures that are told late": ("WatchFunction", "AsyncEventAge", 5 * 60 * 1000),
    "oldest click": ("ClicksStream", "DeliveryToS3.DataFreshness", {"Ref": "StreamDelaySeconds"}),
}
ALARMING |= {f"errors of {function}": (function, "Errors", 0) for function in FUNCTIONS}
ALARMING |= {f"throttles of {function}": (function, "Throttles", 0) for function in FUNCTIONS.keys() - LATE}


def watched(alarm: str) -> Metric:
    """Return the metric that an alarm looks at."""
    properties = ALARMS[alarm]
    dimensions = {one["Name"]: text_of(one["Value"]) for one in properties["Dimensions"]}
    return Metric(properties["Namespace"], properties["MetricName"], dimensions)


def looked_at(alarm: str) -> set[str]:
    """Return the resources that an alarm looks at."""
    return references(ALARMS[alarm]["Dimensions"])


@each(ALARMS)
def test_each_tells_people_what_is_wrong_and_when_it_is_over(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlertTopic"}]
    assert alarm.get("ActionsEnabled", True) is True
    assert len(alarm["AlarmDescription"]) > 40


@each(ALARMS)
def test_each_says_what_silence_means(name: str) -> None:
    assert ALARMS[name]["TreatMissingData"] in {"notBreaching", "breaching", "ignore", "missing"}


@pytest.mark.parametrize(("resource", "metric", "threshold"), ALARMING.values(), ids=ALARMING)
def test_there_is_one_for(resource: str, metric: str, threshold: Any) -> None:
    (alarm,) = [
        alarm
        for name, alarm in ALARMS.items()
        if (alarm["MetricName"], alarm["Threshold"]) == (metric, threshold) and resource in looked_at(name)
    ]
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["Statistic"] == ("Sum" if metric in ADDED_UP else "Maximum")


@each(ALARMS)
def test_each_looks_at_what_its_service_measures(name: str) -> None:
    assert is_measured(watched(name))


class TestOrderedLane:
    @pytest.mark.parametrize(
        ("alarm", "metric", "comparison", "threshold"),
        [
            ("HeldKeysAlarm", "HeldKeys", "GreaterThanThreshold", 0),
            ("OverdueKeysAlarm", "OverdueSeconds", "GreaterThanThreshold", 900),
            ("ParkedKeysAlarm", "ParkedKeysPercent", "GreaterThanOrEqualToThreshold", 80),
            ("FullestKeyAlarm", "FullestKeyPercent", "GreaterThanOrEqualToThreshold", 80),
        ],
    )
    def test_what_it_measures_is_watched(self, alarm: str, metric: str, comparison: str, threshold: int) -> None:
        properties = ALARMS[alarm]
        assert properties["MetricName"] == metric
        assert (properties["ComparisonOperator"], properties["Threshold"]) == (comparison, threshold)
        assert properties["Statistic"] == "Maximum"

    def test_a_sweep_that_stands_is_told(self) -> None:
        """Only a sweep says how long a key is overdue: where it stands, nobody finds what was lost."""
        alarm = ALARMS["OverdueKeysAlarm"]
        assert alarm["TreatMissingData"] in {"missing", "breaching"}
        assert alarm["TreatMissingData"] == "breaching" or alarm["InsufficientDataActions"] == [{"Ref": "AlertTopic"}]

    def test_each_number_that_is_measured_is_looked_at(self) -> None:
        """`ParkedKeys` has no alarm of its own: the dashboard shows it, and its percentage rings."""
        names = {alarm["MetricName"] for alarm in ALARMS.values()} | {"ParkedKeys"}
        assert {metric.name for metric in MEASURED} <= names


class TestWatch:
    def test_a_watcher_that_is_turned_away_is_told_of_once_it_is_late(self) -> None:
        """Lambda keeps what it turns away for hours and tries again: throttles alone are no reason to wake anybody."""
        assert not [name for name in ALARMS if "Throttles" in ALARMS[name]["MetricName"] and WATCHERS & looked_at(name)]

    def test_a_watcher_that_nobody_asks_is_told_of(self) -> None:
        """A schedule asks it each minute. Where nobody does, Lambda measures nothing, and silence looks like health."""
        alarm = ALARMS["WatchSilenceAlarm"]
        assert (alarm["MetricName"], looked_at("WatchSilenceAlarm")) == ("Invocations", {"WatchFunction"})
        assert (alarm["TreatMissingData"], alarm["InsufficientDataActions"]) == ("missing", [{"Ref": "AlertTopic"}])
        assert alarm["Period"] * alarm["EvaluationPeriods"] == 5 * 60


class TestRedrive:
    def test_a_rescue_that_stands_is_told(self) -> None:
        """Nobody else looks at letters that are about to be deleted, and the alarm of old ones says that it does."""
        alarm = ALARMS["LettersRescuedAlarm"]
        assert (alarm["TreatMissingData"], alarm["InsufficientDataActions"]) == ("missing", [{"Ref": "AlertTopic"}])

    def test_old_letters_are_told_of_before_they_are_rescued(self) -> None:
        after = int(FUNCTIONS["RedriveFunction"]["Environment"]["Variables"]["RESCUE_AFTER_DAYS"])
        for name in ("DeadLettersExpiringAlarm", "OrderedDeadLettersExpiringAlarm"):
            assert ALARMS[name]["Threshold"] <= (after - 1) * DAY

    @pytest.mark.parametrize("name", ["RedriveFailuresAlarm", "RedriveErrorsAlarm"])
    def test_what_to_type_is_said(self, name: str) -> None:
        assert "`backstop redrive status`" in ALARMS[name]["AlarmDescription"]


class TestStream:
    def test_a_record_that_failed_is_what_the_alarm_looks_for(self) -> None:
        """A dimension more or less, or another word for the verdict, and it would never ring."""
        assert watched("RecordsFailedAlarm") in published(RECORD_FAILED, "TransformFunction")

    def test_clicks_that_only_wait_in_buffers_ring_no_alarm(self) -> None:
        waiting = DESTINATION["BufferingHints"]["IntervalInSeconds"] + int(processor()["BufferIntervalInSeconds"])
        assert PARAMETERS["StreamDelaySeconds"]["MinValue"] > waiting
