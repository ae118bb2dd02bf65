from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from backstop.aws.parked_record import PREFIX as PARKED
from backstop.aws.rescued import PREFIX as RESCUED
from backstop.drain import LEASE_SLACK
from tests.template.document import (
    DAY,
    FUNCTIONS,
    PARAMETERS,
    QUEUES,
    RESOURCES,
    ROOT,
    TEMPLATE,
    each,
    names_in,
    target,
    text_of,
)
from tests.template.permissions import Grant, actions_on, grants, grants_of, statements, trust

FUNCTION: dict[str, Any] = FUNCTIONS["RedriveFunction"]
VARIABLES: dict[str, Any] = FUNCTION["Environment"]["Variables"]
TABLE: dict[str, Any] = RESOURCES["RedriveTable"]["Properties"]
TIMING: dict[str, dict[str, Any]] = TEMPLATE["Mappings"]["Timing"]
ROLE = "RedriveRole"


class TestTable:
    def test_has_the_parts_of_a_job_together(self) -> None:
        assert [(one["AttributeName"], one["KeyType"]) for one in TABLE["KeySchema"]] == [
            ("job", "HASH"),
            ("part", "RANGE"),
        ]
        assert {one["AttributeType"] for one in TABLE["AttributeDefinitions"]} == {"S"}

    def test_outlives_the_stack_and_can_be_set_back(self) -> None:
        """Without it, a job that was interrupted would send again what it had sent."""
        assert RESOURCES["RedriveTable"]["DeletionPolicy"].startswith("Retain")
        assert RESOURCES["RedriveTable"]["UpdateReplacePolicy"] == "Retain"
        assert TABLE["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}

    def test_forgets_what_nobody_needs_any_more(self) -> None:
        assert TABLE["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
        assert TABLE["BillingMode"] == "PAY_PER_REQUEST"


class TestFunction:
    def test_reads_both_queues_of_dead_letters(self) -> None:
        dead = {
            target(one["RedrivePolicy"]["deadLetterTargetArn"]) for one in QUEUES.values() if "RedrivePolicy" in one
        }
        assert names_in(text_of(VARIABLES["DEAD_LETTER_QUEUE_URLS"])) == dead

    def test_knows_every_queue_that_a_letter_may_have_come_from(self) -> None:
        sources = {name for name, one in QUEUES.items() if "RedrivePolicy" in one}
        assert names_in(text_of(VARIABLES["SOURCE_QUEUE_URLS"])) == sources
        assert VARIABLES["DEFAULT_QUEUE_URL"] == {"Ref": "EventsQueue"}

    def test_is_told_where_things_are(self) -> None:
        where = {name: value["Ref"] for name, value in VARIABLES.items() if "Ref" in value}
        assert where == {
            "REDRIVE_TABLE": "RedriveTable",
            "CIRCUITS_TABLE": "CircuitsTable",
            "FAILED_EVENTS_TABLE": "FailedEventsTable",
            "FAILURE_GROUPS_TABLE": "FailureGroupsTable",
            "PARKED_TABLE": "ParkedTable",
            "DATA_BUCKET": "DataBucket",
            "DRAIN_QUEUE_URL": "DrainQueue",
            "DEFAULT_QUEUE_URL": "EventsQueue",
            "MAX_PARKED_EVENTS": "MaxParkedEvents",
        }

    @each(TIMING)
    def test_watches_a_canary_for_longer_than_a_batch_may_take(self, name: str) -> None:
        """A letter that fails again in the last moment would else not be counted."""
        assert VARIABLES["CANARY_WATCH_SECONDS"] == {
            "Fn::FindInMap": ["Timing", {"Ref": "Timing"}, "CanaryWatchSeconds"]
        }
        assert int(TIMING[name]["CanaryWatchSeconds"]) > TIMING[name]["FunctionSeconds"]

    @each(TIMING)
    def test_is_given_no_number_among_its_variables(self, name: str) -> None:
        """The local AWS starts no function with one."""
        assert isinstance(TIMING[name]["CanaryWatchSeconds"], str)
        assert isinstance(TIMING[name]["InHandSeconds"], str)

    @each(TIMING)
    def test_lets_what_a_worker_has_in_hand_end_first(self, name: str) -> None:
        assert VARIABLES["IN_HAND_SECONDS"] == {"Fn::FindInMap": ["Timing", {"Ref": "Timing"}, "InHandSeconds"]}
        assert timedelta(seconds=int(TIMING[name]["InHandSeconds"])) >= (
            timedelta(seconds=TIMING[name]["FunctionSeconds"]) + LEASE_SLACK
        )

    def test_rescues_days_before_a_letter_is_deleted(self) -> None:
        left = QUEUES["DeadLetterQueue"]["MessageRetentionPeriod"] - int(VARIABLES["RESCUE_AFTER_DAYS"]) * DAY
        assert left >= 2 * DAY

    def test_takes_from_no_worker_what_runs_it(self) -> None:
        assert "ReservedConcurrentExecutions" not in FUNCTION

    def test_the_sample_asks_for_a_turn(self) -> None:
        asked = json.loads((ROOT / "events" / "redrive.json").read_text())
        assert asked.keys() == {"job"}


class TestRole:
    def test_takes_dead_letters_and_sends_none(self) -> None:
        taking = {"ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes"}
        at_local = {"DeleteMessageBatch", "ChangeMessageVisibilityBatch"}
        for queue in ("DeadLetterQueue", "OrderedDeadLetterQueue"):
            assert actions_on(ROLE, queue) == {f"sqs:{action}" for action in taking | at_local}

    @each(["EventsQueue", "RetryQueue", "DrainQueue"])
    def test_sends_to_where_letters_came_from_and_reads_nothing_there(self, name: str) -> None:
        assert actions_on(ROLE, name) == {"sqs:SendMessage", "sqs:SendMessageBatch"}

    def test_sends_nothing_to_where_ordered_events_come_in(self) -> None:
        """It would stand behind newer events of its key: it is put into its place instead."""
        assert not actions_on(ROLE, "OrderedQueue")
        parking = {f"dynamodb:{action}" for action in ("GetItem", "PutItem", "UpdateItem", "TransactWriteItems")}
        assert actions_on(ROLE, "ParkedTable") == parking

    def test_asks_what_failed_and_changes_nothing_of_it(self) -> None:
        assert actions_on(ROLE, "FailedEventsTable") == {"dynamodb:Query"}
        assert actions_on(ROLE, "FailureGroupsTable") == {"dynamodb:BatchGetItem"}

    def test_sees_all_circuits_and_changes_none(self) -> None:
        assert actions_on(ROLE, "CircuitsTable") == {"dynamodb:Scan"}

    def test_scans_no_other_table_and_does_not_decide_which_events_are_done(self) -> None:
        scanned = {grant.resource for grant in grants(ROLE) if grant.action == "dynamodb:Scan"}
        assert scanned == {"${CircuitsTable.Arn}"}
        assert Grant("dynamodb:Query", "${RedriveTable.Arn}/index/jobs") in grants(ROLE)
        assert not actions_on(ROLE, "IdempotencyTable")

    def test_keeps_letters_and_large_events_in_their_folders_and_reaches_no_other(self) -> None:
        bucket = "${DataBucket.Arn}"
        writing = {"s3:PutObject", "s3:DeleteObject"}
        assert grants_of(ROLE, "s3") == {
            Grant("s3:ListBucket", bucket),
            Grant("s3:GetObject", f"{bucket}/{RESCUED}*"),
        } | {Grant(action, f"{bucket}/{folder}*") for action in writing for folder in (RESCUED, PARKED)}
        (listing,) = [one for one in statements(ROLE) if one["Action"] == "s3:ListBucket"]
        assert listing["Condition"] == {"StringLike": {"s3:prefix": f"{RESCUED}*"}}


@pytest.mark.parametrize(
    ("schedule", "rate", "asked"),
    [("AutoRedriveSchedule", "rate(15 minutes)", {"auto": True}), ("RescueSchedule", "rate(1 hour)", {"rescue": True})],
)
def test_it_is_asked_for_in_time(schedule: str, rate: str, asked: dict[str, bool]) -> None:
    properties = RESOURCES[schedule]["Properties"]
    assert (properties["ScheduleExpression"], properties["FlexibleTimeWindow"]) == (rate, {"Mode": "OFF"})
    assert properties.get("State", "ENABLED") == "ENABLED"
    assert json.loads(properties["Target"]["Input"]) == asked


@pytest.mark.parametrize(
    ("schedule", "asks", "grant"),
    [
        ("AutoRedriveSchedule", "RedriveStateMachine", Grant("states:StartExecution", "${RedriveStateMachine}")),
        ("RescueSchedule", "RedriveFunction", Grant("lambda:InvokeFunction", "${RedriveFunction.Arn}")),
    ],
)
def test_who_asks_may_do_nothing_else(schedule: str, asks: str, grant: Grant) -> None:
    properties = RESOURCES[schedule]["Properties"]["Target"]
    role = target(properties["RoleArn"])
    assert target(properties["Arn"]) == asks
    assert grants(role) == {grant}
    assert trust(role)["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust(role)["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_no_dead_letter_goes_back_by_itself_unless_somebody_says_so() -> None:
    assert PARAMETERS["AutoRedrive"]["Default"] == "false"
    assert TEMPLATE["Conditions"]["RedrivesByItself"] == {"Fn::Equals": [{"Ref": "AutoRedrive"}, "true"]}
    for name in ("AutoRedriveSchedule", "AutoRedriveRole"):
        assert RESOURCES[name]["Condition"] == "RedrivesByItself"


def test_letters_are_rescued_whatever_the_parameters_say() -> None:
    assert "Condition" not in RESOURCES["RescueSchedule"]
