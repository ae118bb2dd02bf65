from __future__ import annotations

from typing import Any

from ops.dlq import export, revision
from tests.template.document import BUCKETS, PARAMETERS, RESOURCES, TEMPLATE, each, properties_of, target, text_of

RULES = {
    f"{name}.{rule['Id']}": rule
    for name, bucket in BUCKETS.items()
    for rule in bucket.get("LifecycleConfiguration", {}).get("Rules", [])
}
ARCHIVES = {"GLACIER", "DEEP_ARCHIVE"}
"""Storage classes whose objects must be restored, for hours, before they can be read."""
COPIES = {revision.KEPT_BELOW, export.KEPT_BELOW}
"""Folders of what a person asked for: what it was made of is kept elsewhere."""


def policies_of(bucket: str) -> list[dict[str, Any]]:
    """Return the statements of a bucket's policy."""
    policies = properties_of("AWS::S3::BucketPolicy").values()
    (policy,) = [one["PolicyDocument"] for one in policies if target(one["Bucket"]) == bucket]
    return list(policy["Statement"])


@each(BUCKETS)
def test_each_is_private(name: str) -> None:
    assert BUCKETS[name]["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert BUCKETS[name]["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


@each(BUCKETS)
def test_each_is_encrypted_and_keeps_what_was_overwritten_or_deleted(name: str) -> None:
    (rule,) = BUCKETS[name]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in {"AES256", "aws:kms"}
    assert BUCKETS[name]["VersioningConfiguration"] == {"Status": "Enabled"}


@each(BUCKETS)
def test_each_and_its_objects_are_reached_over_tls_only(name: str) -> None:
    refusals = [one for one in policies_of(name) if one.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}]
    (refusal,) = refusals
    assert (refusal["Effect"], refusal["Principal"], refusal["Action"]) == ("Deny", "*", "s3:*")
    assert {text_of(one) for one in refusal["Resource"]} == {f"${{{name}.Arn}}", f"${{{name}.Arn}}/*"}


def test_only_the_local_aws_is_reached_without() -> None:
    """It has no TLS. On AWS, a policy under another condition would be missing."""
    policies = [one for one in RESOURCES.values() if one["Type"] == "AWS::S3::BucketPolicy"]
    assert {one["Condition"] for one in policies} == {"SpeaksTls"}
    assert TEMPLATE["Conditions"]["SpeaksTls"] == {"Fn::Not": [{"Condition": "IsLocal"}]}


@each(BUCKETS)
def test_no_policy_of_a_bucket_lets_anybody_in(name: str) -> None:
    assert {one["Effect"] for one in policies_of(name)} == {"Deny"}


@each(BUCKETS)
def test_each_outlives_the_stack(name: str) -> None:
    assert RESOURCES[name]["DeletionPolicy"].startswith("Retain")
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


@each(RULES)
def test_what_is_current_is_never_deleted_by_itself_unless_it_is_a_copy(name: str) -> None:
    """Rescued dead letters are none: whoever rescued one has deleted it in its queue."""
    assert RULES[name].get("Prefix") in COPIES or not [key for key in RULES[name] if key.startswith("Expiration")]


def test_copies_are_gone_once_nobody_can_redrive_what_they_are_of() -> None:
    """They hold payloads: each lives as long as is known what befell its event, and its deleted version for a day."""
    rules = {rule["Prefix"]: rule for rule in RULES.values() if rule.get("Prefix") in COPIES}
    assert rules.keys() == COPIES
    for rule in rules.values():
        assert rule["Status"] == "Enabled"
        assert rule["ExpirationInDays"] == PARAMETERS["FailedEventDays"]["Default"]
        assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}


@each(RULES)
def test_what_is_kept_can_be_read_at_once(name: str) -> None:
    """A replay reads objects that are weeks old."""
    assert not {transition["StorageClass"] for transition in RULES[name].get("Transitions", [])} & ARCHIVES


@each(BUCKETS)
def test_old_versions_and_abandoned_uploads_do_not_pile_up(name: str) -> None:
    ways = {"NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"}
    whole = [rule for rule in BUCKETS[name]["LifecycleConfiguration"]["Rules"] if "Prefix" not in rule]
    assert ways <= {key for rule in whole if rule["Status"] == "Enabled" for key in rule}
