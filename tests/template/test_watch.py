from __future__ import annotations

import json
import re
from typing import Any

import pytest

from backstop.aws.failed_events import spread
from backstop.aws.groups_items import key
from tests.template.document import (
    DAY,
    FUNCTIONS,
    GLOBALS,
    PARAMETERS,
    QUEUES,
    RESOURCES,
    ROLES,
    TEMPLATE,
    each,
    log_group_of,
    target,
)
from tests.template.permissions import Grant, actions_on, grants, grants_of, trust
from tests.template.watch import EVENTS, GROUPS, VARIABLES, WATCH, WATCHERS

READS_LOGS = re.compile(r"logs:(Get|Filter|Start|Describe)")
WATCH_PARAMETERS = {
    "ALERT_LIMIT": ("AlertLimit", 5),
    "ALERT_WINDOW_SECONDS": ("AlertWindowSeconds", 3600),
    "ALERT_QUIET_SECONDS": ("AlertQuietSeconds", 600),
    "DIGEST_AFTER": ("DigestAfter", 20),
    "ALERT_STORE": ("AlertStore", "dynamodb"),
    "FAILED_EVENT_DAYS": ("FailedEventDays", 35),
}


def keys_of(schema: list[dict[str, str]]) -> list[str]:
    """Return the names of a table's keys: what it is found by, then what it is sorted by."""
    assert [one["KeyType"] for one in schema] == ["HASH", "RANGE"][: len(schema)]
    return [one["AttributeName"] for one in schema]


def types_of(table: dict[str, Any]) -> dict[str, str]:
    return {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}


@each(WATCHERS)
class TestWatchers:
    def test_none_writes_to_the_log_that_is_watched(self, name: str) -> None:
        """It would hear of its own failures, and fail on them again."""
        assert log_group_of(name) == "WatchLogs"
        assert not actions_on(target(FUNCTIONS[name]["Role"]), "PipelineLogs")

    def test_what_one_fails_on_is_kept_for_people_after_two_more_tries(self, name: str) -> None:
        invoked = FUNCTIONS[name]["EventInvokeConfig"]
        queue = {"Type": "SQS", "Destination": {"Fn::GetAtt": ["WatchFailuresQueue", "Arn"]}}
        assert invoked["DestinationConfig"] == {"OnFailure": queue}
        assert invoked["MaximumRetryAttempts"] == 2
        assert actions_on(target(FUNCTIONS[name]["Role"]), "WatchFailuresQueue") == {"sqs:SendMessage"}

    def test_none_reads_a_queue_or_reaches_the_workers(self, name: str) -> None:
        """A failure of a watcher stops no worker."""
        role = target(FUNCTIONS[name]["Role"])
        assert {grant.resource for grant in grants_of(role, "sqs")} == {"${WatchFailuresQueue.Arn}"}
        assert not grants_of(role, "lambda")
        assert "ReservedConcurrentExecutions" not in FUNCTIONS[name]


def test_nobody_reads_what_the_watchers_failed_on_but_people() -> None:
    assert {role for role in ROLES if actions_on(role, "WatchFailuresQueue") - {"sqs:SendMessage"}} == set()
    assert QUEUES["WatchFailuresQueue"]["MessageRetentionPeriod"] == 14 * DAY


def test_a_log_batch_is_tried_for_as_long_as_lambda_can() -> None:
    assert WATCH["EventInvokeConfig"]["MaximumEventAgeInSeconds"] == 6 * 60 * 60


class TestGroupsTable:
    def test_is_keyed_as_items_are(self) -> None:
        assert keys_of(GROUPS["KeySchema"]) == list(key("0123456789abcdef"))

    def test_finds_open_windows_and_no_others(self) -> None:
        (index,) = GROUPS["GlobalSecondaryIndexes"]
        assert index["IndexName"] == "open"
        assert keys_of(index["KeySchema"]) == ["is_open", "window_opened"]
        assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}

    def test_has_the_types_that_items_have(self) -> None:
        assert types_of(GROUPS) == {"group": "S", "is_open": "S", "window_opened": "N"}

    def test_outlives_the_stack_and_can_be_set_back(self) -> None:
        """What people noted is in it."""
        assert RESOURCES["FailureGroupsTable"]["DeletionPolicy"].startswith("Retain")
        assert RESOURCES["FailureGroupsTable"]["UpdateReplacePolicy"] == "Retain"
        assert GROUPS["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


class TestEventsTable:
    def test_finds_what_befell_an_event_in_the_order_of_time(self) -> None:
        assert keys_of(EVENTS["KeySchema"]) == ["event_id", "at"]

    def test_finds_a_groups_events_in_the_order_of_time_without_a_hot_partition(self) -> None:
        (index,) = EVENTS["GlobalSecondaryIndexes"]
        assert index["IndexName"] == "by_group"
        assert keys_of(index["KeySchema"]) == ["spread", "at"]
        assert index["Projection"] == {"ProjectionType": "ALL"}
        assert len({spread("0123456789abcdef", f"order-{number}") for number in range(100)}) > 1

    def test_has_the_types_that_rows_have(self) -> None:
        assert types_of(EVENTS) == {"event_id": "S", "at": "S", "spread": "S"}

    def test_knows_of_a_dead_letter_for_as_long_as_it_can_be_redriven(self) -> None:
        """14 days in a queue, then 14 as a dead letter."""
        assert PARAMETERS["FailedEventDays"]["Default"] >= 28


@pytest.mark.parametrize("table", [GROUPS, EVENTS], ids=["groups", "events"])
def test_what_nobody_needs_any_more_expires(table: dict[str, Any]) -> None:
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


class TestWatchRole:
    ROLE = "WatchRole"

    def test_it_counts_groups_and_deletes_none(self) -> None:
        table = "${FailureGroupsTable.Arn}"
        actions = {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem"}
        allowed = {grant for grant in grants_of(self.ROLE, "dynamodb") if "FailureGroupsTable" in grant.resource}
        assert allowed == {Grant(action, table) for action in actions} | {
            Grant("dynamodb:Query", f"{table}/index/open")
        }

    def test_it_adds_to_what_is_known_of_events_and_does_nothing_else_with_it(self) -> None:
        assert actions_on(self.ROLE, "FailedEventsTable") == {"dynamodb:BatchWriteItem"}

    def test_it_publishes_to_the_alert_topic_which_is_encrypted(self) -> None:
        assert grants_of(self.ROLE, "sns") == {Grant("sns:Publish", "${AlertTopic}")}
        key_of_topic = {Grant(f"kms:{action}", "${AlertKey.Arn}") for action in ("Decrypt", "GenerateDataKey")}
        assert grants_of(self.ROLE, "kms") == key_of_topic

    def test_it_reads_no_log_itself(self) -> None:
        assert not [grant for grant in grants(self.ROLE) if READS_LOGS.match(grant.action)]

    def test_it_reaches_nothing_else(self) -> None:
        services = {grant.service for grant in grants(self.ROLE)}
        assert services == {"dynamodb", "sns", "kms", "sqs", "logs", "ec2"}

    def test_it_makes_network_interfaces_only_where_the_function_runs_in_a_network(self) -> None:
        (conditional,) = [one["Fn::If"] for one in ROLES[self.ROLE]["Policies"] if "Fn::If" in one]
        assert (conditional[0], conditional[2]) == ("HasAlertStoreNetwork", {"Ref": "AWS::NoValue"})
        statements = conditional[1]["PolicyDocument"]["Statement"]
        assert {action for one in statements for action in one["Action"]} == {
            grant.action for grant in grants_of(self.ROLE, "ec2")
        }


class TestNetwork:
    def test_the_watcher_runs_in_a_network_only_where_one_is_named(self) -> None:
        network = {"SubnetIds": {"Ref": "AlertStoreSubnets"}, "SecurityGroupIds": {"Ref": "AlertStoreSecurityGroups"}}
        assert WATCH["VpcConfig"] == {"Fn::If": ["HasAlertStoreNetwork", network, {"Ref": "AWS::NoValue"}]}

    def test_none_is_named_unless_somebody_does(self) -> None:
        subnets = {"Fn::Join": ["", {"Ref": "AlertStoreSubnets"}]}
        assert TEMPLATE["Conditions"]["HasAlertStoreNetwork"] == {"Fn::Not": [{"Fn::Equals": [subnets, ""]}]}
        assert PARAMETERS["AlertStoreSubnets"]["Default"] == ""

    @pytest.mark.parametrize(
        ("address", "is_allowed"),
        [
            ("dynamodb", True),
            ("rediss://cache.example.com:6379/0", True),
            ("redis://10.0.0.1:6379?cluster=true", True),
            ("rediss://user:password@cache.example.com:6379", False),
            ("https://cache.example.com", False),
            ("", False),
        ],
    )
    def test_a_store_is_named_without_a_password(self, address: str, is_allowed: bool) -> None:
        """`backstop env` prints it, and whoever may look at the function reads it."""
        assert (re.fullmatch(PARAMETERS["AlertStore"]["AllowedPattern"], address) is not None) is is_allowed


class TestFollowUp:
    SCHEDULE = RESOURCES["FollowUpSchedule"]["Properties"]

    def test_is_asked_for_each_minute_in_words_that_the_function_knows(self) -> None:
        assert self.SCHEDULE["ScheduleExpression"] == "rate(1 minute)"
        assert self.SCHEDULE["FlexibleTimeWindow"] == {"Mode": "OFF"}
        assert self.SCHEDULE.get("State", "ENABLED") == "ENABLED"
        assert target(self.SCHEDULE["Target"]["Arn"]) == "WatchFunction"
        assert json.loads(self.SCHEDULE["Target"]["Input"]) == {"sweep": True}

    def test_is_not_tried_for_longer_than_until_the_next_one(self) -> None:
        assert self.SCHEDULE["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"] == 60

    def test_its_role_is_the_schedulers_of_this_account_and_invokes_the_watcher_only(self) -> None:
        assert target(self.SCHEDULE["Target"]["RoleArn"]) == "FollowUpRole"
        assert grants("FollowUpRole") == {Grant("lambda:InvokeFunction", "${WatchFunction.Arn}")}
        assert trust("FollowUpRole")["Principal"] == {"Service": "scheduler.amazonaws.com"}
        assert trust("FollowUpRole")["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


@pytest.mark.parametrize(("variable", "parameter", "default"), [(name, *one) for name, one in WATCH_PARAMETERS.items()])
def test_each_number_that_people_tune_reaches_the_watcher(variable: str, parameter: str, default: object) -> None:
    assert VARIABLES[variable] == {"Ref": parameter}
    assert PARAMETERS[parameter]["Default"] == default


def test_a_group_is_told_of_at_least_once_and_at_most_ten_times() -> None:
    assert (PARAMETERS["AlertLimit"]["MinValue"], PARAMETERS["AlertLimit"]["MaxValue"]) == (1, 10)


def test_the_watcher_is_told_where_things_are() -> None:
    where = {name: value["Ref"] for name, value in VARIABLES.items() if name not in WATCH_PARAMETERS}
    assert where == {
        "STACK_NAME": "AWS::StackName",
        "FAILURE_GROUPS_TABLE": "FailureGroupsTable",
        "FAILED_EVENTS_TABLE": "FailedEventsTable",
        "ALERT_TOPIC_ARN": "AlertTopic",
    }
    assert {"STAGE", "RELEASE"} <= GLOBALS["Environment"]["Variables"].keys()
