"""An SQS event in, each of its events put into a table."""

import json
import os
from typing import Any

import boto3

dynamodb = boto3.client("dynamodb")


def lambda_handler(event: dict[str, Any], _: object) -> dict[str, list[str]]:
    for record in event["Records"]:
        order = json.loads(record["body"])
        dynamodb.put_item(TableName=os.environ["TABLE"], Item={"id": {"S": order["id"]}, "body": {"S": record["body"]}})
    return {"batchItemFailures": []}
