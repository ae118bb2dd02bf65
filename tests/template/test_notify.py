from __future__ import annotations

import re

import pytest

from tests.template.document import OUTPUTS, PARAMETERS, RESOURCES, TEMPLATE, references
from tests.template.permissions import Grant, grants, grants_of
from tests.template.watch import NOTIFY

OF_NOTIFY = {"NotifyFunction", "NotifyRole", "ChannelsSecretArn"}


def test_nothing_of_it_is_there_without_a_secret() -> None:
    everything = {**RESOURCES, **OUTPUTS}
    of_it = {name for name, one in everything.items() if name in OF_NOTIFY or references(one) & OF_NOTIFY}
    assert of_it == {"NotifyFunction", "NotifyRole", "NotifyErrorsAlarm", "NotifyFunctionName"}
    assert {name for name in everything if everything[name].get("Condition") == "HasChannels"} == of_it
    secret = {"Fn::Equals": [{"Ref": "ChannelsSecretArn"}, ""]}
    assert TEMPLATE["Conditions"]["HasChannels"] == {"Fn::Not": [secret]}
    assert PARAMETERS["ChannelsSecretArn"]["Default"] == ""


def test_it_is_given_what_the_alert_topic_has() -> None:
    assert NOTIFY["Events"] == {"Alerts": {"Type": "SNS", "Properties": {"Topic": {"Ref": "AlertTopic"}}}}


def test_it_reads_the_secret_that_it_is_told_and_no_other() -> None:
    assert NOTIFY["Environment"]["Variables"]["CHANNELS_SECRET"] == {"Ref": "ChannelsSecretArn"}
    secret = Grant("secretsmanager:GetSecretValue", "${ChannelsSecretArn}")
    assert grants_of("NotifyRole", "secretsmanager") == {secret}


def test_it_reaches_nothing_else_of_aws() -> None:
    assert {grant.service for grant in grants("NotifyRole")} == {"secretsmanager", "sqs", "logs"}


@pytest.mark.parametrize(
    ("arn", "is_allowed"),
    [
        ("arn:aws:secretsmanager:eu-central-1:123456789012:secret:team/channels-AbCdEf", True),
        ("team/channels", False),
        ("arn:aws:secretsmanager:eu-central-1:123456789012:secret:*", False),
        ("arn:aws:s3:::channels", False),
    ],
)
def test_its_secret_is_one_and_named_in_full(arn: str, is_allowed: bool) -> None:
    """The role may read what stands here: a wildcard would be every secret of the account."""
    assert (re.fullmatch(PARAMETERS["ChannelsSecretArn"]["AllowedPattern"], arn) is not None) is is_allowed
