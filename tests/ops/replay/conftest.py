"""A ground to replay on, and a stack that is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from ops.stack import Stack
from tests.ops.replay.ground import Ground, ground_of
from tests.template.document import RESOURCES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SESSION = boto3.Session("test", "test", region_name="eu-west-1")  # of all tests here: reading a model takes its time


@pytest.fixture
def s3() -> Iterator[S3Client]:
    with mock_aws():
        yield SESSION.client("s3")


@pytest.fixture
def ground(s3: S3Client) -> Ground:
    return ground_of(s3)


@pytest.fixture
def stack(ground: Ground) -> Stack:
    stack = Stack("shop", SESSION)
    outputs = {"DataBucketName": ground.bucket, "ClicksStreamName": ground.stream.name, "AuditTableName": "audit"}
    vars(stack).update(s3=ground.s3, firehose_once=ground.stream, _outputs=outputs)
    properties = RESOURCES["AuditTable"]["Properties"]
    layout = {name: properties[name] for name in ("AttributeDefinitions", "KeySchema", "BillingMode")}
    stack.dynamodb.create_table(TableName="audit", **layout)
    return stack


@pytest.fixture
def small_calls(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let a call take three records, so that few records make many calls."""
    monkeypatch.setattr("ops.replay.run.MAX_RECORDS", 3)
    return 3
