from __future__ import annotations

from tests.template.document import RESOURCES, as_list
from tests.template.permissions import grants_of

KEY = RESOURCES["AlertKey"]["Properties"]["KeyPolicy"]["Statement"]


def test_it_is_encrypted_with_a_key_of_ours() -> None:
    assert RESOURCES["AlertTopic"]["Properties"]["KmsMasterKeyId"] == {"Ref": "AlertKey"}
    assert RESOURCES["AlertKey"]["Properties"]["EnableKeyRotation"] is True


def test_the_key_admits_alarms_of_this_account() -> None:
    (alarms,) = [one for one in KEY if one["Principal"] == {"Service": "cloudwatch.amazonaws.com"}]
    assert alarms["Effect"] == "Allow"
    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= set(alarms["Action"])
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_key_leaves_to_roles_of_this_account_what_they_are_given() -> None:
    """Watchers publish by their role's permission: without this statement, it would be worth nothing."""
    (account,) = [one for one in KEY if "AWS" in one["Principal"]]
    given = {grant.action for grant in grants_of("WatchRole", "kms")}
    assert given == {"kms:Decrypt", "kms:GenerateDataKey"}
    assert given <= set(account["Action"])


def test_no_action_on_the_key_is_a_wildcard() -> None:
    assert not [action for one in KEY for action in as_list(one["Action"]) if "*" in action]


def test_the_topic_admits_alarms_of_this_account() -> None:
    (statement,) = RESOURCES["AlertTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statement["Action"] == "sns:Publish"
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
