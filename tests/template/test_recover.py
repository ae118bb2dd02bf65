from __future__ import annotations

import json
from typing import Any

import pytest

from backstop.recovery.mode import Mode
from tests.template.document import (
    ALARMS,
    DAY,
    MAPPINGS,
    PARAMETERS,
    QUEUES,
    RESOURCES,
    ROLES,
    each,
    log_group_of,
    references,
    target,
    walk,
)
from tests.template.permissions import Grant, actions_on, grants, grants_of, statements, trust
from tests.template.recover import INTAKES, MAPPING_ARN, RECOVER, ROLE, SWITCH_ARN, VARIABLES

LOG: dict[str, Any] = RESOURCES["RecoveryLogTable"]["Properties"]
WORKERS = {"ProcessFunction", "ProcessOrderedFunction"}


@each(INTAKES)
class TestIntakes:
    def test_each_is_where_fresh_events_come_in(self, name: str) -> None:
        """Not the retry queue: its messages find out whether a downstream is up again, so they go on."""
        assert target(MAPPINGS[INTAKES[name].mapping]["Queue"]) == name

    def test_each_is_the_mapping_of_the_function_that_is_named(self, name: str) -> None:
        assert INTAKES[name].function in WORKERS
        assert INTAKES[name].mapping == f"{INTAKES[name].function}Events"

    def test_the_normal_concurrency_is_what_a_deployment_sets(self, name: str) -> None:
        """The number stands twice, as the local AWS takes no reference in a mapping; recovery would undo it."""
        assert INTAKES[name].normal == MAPPINGS[INTAKES[name].mapping]["ScalingConfig"]["MaximumConcurrency"]

    def test_its_alarm_rings_where_its_own_events_wait_too_long(self, name: str) -> None:
        alarm = ALARMS[INTAKES[name].age_alarm]
        assert alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
        assert alarm["Threshold"] == {"Ref": "OldestEventSeconds"}
        assert references(alarm["Dimensions"]) == {name}

    def test_a_deployment_resumes_none(self, name: str) -> None:
        """CloudFormation writes what the template says: where it says nothing, a pause stays one."""
        assert "Enabled" not in MAPPINGS[INTAKES[name].mapping]

    def test_there_is_room_to_scale_up(self, name: str) -> None:
        assert PARAMETERS["MaxIntakeConcurrency"]["Default"] > INTAKES[name].normal


class TestFunction:
    def test_logs_where_nobody_is_woken_by_it(self) -> None:
        """What watch tells of goes to the topic, and the topic wakes recovery: its own failures would wake it again."""
        assert log_group_of("RecoverFunction") == "WatchLogs"
        assert not actions_on(ROLE, "PipelineLogs")

    def test_is_not_asked_for_longer_than_until_the_next_minute(self) -> None:
        assert RECOVER["EventInvokeConfig"] == {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60}

    def test_takes_from_no_worker_what_runs_it(self) -> None:
        assert "ReservedConcurrentExecutions" not in RECOVER

    @pytest.mark.parametrize(
        ("variable", "parameter", "default"),
        [
            ("RECOVERY_MODE", "RecoveryMode", "act"),
            ("MAX_INTAKE_CONCURRENCY", "MaxIntakeConcurrency", 20),
            ("MAX_PAUSE_MINUTES", "MaxPauseMinutes", 60),
        ],
    )
    def test_is_told_what_it_may_do(self, variable: str, parameter: str, default: object) -> None:
        assert VARIABLES[variable] == {"Ref": parameter}
        assert PARAMETERS[parameter]["Default"] == default

    def test_knows_what_a_mode_means(self) -> None:
        assert set(PARAMETERS["RecoveryMode"]["AllowedValues"]) == set(Mode)

    def test_may_set_what_lambda_takes(self) -> None:
        """AWS Lambda API, `ScalingConfig`: 2 to 1000."""
        most = PARAMETERS["MaxIntakeConcurrency"]
        assert (most["MinValue"], most["MaxValue"]) == (2, 1000)

    def test_lets_no_pause_last_until_events_are_lost(self) -> None:
        longest = PARAMETERS["MaxPauseMinutes"]["MaxValue"] * 60
        assert longest <= min(QUEUES[name]["MessageRetentionPeriod"] for name in ("EventsQueue", "OrderedQueue")) / 2

    def test_is_told_where_things_are(self) -> None:
        where = {name: value["Ref"] for name, value in VARIABLES.items() if "Ref" in value}
        assert where == {
            "STACK_NAME": "AWS::StackName",
            "CIRCUITS_TABLE": "CircuitsTable",
            "RECOVERY_LOG_TABLE": "RecoveryLogTable",
            "RECOVERY_MODE": "RecoveryMode",
            "MAX_INTAKE_CONCURRENCY": "MaxIntakeConcurrency",
            "MAX_PAUSE_MINUTES": "MaxPauseMinutes",
            "ALERT_TOPIC_ARN": "AlertTopic",
        }


class TestRole:
    def test_pauses_and_scales_the_intakes_and_no_other_mapping(self) -> None:
        mappings = {MAPPING_ARN % intake.mapping for intake in INTAKES.values()}
        at_local = {"lambda:ListEventSourceMappings"}
        actions = {"lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping"} | at_local
        found = {grant for grant in grants_of(ROLE, "lambda") if "EventSourceMapping" in grant.action}
        assert found == {Grant(action, mapping) for action in actions for mapping in mappings}

    def test_hands_no_queue_to_another_function(self) -> None:
        """Where a call names no function there may be nothing to compare: then the mapping's own stays."""
        (update,) = [one for one in statements(ROLE) if one["Action"] == "lambda:UpdateEventSourceMapping"]
        (test,) = update["Condition"]
        assert test == "StringEqualsIfExists"
        assert {target(one) for one in update["Condition"][test]["lambda:FunctionArn"]} == WORKERS

    def test_restarts_the_workers_and_no_other_function(self) -> None:
        actions = {"lambda:GetFunctionConfiguration", "lambda:UpdateFunctionConfiguration"}
        found = {grant for grant in grants_of(ROLE, "lambda") if "EventSourceMapping" not in grant.action}
        assert found == {Grant(action, f"${{{worker}.Arn}}") for action in actions for worker in WORKERS}

    def test_turns_this_stacks_switch_and_no_other_parameter(self) -> None:
        at_local = {Grant("ssm:GetParameters", "*")}
        turning = {Grant(f"ssm:{action}", SWITCH_ARN) for action in ("GetParameters", "PutParameter")}
        assert grants_of(ROLE, "ssm") - at_local == turning

    def test_sees_circuits_and_removes_none(self) -> None:
        reading, writing = {"Scan", "GetItem"}, {"PutItem", "UpdateItem"}
        assert actions_on(ROLE, "CircuitsTable") == {f"dynamodb:{action}" for action in reading | writing}

    def test_writes_down_what_it_did_and_takes_nothing_back(self) -> None:
        at_local = {"dynamodb:TransactWriteItems"}
        assert actions_on(ROLE, "RecoveryLogTable") - at_local == {"dynamodb:GetItem", "dynamodb:PutItem"}

    def test_tells_people_on_the_topic_which_is_encrypted(self) -> None:
        assert grants_of(ROLE, "sns") == {Grant("sns:Publish", "${AlertTopic}")}
        key_of_topic = {Grant(f"kms:{action}", "${AlertKey.Arn}") for action in ("Decrypt", "GenerateDataKey")}
        assert grants_of(ROLE, "kms") == key_of_topic

    def test_reaches_nothing_else(self) -> None:
        """No queue and no event: it stops what takes them, and never takes one itself."""
        services = {grant.service for grant in grants(ROLE)}
        assert services == {"lambda", "cloudwatch", "ssm", "dynamodb", "sns", "kms", "logs"}

    def test_what_only_the_local_aws_asks_for_is_given_there_only(self) -> None:
        """AWS authorises each change in a transaction by its own name, and knows what each call is about."""
        policies = [one["PolicyDocument"] for one in ROLES[ROLE]["Policies"] if "PolicyDocument" in one]
        texts = [text for text in walk(policies) if isinstance(text, str)]
        assert not {"*", "dynamodb:TransactWriteItems", "lambda:ListEventSourceMappings"} & set(texts)


class TestWaking:
    SCHEDULE = RESOURCES["ReconcileSchedule"]["Properties"]

    def test_whatever_people_are_told_wakes_it(self) -> None:
        subscription = RESOURCES["RecoverSubscription"]["Properties"]
        assert (subscription["Protocol"], target(subscription["TopicArn"])) == ("lambda", "AlertTopic")
        assert target(subscription["Endpoint"]) == "RecoverFunction"
        assert "FilterPolicy" not in subscription

    def test_only_the_topic_may_wake_it_so(self) -> None:
        permission = RESOURCES["RecoverPermission"]["Properties"]
        assert (permission["Principal"], permission["Action"]) == ("sns.amazonaws.com", "lambda:InvokeFunction")
        assert target(permission["SourceArn"]) == "AlertTopic"
        assert target(permission["FunctionName"]) == "RecoverFunction"

    def test_it_looks_each_minute_whatever_the_parameters_say(self) -> None:
        """It undoes what it did also where its mode is off: nothing stays paused because nobody looks."""
        assert self.SCHEDULE["ScheduleExpression"] == "rate(1 minute)"
        assert self.SCHEDULE["FlexibleTimeWindow"] == {"Mode": "OFF"}
        assert self.SCHEDULE.get("State", "ENABLED") == "ENABLED"
        assert target(self.SCHEDULE["Target"]["Arn"]) == "RecoverFunction"
        assert json.loads(self.SCHEDULE["Target"]["Input"]) == {"reconcile": True}
        always = ("RecoverFunction", "RecoverRole", "RecoverSubscription", "RecoverPermission", "ReconcileSchedule")
        assert not [name for name in always if "Condition" in RESOURCES[name]]

    def test_its_schedules_role_invokes_it_and_does_nothing_else(self) -> None:
        assert target(self.SCHEDULE["Target"]["RoleArn"]) == "ReconcileRole"
        assert grants("ReconcileRole") == {Grant("lambda:InvokeFunction", "${RecoverFunction.Arn}")}
        assert trust("ReconcileRole")["Principal"] == {"Service": "scheduler.amazonaws.com"}
        assert trust("ReconcileRole")["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}

    def test_no_worker_waits_for_it(self) -> None:
        """A failure of recovery never stops or slows the workers: they know nothing of it."""
        known = references([RESOURCES[name] for name in (*WORKERS, "ProcessRole", "ProcessOrderedRole")])
        assert not {name for name in known if name.startswith("Recover")} - {"RecoveryMode"}


class TestLog:
    def test_is_keyed_by_what_a_line_is_of_and_when(self) -> None:
        keys = [(one["AttributeName"], one["KeyType"]) for one in LOG["KeySchema"]]
        assert keys == [("of", "HASH"), ("at", "RANGE")]
        assert {one["AttributeType"] for one in LOG["AttributeDefinitions"]} == {"S"}

    def test_outlives_the_stack_and_can_be_set_back(self) -> None:
        assert RESOURCES["RecoveryLogTable"]["DeletionPolicy"].startswith("Retain")
        assert RESOURCES["RecoveryLogTable"]["UpdateReplacePolicy"] == "Retain"
        assert LOG["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}

    def test_forgets_lines_that_are_old(self) -> None:
        assert LOG["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
        assert LOG["BillingMode"] == "PAY_PER_REQUEST"


class TestAlarms:
    @pytest.mark.parametrize(
        ("name", "queue"), [("EventsExpiringAlarm", "EventsQueue"), ("OrderedEventsExpiringAlarm", "OrderedQueue")]
    )
    def test_events_that_reach_half_of_their_retention_are_told_of(self, name: str, queue: str) -> None:
        alarm = ALARMS[name]
        assert references(alarm["Dimensions"]) == {queue}
        assert alarm["Threshold"] * 2 == QUEUES[queue]["MessageRetentionPeriod"] == 14 * DAY

    def test_that_nobody_looks_is_told_of_within_five_minutes(self) -> None:
        """Each look counts the intakes that are paused: where there is no count, nobody resumes them."""
        alarm = ALARMS["RecoverSilenceAlarm"]
        assert (alarm["MetricName"], alarm["Statistic"]) == ("IntakesPaused", "SampleCount")
        assert (alarm["TreatMissingData"], alarm["InsufficientDataActions"]) == ("missing", [{"Ref": "AlertTopic"}])
        assert alarm["Period"] * alarm["EvaluationPeriods"] == 5 * 60

    @pytest.mark.parametrize(
        ("name", "command"),
        [
            ("EventsExpiringAlarm", "`backstop resume events`"),
            ("OrderedEventsExpiringAlarm", "`backstop resume ordered`"),
            ("RecoverErrorsAlarm", "`backstop circuits`"),
            ("RecoverSilenceAlarm", "`backstop resume`"),
        ],
    )
    def test_what_to_type_is_said(self, name: str, command: str) -> None:
        description = ALARMS[name]["AlarmDescription"]
        assert "`backstop recovery`" in description
        assert command in description

    @each(["OldestEventAlarm", "OldestOrderedEventAlarm", "RetryBacklogAlarm"])
    def test_those_that_an_outage_rings_say_where_to_look(self, name: str) -> None:
        assert "`backstop circuits`" in ALARMS[name]["AlarmDescription"]
