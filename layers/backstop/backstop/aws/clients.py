"""A service's name in, its client out: made at first use, once, with timeouts that fit into an invocation."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, overload

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_ATTEMPTS: Final = {"sns": 1, "lambda": 2, "ssm": 2, "cloudwatch": 2}


@overload
def client(service: Literal["sqs"]) -> SQSClient: ...
@overload
def client(service: Literal["dynamodb"]) -> DynamoDBClient: ...
@overload
def client(service: Literal["firehose"]) -> FirehoseClient: ...
@overload
def client(service: Literal["s3"]) -> S3Client: ...
@overload
def client(service: Literal["sns"]) -> SNSClient: ...
@overload
def client(service: Literal["secretsmanager"]) -> SecretsManagerClient: ...


@overload
def client(service: Literal["lambda"]) -> LambdaClient: ...
@overload
def client(service: Literal["cloudwatch"]) -> CloudWatchClient: ...
@overload
def client(service: Literal["ssm"]) -> Any: ...


@cache
def client(
    service: Literal["sqs", "dynamodb", "firehose", "s3", "sns", "secretsmanager", "lambda", "cloudwatch", "ssm"],
) -> Any:
    """Return the client of a service, the same one each time: making one costs more than an import of boto3.

    That of SNS makes each call once: one whose answer was lost may have published. What only recovery calls is tried
    twice: it looks at many things within an invocation, and again a minute later.
    """
    return _made(service, _ATTEMPTS.get(service, 3))


@cache
def client_once(service: Literal["sqs"]) -> SQSClient:
    """Return a client that makes each call once: what it sent, but got no answer for, is not sent again."""
    made: SQSClient = _made(service, 1)
    return made


def _made(service: Any, attempts: int) -> Any:
    import boto3  # at first use: importing it costs more than all of Backstop, and `transform` rarely needs it
    from botocore.config import Config

    config = Config(
        connect_timeout=1,
        read_timeout=3,
        retries={"mode": "standard", "total_max_attempts": attempts},
        parameter_validation=False,  # AWS validates, too: doing it here is a third of what a call costs
    )
    return boto3.client(service, config=config)
