"""A stack's name in, its outputs and clients out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from ops.failure import CallFailed
from ops.local import state

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient

_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 8}, max_pool_connections=32)


@dataclass(frozen=True)
class Stack:
    """A deployed stack: in the account that the environment's credentials are of, or on the local AWS."""

    name: str
    session: boto3.Session
    endpoint_url: str | None = None

    @classmethod
    def of(cls, name: str, *, is_local: bool) -> Stack:
        """Find the stack. Raises CallFailed where there is none, or no local AWS runs."""
        if not is_local:
            return cls(name, boto3.Session())
        return cls(name, local_session(), state.running().endpoint_url)

    def output(self, name: str) -> str:
        """Return an output of the stack. Raises CallFailed where it has none of that name."""
        try:
            return self._outputs[name]
        except KeyError:
            raise CallFailed(f"stack {self.name!r} has no output {name}: is it a Backstop stack?") from None

    @cached_property
    def queue_urls(self) -> dict[str, str]:
        """The stack's queues, by the name of their resource."""
        return {name.removesuffix("Url"): url for name, url in self._outputs.items() if name.endswith("QueueUrl")}

    @property
    def queue_names(self) -> frozenset[str]:
        """What SQS calls the stack's queues."""
        return frozenset(url.rpartition("/")[2] for url in self.queue_urls.values())

    @cached_property
    def _outputs(self) -> dict[str, str]:
        with self._there():
            found = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in found[0].get("Outputs", [])}

    def resources(self, resource_type: str) -> dict[str, str]:
        """Return the physical names of the stack's resources of a type, by their logical ones."""
        return {name: physical for name, physical, of_type in self._resources if of_type == resource_type}

    @cached_property
    def _resources(self) -> list[tuple[str, str, str]]:
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.name)
        with self._there():
            return [
                (resource["LogicalResourceId"], resource["PhysicalResourceId"], resource["ResourceType"])
                for page in pages
                for resource in page["StackResourceSummaries"]
            ]

    @contextmanager
    def _there(self) -> Iterator[None]:
        """Raise CallFailed where AWS knows no such stack."""
        try:
            yield
        except ClientError as error:
            if "does not exist" in str(error):
                raise CallFailed(f"there is no stack {self.name!r} here: deploy it, or name it with --stack") from None
            raise

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """The client of CloudFormation."""
        client: CloudFormationClient = self._client("cloudformation")
        return client

    @cached_property
    def sqs(self) -> SQSClient:
        """The client of SQS."""
        client: SQSClient = self._client("sqs")
        return client

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """The client of DynamoDB."""
        client: DynamoDBClient = self._client("dynamodb")
        return client

    @cached_property
    def functions(self) -> LambdaClient:
        """The client of Lambda."""
        client: LambdaClient = self._client("lambda")
        return client

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """The client of CloudWatch."""
        client: CloudWatchClient = self._client("cloudwatch")
        return client

    @cached_property
    def s3(self) -> S3Client:
        """The client of S3."""
        client: S3Client = self._client("s3")
        return client

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """The client of CloudWatch Logs."""
        client: CloudWatchLogsClient = self._client("logs")
        return client

    @cached_property
    def sns(self) -> SNSClient:
        """The client of SNS."""
        client: SNSClient = self._client("sns")
        return client

    @cached_property
    def machines(self) -> SFNClient:
        """The client of Step Functions."""
        client: SFNClient = self._client("stepfunctions")
        return client

    @cached_property
    def sts(self) -> STSClient:
        """The client of STS, which knows who calls."""
        client: STSClient = self._client("sts")
        return client

    @cached_property
    def firehose(self) -> FirehoseClient:
        """The client of Firehose."""
        client: FirehoseClient = self._client("firehose")
        return client

    @cached_property
    def firehose_once(self) -> FirehoseClient:
        """The client of Firehose that makes each call once: one that it tried again could put records twice."""
        client: FirehoseClient = self._client("firehose", Config(retries={"total_max_attempts": 1}))
        return client

    def _client(self, service: Any, config: Config = _CONFIG) -> Any:
        return self.session.client(service, endpoint_url=self.endpoint_url, config=config)


class QueueCounts(NamedTuple):
    """Messages in a queue, as far as SQS knows: its counts are approximate."""

    waiting: int
    in_flight: int
    delayed: int


def queue_counts(stack: Stack, url: str) -> QueueCounts:
    """Count the messages in a queue."""
    attributes = stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return QueueCounts(
        int(attributes["ApproximateNumberOfMessages"]),
        int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        int(attributes["ApproximateNumberOfMessagesDelayed"]),
    )


def local_session() -> boto3.Session:
    """Return a session as the local AWS's root."""
    return boto3.Session(
        aws_access_key_id=state.ACCESS_KEY, aws_secret_access_key=state.SECRET_KEY, region_name=state.REGION
    )
