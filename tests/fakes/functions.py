"""Functions and their event source mappings on moto: what recovery looks at and changes."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any, Final

import boto3

REGION: Final = "eu-west-1"
ACCOUNT: Final = "123456789012"


def make_function(client: Any, name: str, **variables: str) -> None:
    """Make a function with these variables."""
    iam: Any = boto3.client("iam", region_name=REGION)
    role = iam.create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument=json.dumps({}))["Role"]["Arn"]
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="app.lambda_handler",
        Code={"ZipFile": _archive()},
        Environment={"Variables": variables},
    )


def make_mapping(client: Any, sqs: Any, function: str, queue: str, concurrency: int) -> str:
    """Let a function read a queue; returns the mapping's id."""
    attributes = {"FifoQueue": "true"} if queue.endswith(".fifo") else {}
    sqs.create_queue(QueueName=queue, Attributes=attributes)
    made = client.create_event_source_mapping(
        FunctionName=function,
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
        BatchSize=10,
        ScalingConfig={"MaximumConcurrency": concurrency},
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    return str(made["UUID"])


def _archive() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr(zipfile.ZipInfo("app.py"), "def lambda_handler(event, context): ...")
    return archive.getvalue()
