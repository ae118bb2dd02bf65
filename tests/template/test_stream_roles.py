from __future__ import annotations

from typing import Any

from tests.template.document import FUNCTIONS, RESOURCES, references, target, text_of
from tests.template.permissions import Grant, actions_on, grants, grants_of, trust
from tests.template.stream import DESTINATION, PREFIXES, STREAM, processor

VARIABLES: dict[str, Any] = FUNCTIONS["TransformFunction"]["Environment"]["Variables"]
ON_A_BUCKET = {"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"}
ON_OBJECTS = {"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"}
"""Amazon Data Firehose Developer Guide, "Grant Firehose access to an Amazon S3 destination"."""


class TestStreamRole:
    def test_the_stream_has_it_and_only_firehose_may_take_it_for_this_account(self) -> None:
        """Without the external id, a stream of somebody else's account could be given it."""
        assert target(DESTINATION["RoleARN"]) == "StreamRole"
        assert trust("StreamRole")["Principal"] == {"Service": "firehose.amazonaws.com"}
        assert trust("StreamRole")["Condition"] == {"StringEquals": {"sts:ExternalId": {"Ref": "AWS::AccountId"}}}

    def test_it_invokes_the_streams_function_and_no_other(self) -> None:
        function = text_of(processor()["LambdaArn"])
        allowed = grants_of("StreamRole", "lambda")
        assert {grant.resource for grant in allowed} == {function, f"{function}:$LATEST"}
        assert {grant.action for grant in allowed} == {"lambda:InvokeFunction", "lambda:GetFunctionConfiguration"}

    def test_it_is_given_of_the_bucket_what_firehose_needs_and_no_more(self) -> None:
        bucket = text_of(DESTINATION["BucketARN"])
        assert {grant.action for grant in grants_of("StreamRole", "s3")} == ON_A_BUCKET | ON_OBJECTS
        assert {grant.action for grant in grants("StreamRole") if grant.resource == bucket} == ON_A_BUCKET

    def test_it_reads_and_writes_objects_where_the_stream_delivers_and_nowhere_else(self) -> None:
        bucket = text_of(DESTINATION["BucketARN"])
        folders = {DESTINATION[prefix].partition("!{")[0] for prefix in PREFIXES}
        objects = {grant for grant in grants_of("StreamRole", "s3") if grant.action not in ON_A_BUCKET}
        assert folders == {"data/", "errors/"}
        assert objects == {Grant(action, f"{bucket}/{folder}*") for action in ON_OBJECTS for folder in folders}

    def test_it_writes_to_the_streams_own_log(self) -> None:
        log = f"${{{target(DESTINATION['CloudWatchLoggingOptions']['LogGroupName'])}.Arn}}"
        assert grants_of("StreamRole", "logs") == {Grant("logs:PutLogEvents", log)}

    def test_it_reaches_nothing_else(self) -> None:
        assert {grant.service for grant in grants("StreamRole")} == {"lambda", "s3", "logs"}


class TestTransformRole:
    def test_it_puts_records_back_on_the_streams_name_and_does_nothing_else_with_streams(self) -> None:
        """By name: the stream names the function, so the function cannot refer to the stream."""
        arn = "arn:${AWS::Partition}:firehose:${AWS::Region}:${AWS::AccountId}:deliverystream/"
        name = text_of(STREAM["DeliveryStreamName"])
        assert grants_of("TransformRole", "firehose") == {Grant("firehose:PutRecordBatch", arn + name)}

    def test_the_function_is_told_the_streams_name(self) -> None:
        assert text_of(VARIABLES["STREAM_NAME"]) == text_of(STREAM["DeliveryStreamName"])

    def test_it_reads_the_secret_that_the_function_is_told_and_no_other(self) -> None:
        secret = Grant("secretsmanager:GetSecretValue", text_of(VARIABLES["EMAIL_KEY"]))
        assert grants_of("TransformRole", "secretsmanager") == {secret}
        assert RESOURCES[target(VARIABLES["EMAIL_KEY"])]["Type"] == "AWS::SecretsManager::Secret"

    def test_it_reaches_neither_the_bucket_nor_a_queue(self) -> None:
        assert actions_on("TransformRole", "DataBucket") == set()
        assert {grant.service for grant in grants("TransformRole")} == {"firehose", "logs", "secretsmanager"}


def test_the_key_of_what_is_stored_outlives_the_stack() -> None:
    """Another key would give the same visitor another hash."""
    key = RESOURCES[target(VARIABLES["EMAIL_KEY"])]
    assert key["DeletionPolicy"].startswith("Retain")
    assert key["UpdateReplacePolicy"] == "Retain"
    assert "SecretString" not in key["Properties"]
    assert references(key["Properties"]) == set()
