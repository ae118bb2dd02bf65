"""The template as data: what must hold of each queue, function, role and alarm, those to come included."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from backstop.process import TIRED
from backstop.settings import ProcessSettings
from tests.backstop.test_settings import ENVIRONMENT

ROOT = Path(__file__).parents[1]
TEMPLATE: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
OUTPUTS: dict[str, dict[str, Any]] = TEMPLATE["Outputs"]
GLOBALS: dict[str, Any] = TEMPLATE["Globals"]["Function"]
DAY = 24 * 60 * 60


def properties_of(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the resources of a type, by name."""
    return {name: one.get("Properties", {}) for name, one in RESOURCES.items() if one["Type"] == kind}


QUEUES = properties_of("AWS::SQS::Queue")
FUNCTIONS = properties_of("AWS::Serverless::Function")
ROLES = properties_of("AWS::IAM::Role")
ALARMS = properties_of("AWS::CloudWatch::Alarm")
DEAD_LETTER_QUEUES = {
    queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
    for queue in QUEUES.values()
    if "RedrivePolicy" in queue
}
SOURCES = {
    f"{name}.{event}": (function, source["Properties"])
    for name, function in FUNCTIONS.items()
    for event, source in function.get("Events", {}).items()
    if source["Type"] == "SQS"
}


def each(resources: dict[str, Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", resources)


def target(reference: Any) -> str:
    """Return the name of what `!Ref` or `!GetAtt` refers to."""
    if "Ref" in reference:
        return str(reference["Ref"])
    return str(reference["Fn::GetAtt"][0])


def walk(node: Any) -> Iterator[Any]:
    yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from walk(child)


def placeholders(text: str) -> set[str]:
    return {name for name in re.findall(r"\$\{([^}!]+)\}", text) if not name.startswith("AWS::")}


def references(node: Any) -> set[str]:
    """Return the names that `!Ref`, `!GetAtt` and `!Sub` use below a node, pseudo parameters left out."""
    found: set[str] = set()
    for one in walk(node):
        match one:
            case {"Ref": str(name)}:
                found.add(name)
            case {"Fn::GetAtt": [str(name), *_]}:
                found.add(name)
            case {"Fn::Sub": str(text)}:
                found |= {name.partition(".")[0] for name in placeholders(text)}
            case _:
                pass
    return {name for name in found if not name.startswith("AWS::")}


def row_of(reference: Any, column: str) -> bool:
    """Say whether a value is the column of the row of Timing that the parameter names."""
    return bool(reference == {"Fn::FindInMap": ["Timing", {"Ref": "Timing"}, column]})


def test_resources_stand_in_the_order_in_which_an_event_flows() -> None:
    flow = [
        "EventsQueue",
        "RetryQueue",
        "DeadLetterQueue",
        "IdempotencyTable",
        "CatalogTable",
        "OrdersTable",
        "BackstopLayer",
        "ProcessFunction",
        "PipelineLogs",
        "AlertTopic",
        "DeadLettersAlarm",
        "Dashboard",
    ]
    assert [name for name in RESOURCES if name in flow] == flow


def test_whatever_is_referred_to_is_there() -> None:
    assert references([RESOURCES, OUTPUTS, TEMPLATE["Conditions"], GLOBALS]) <= RESOURCES.keys() | PARAMETERS.keys()


class TestParameters:
    @each(PARAMETERS)
    def test_each_says_what_it_is_and_what_it_may_be(self, name: str) -> None:
        parameter = PARAMETERS[name]
        assert len(parameter["Description"]) > 20
        assert {"AllowedValues", "AllowedPattern", "MinValue"} & parameter.keys()
        assert parameter["Type"] != "Number" or "Default" in parameter

    @each({name: one for name, one in PARAMETERS.items() if "AllowedPattern" in one})
    def test_a_default_fits_its_pattern_and_a_pattern_is_whole(self, name: str) -> None:
        parameter = PARAMETERS[name]
        assert re.fullmatch(parameter["AllowedPattern"], str(parameter["Default"]))
        assert all(part.startswith("^") or part == "^$" for part in parameter["AllowedPattern"].split("|"))
        assert "ConstraintDescription" in parameter

    def test_each_is_used_and_stands_in_a_group(self) -> None:
        groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        assert sorted(name for group in groups for name in group["Parameters"]) == sorted(PARAMETERS)
        assert references([RESOURCES, OUTPUTS, TEMPLATE["Conditions"], GLOBALS]) >= PARAMETERS.keys()

    def test_drills_are_not_allowed_unless_somebody_says_so(self) -> None:
        assert PARAMETERS["AllowDrill"]["Default"] == "false"


class TestQueues:
    @each(QUEUES)
    def test_each_is_encrypted_and_keeps_messages_for_14_days(self, name: str) -> None:
        assert QUEUES[name]["SqsManagedSseEnabled"] is True
        assert QUEUES[name]["MessageRetentionPeriod"] == 14 * DAY

    @each(QUEUES)
    def test_each_has_a_net_below_it_or_is_the_net(self, name: str) -> None:
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

    @each({name: one for name, one in RESOURCES.items() if name in DEAD_LETTER_QUEUES})
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


def statements(role: str) -> list[dict[str, Any]]:
    return [one for one in walk(ROLES[role]["Policies"]) if isinstance(one, dict) and "Action" in one]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions_on(role: str, resource: str) -> set[str]:
    return {
        action
        for statement in statements(role)
        for action in as_list(statement["Action"])
        if resource in references(statement["Resource"])
    }


class TestRoles:
    @each(FUNCTIONS)
    def test_each_function_has_one_of_ours(self, name: str) -> None:
        assert target(FUNCTIONS[name]["Role"]) in ROLES
        assert "Policies" not in FUNCTIONS[name]

    @each(ROLES)
    def test_none_names_a_wildcard(self, name: str) -> None:
        for statement in statements(name):
            texts = [one for part in ("Action", "Resource") for one in walk(statement[part]) if isinstance(one, str)]
            assert not [text for text in texts if "*" in text]
            assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}

    @each(ROLES)
    def test_none_takes_a_policy_that_aws_wrote(self, name: str) -> None:
        """AWSLambdaSQSQueueExecutionRole, say, may read every queue of the account."""
        assert "ManagedPolicyArns" not in ROLES[name]

    @each(ROLES)
    def test_each_is_for_one_service_of_aws(self, name: str) -> None:
        (statement,) = ROLES[name]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"].keys() == {"Service"}
        assert isinstance(statement["Principal"]["Service"], str)

    def test_the_worker_sends_dead_letters_and_does_nothing_else_with_them(self) -> None:
        assert actions_on("ProcessRole", "DeadLetterQueue") <= {"sqs:SendMessage", "sqs:SendMessageBatch"}

    def test_the_worker_sends_nothing_to_where_events_come_in(self) -> None:
        assert not {action for action in actions_on("ProcessRole", "EventsQueue") if "Send" in action}

    def test_what_only_the_local_aws_knows_is_not_asked_of_aws(self) -> None:
        """AWS knows no permission for batch calls: it asks for the call's own."""
        policies = [one["PolicyDocument"] for one in ROLES["ProcessRole"]["Policies"] if "PolicyDocument" in one]
        assert not [text for text in walk(policies) if isinstance(text, str) and text.endswith("Batch")]


class TestFunctions:
    @each(FUNCTIONS)
    def test_each_has_a_folder_a_description_and_an_event(self, name: str) -> None:
        folder = ROOT / FUNCTIONS[name]["CodeUri"]
        assert (folder / "app.py").is_file()
        assert FUNCTIONS[name]["Description"]

    def test_all_write_to_a_log_that_ends(self) -> None:
        assert GLOBALS["LoggingConfig"]["LogGroup"] == {"Ref": "PipelineLogs"}
        assert not [name for name, function in FUNCTIONS.items() if "LoggingConfig" in function]

    def test_metrics_are_not_dropped_for_their_level(self) -> None:
        logging = GLOBALS["LoggingConfig"]
        assert (logging["LogFormat"], logging["ApplicationLogLevel"]) == ("JSON", "INFO")

    @each(properties_of("AWS::Logs::LogGroup"))
    def test_each_log_group_has_a_retention(self, name: str) -> None:
        assert RESOURCES[name]["Properties"]["RetentionInDays"]


class Asked(dict[str, str]):
    """An environment that remembers which variables it was asked for."""

    def __init__(self, variables: dict[str, str]) -> None:
        super().__init__(variables)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def read_by_process() -> set[str]:
    """Return the names of the variables that the settings and the sample handler read."""
    environment = Asked(ENVIRONMENT)
    ProcessSettings.from_environment(environment)
    handler = ast.parse((ROOT / "functions/process/handler.py").read_text())
    own = {
        node.slice.value
        for node in ast.walk(handler)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ"
        if isinstance(node.slice, ast.Constant)
    }
    return environment.names | {str(name) for name in own}


def test_a_function_is_given_what_it_reads_and_nothing_else() -> None:
    given = FUNCTIONS["ProcessFunction"]["Environment"]["Variables"] | GLOBALS["Environment"]["Variables"]
    by_lambda = {"AWS_LAMBDA_FUNCTION_NAME", "LAMBDA_TASK_ROOT"}
    assert given.keys() == read_by_process() - by_lambda


def test_the_queues_that_are_read_are_those_that_the_settings_name() -> None:
    variables = FUNCTIONS["ProcessFunction"]["Environment"]["Variables"]
    sources = {target(source["Queue"]) for name, (_, source) in SOURCES.items() if name.startswith("ProcessFunction.")}
    assert placeholders(variables["SOURCE_QUEUE_URLS"]["Fn::Sub"]) == sources


ALARMING = {
    "dead letters": ("DeadLetterQueue", "ApproximateNumberOfMessagesVisible", 0),
    "dead letters of 10 days": ("DeadLetterQueue", "ApproximateAgeOfOldestMessage", 10 * DAY),
    "oldest event": ("EventsQueue", "ApproximateAgeOfOldestMessage", {"Ref": "OldestEventSeconds"}),
    "retry backlog": ("RetryQueue", "ApproximateNumberOfMessagesDelayed", {"Ref": "RetryBacklog"}),
} | {
    f"{metric.lower()} of {function}": (function, metric, 0)
    for function in FUNCTIONS
    for metric in ("Errors", "Throttles")
}


class TestAlarms:
    @each(ALARMS)
    def test_each_tells_people_what_is_wrong_and_when_it_is_over(self, name: str) -> None:
        alarm = ALARMS[name]
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlertTopic"}]
        assert alarm.get("ActionsEnabled", True) is True
        assert len(alarm["AlarmDescription"]) > 40

    @each(ALARMS)
    def test_each_says_what_silence_means(self, name: str) -> None:
        assert ALARMS[name]["TreatMissingData"] in {"notBreaching", "breaching", "ignore", "missing"}

    @pytest.mark.parametrize(("resource", "metric", "threshold"), ALARMING.values(), ids=ALARMING)
    def test_there_is_one_for(self, resource: str, metric: str, threshold: Any) -> None:
        (alarm,) = [
            alarm
            for alarm in ALARMS.values()
            if alarm["MetricName"] == metric and resource in references(alarm["Dimensions"])
        ]
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (threshold, "GreaterThanThreshold")
        assert alarm["Statistic"] == ("Sum" if resource in FUNCTIONS else "Maximum")

    @each(ALARMS)
    def test_each_looks_at_what_its_service_measures(self, name: str) -> None:
        (dimension,) = ALARMS[name]["Dimensions"]
        kind = {"QueueName": "AWS/SQS", "FunctionName": "AWS/Lambda"}[dimension["Name"]]
        assert ALARMS[name]["Namespace"] == kind
        attribute = dimension["Value"].get("Fn::GetAtt", [None, "Name"])[1]
        assert attribute == ("QueueName" if kind == "AWS/SQS" else "Name")  # an URL or ARN would measure nothing


class TestAlertTopic:
    KEY = RESOURCES["AlertKey"]["Properties"]["KeyPolicy"]["Statement"]

    def test_it_is_encrypted_with_a_key_of_ours(self) -> None:
        assert RESOURCES["AlertTopic"]["Properties"]["KmsMasterKeyId"] == {"Ref": "AlertKey"}
        assert RESOURCES["AlertKey"]["Properties"]["EnableKeyRotation"] is True

    def test_the_key_admits_alarms_of_this_account(self) -> None:
        (alarms,) = [one for one in self.KEY if one["Principal"] == {"Service": "cloudwatch.amazonaws.com"}]
        assert alarms["Effect"] == "Allow"
        assert {"kms:Decrypt", "kms:GenerateDataKey"} <= set(alarms["Action"])
        assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}

    def test_no_action_on_the_key_is_a_wildcard(self) -> None:
        assert not [action for one in self.KEY for action in as_list(one["Action"]) if "*" in action]

    def test_the_topic_admits_alarms_of_this_account(self) -> None:
        (statement,) = RESOURCES["AlertTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert statement["Action"] == "sns:Publish"
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


class TestDashboard:
    BODY = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]

    def test_it_is_json(self) -> None:
        assert json.loads(re.sub(r"\$\{[^}]+\}", "x", self.BODY))["widgets"]

    def test_it_names_only_what_is_there(self) -> None:
        names = {name.partition(".")[0] for name in placeholders(self.BODY)}
        assert names <= RESOURCES.keys()

    def test_it_shows_all_alarms(self) -> None:
        shown = {name.removesuffix(".Arn") for name in placeholders(self.BODY) if name.endswith("Alarm.Arn")}
        assert shown == ALARMS.keys()

    def test_it_looks_for_our_own_metrics_by_their_dimensions(self) -> None:
        searches = re.findall(r"SEARCH\('\{DataPipeline/Errors,([^}]+)\}", self.BODY)
        assert sorted(searches) == ["ErrorType", "Function,Verdict"]


class TestOutputs:
    @each(OUTPUTS)
    def test_each_is_described_and_named_after_its_resource(self, name: str) -> None:
        assert OUTPUTS[name]["Description"]
        (of,) = references(OUTPUTS[name]["Value"])
        assert name in {of + suffix for suffix in ("Url", "Name", "Arn")} or of in PARAMETERS

    def test_operators_find_all_queues_tables_functions_and_logs(self) -> None:
        kinds = ("AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::Serverless::Function", "AWS::Logs::LogGroup")
        told = {name for output in OUTPUTS.values() for name in references(output)}
        assert told >= {name for name, resource in RESOURCES.items() if resource["Type"] in kinds}


class TestSamConfig:
    CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())

    @pytest.mark.parametrize("environment", ["default", "local"])
    def test_there_is_a_stage_to_deploy_to(self, environment: str) -> None:
        deploy = self.CONFIG[environment]["deploy"]["parameters"]
        assert deploy["stack_name"] == "backstop"
        assert deploy["capabilities"] == "CAPABILITY_IAM"

    def test_people_look_at_changes_before_they_are_made(self) -> None:
        assert self.CONFIG["default"]["deploy"]["parameters"]["confirm_changeset"] is True

    def test_only_the_local_stage_allows_drills_and_its_values_are_allowed(self) -> None:
        overrides = self.CONFIG["local"]["deploy"]["parameters"]["parameter_overrides"]
        values = dict(pair.split("=") for pair in overrides.split())
        assert values["AllowDrill"] == "true"
        assert "parameter_overrides" not in self.CONFIG["default"]["deploy"]["parameters"]
        for name, value in values.items():
            assert value in PARAMETERS[name].get("AllowedValues", [value])
            assert re.fullmatch(PARAMETERS[name].get("AllowedPattern", ".*"), value)
