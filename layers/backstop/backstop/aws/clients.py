"""A service's name in, its client out: made at first use, once, with timeouts that fit into an invocation."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

_CONFIG = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})


@overload
def client(service: Literal["sqs"]) -> SQSClient: ...
@overload
def client(service: Literal["dynamodb"]) -> DynamoDBClient: ...


@cache
def client(service: Literal["sqs", "dynamodb"]) -> Any:
    """Return the client of a service, the same one each time: making one costs more than an import of boto3."""
    return boto3.client(service, config=_CONFIG)
