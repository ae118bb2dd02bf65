from __future__ import annotations

from typing import Any

import pytest

from backstop.process import TIRED
from tests.template.document import (
    DAY,
    FUNCTIONS,
    PARAMETERS,
    QUEUES,
    RESOURCES,
    SOURCES,
    TEMPLATE,
    each,
    names_in,
    references,
    target,
)

DEAD_LETTER_QUEUES = {
    target(queue["RedrivePolicy"]["deadLetterTargetArn"]) for queue in QUEUES.values() if "RedrivePolicy" in queue
}


WITHOUT_EVENTS = {"DrainQueue"}
"""Whose messages only wake somebody: a sweep sends again what is lost with them (see test_ordered.py)."""


WITHOUT_A_NET = WITHOUT_EVENTS | {"WatchFailuresQueue"}
"""The other one's are read by nobody but people (see test_watch.py)."""


def row_of(reference: Any, column: str) -> bool:
    """Say whether a value is the column of the row of Timing that the parameter names."""
    return bool(reference == {"Fn::FindInMap": ["Timing", {"Ref": "Timing"}, column]})


class TestQueues:
    @each(QUEUES)
    def test_each_is_encrypted(self, name: str) -> None:
        assert QUEUES[name]["SqsManagedSseEnabled"] is True

    @each(sorted(QUEUES.keys() - WITHOUT_EVENTS))
    def test_each_that_has_events_keeps_them_for_14_days(self, name: str) -> None:
        assert QUEUES[name]["MessageRetentionPeriod"] == 14 * DAY

    @each(sorted(QUEUES.keys() - WITHOUT_A_NET))
    def test_each_that_has_events_has_a_net_below_it_or_is_the_net(self, name: str) -> None:
        policy = QUEUES[name].get("RedrivePolicy")
        assert (policy is None) is (name in DEAD_LETTER_QUEUES)
        assert policy is None or policy["maxReceiveCount"] >= max(5, 2 * TIRED)

    @each(QUEUES)
    def test_each_says_whose_dead_letters_it_takes(self, name: str) -> None:
        policy = QUEUES[name]["RedriveAllowPolicy"]
        if name not in DEAD_LETTER_QUEUES:
            assert policy == {"redrivePermission": "denyAll"}
            return
        sources = [one for one in QUEUES.values() if name in references(one.get("RedrivePolicy"))]
        arn = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:"
        arns = [{"Fn::Sub": arn + source["QueueName"]["Fn::Sub"]} for source in sources]
        assert policy == {"redrivePermission": "byQueue", "sourceQueueArns": arns}

    @each(sorted(DEAD_LETTER_QUEUES))
    def test_dead_letters_outlive_the_stack(self, name: str) -> None:
        assert RESOURCES[name]["DeletionPolicy"].startswith("Retain")
        assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


class TestSources:
    @each(SOURCES)
    def test_each_reports_which_messages_failed(self, name: str) -> None:
        assert SOURCES[name][1]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]

    @each(SOURCES)
    def test_each_is_bounded_by_a_number(self, name: str) -> None:
        """A reference would arrive as text at a local AWS, and stop its poller."""
        assert 2 <= SOURCES[name][1]["ScalingConfig"]["MaximumConcurrency"] <= 1000

    @each(SOURCES)
    def test_a_batch_of_more_than_ten_is_waited_for(self, name: str) -> None:
        source = SOURCES[name][1]
        assert source["BatchSize"] <= 10 or source["MaximumBatchingWindowInSeconds"] >= 1

    @each(SOURCES)
    def test_a_queue_waits_six_times_as_long_as_its_function_may_take(self, name: str) -> None:
        function, source = SOURCES[name]
        assert row_of(function["Timeout"], "FunctionSeconds")
        assert row_of(QUEUES[target(source["Queue"])]["VisibilityTimeout"], "VisibilitySeconds")

    @pytest.mark.parametrize("row", TEMPLATE["Mappings"]["Timing"])
    def test_in_each_row_of_timing(self, row: str) -> None:
        timing = TEMPLATE["Mappings"]["Timing"][row]
        assert timing["VisibilitySeconds"] >= 6 * timing["FunctionSeconds"]
        assert row in PARAMETERS["Timing"]["AllowedValues"]

    @each(SOURCES)
    def test_a_function_that_sends_to_its_own_queue_may_do_so(self, name: str) -> None:
        assert SOURCES[name][0]["RecursiveLoop"] == "Allow"


def test_the_queues_that_are_read_are_those_that_the_settings_name() -> None:
    variables = FUNCTIONS["ProcessFunction"]["Environment"]["Variables"]
    sources = {target(source["Queue"]) for name, (_, source) in SOURCES.items() if name.startswith("ProcessFunction.")}
    assert names_in(variables["SOURCE_QUEUE_URLS"]["Fn::Sub"]) == sources
