from __future__ import annotations

import re

import pytest

from tests.template.document import BUCKETS, FUNCTIONS, ROLES, each, log_group_of, target, walk
from tests.template.permissions import Grant, actions_on, grants, grants_of, statements, trust

WILDCARD = re.compile(r"[*?]")
BELOW_A_FOLDER = re.compile(r"\$\{(\w+)\.Arn\}/[a-z]+/\*")

OF_NETWORKS = {
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
}
"""AWS Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC": on "*", and no less."""


OF_LOG_DELIVERY = {
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
}
"""AWS Step Functions Developer Guide, "Using CloudWatch Logs to log execution history": on "*", and no less."""


OF_ALARMS = {
    Grant("cloudwatch:DescribeAlarms", "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:*")
}
"""CloudWatch asks for it on all of an account's alarms, whichever are named in the call."""


AT_LOCAL = {Grant("cloudwatch:DescribeAlarms", "*"), Grant("ssm:GetParameters", "*")}
"""The local AWS asks on no resource at all for what names several things (see test_recover.py)."""


def is_below_a_folder(resource: str) -> bool:
    """Say whether a resource is all of a bucket's folder: objects to come can be named in no other way."""
    found = BELOW_A_FOLDER.fullmatch(resource)
    return found is not None and found[1] in BUCKETS


@each(FUNCTIONS)
def test_each_function_has_one_of_ours_which_only_lambda_may_take(name: str) -> None:
    role = target(FUNCTIONS[name]["Role"])
    assert "Policies" not in FUNCTIONS[name]
    assert trust(role)["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_each_function_has_one_of_its_own() -> None:
    roles = [target(function["Role"]) for function in FUNCTIONS.values()]
    assert len(roles) == len(set(roles))


@each(FUNCTIONS)
def test_each_function_may_write_its_log_and_no_other(name: str) -> None:
    log = f"${{{log_group_of(name)}.Arn}}"
    assert grants_of(target(FUNCTIONS[name]["Role"]), "logs") == {
        Grant("logs:CreateLogStream", log),
        Grant("logs:PutLogEvents", log),
    }


@each(ROLES)
def test_no_action_is_a_wildcard(name: str) -> None:
    assert not [grant for grant in grants(name) if WILDCARD.search(grant.action)]


@each(ROLES)
def test_no_resource_is_a_wildcard_but_a_folder_of_a_bucket_and_what_aws_offers_no_other_for(name: str) -> None:
    wild = {grant for grant in grants(name) if WILDCARD.search(grant.resource)}
    known = {Grant(action, "*") for action in OF_NETWORKS | OF_LOG_DELIVERY} | OF_ALARMS | AT_LOCAL
    assert not [grant for grant in wild - known if not is_below_a_folder(grant.resource)]


@each(ROLES)
def test_each_names_what_it_allows_and_not_what_it_leaves_out(name: str) -> None:
    """`NotAction` and `NotResource` are wildcards by another name."""
    assert statements(name)
    for statement in statements(name):
        assert {"Effect", "Action", "Resource"} <= statement.keys()
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}


@each(ROLES)
def test_none_takes_a_policy_that_aws_wrote(name: str) -> None:
    """AWSLambdaSQSQueueExecutionRole, say, may read every queue of the account."""
    assert "ManagedPolicyArns" not in ROLES[name]


@each(ROLES)
def test_each_is_for_one_service_of_aws(name: str) -> None:
    principal = trust(name)["Principal"]
    assert principal.keys() == {"Service"}
    assert isinstance(principal["Service"], str)


@pytest.mark.parametrize("worker", ["ProcessRole", "ProcessOrderedRole"])
def test_a_worker_sends_dead_letters_and_does_nothing_else_with_them(worker: str) -> None:
    assert actions_on(worker, "DeadLetterQueue") <= {"sqs:SendMessage", "sqs:SendMessageBatch"}


@pytest.mark.parametrize(("worker", "queue"), [("ProcessRole", "EventsQueue"), ("ProcessOrderedRole", "OrderedQueue")])
def test_a_worker_sends_nothing_to_where_events_come_in(worker: str, queue: str) -> None:
    assert not {action for action in actions_on(worker, queue) if "Send" in action}


@each(ROLES)
def test_what_only_the_local_aws_knows_is_not_asked_of_aws(name: str) -> None:
    """SQS knows no permission for batch calls: it asks for the call's own."""
    policies = [one["PolicyDocument"] for one in ROLES[name]["Policies"] if "PolicyDocument" in one]
    texts = [text for text in walk(policies) if isinstance(text, str)]
    assert not [text for text in texts if re.fullmatch(r"sqs:\w+Batch", text)]
