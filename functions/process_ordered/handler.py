"""A change of an order's status in; applied to the order, once, and only if it is the one that comes next, out."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

from backstop import Message, PermanentError, TransientError

STATUSES = ("placed", "paid", "packed", "shipped", "delivered")


class OrderNotStored(TransientError):
    """There is no such order yet: it is still on its way through EventsQueue."""


class OutOfOrder(PermanentError):
    """The change is not the one that comes next: the order of events was broken."""


def handle(change: Mapping[str, Any], message: Message) -> None:
    """Apply the change to its order; raises OutOfOrder, and counts a violation, where it is not the next one."""
    number = int(change["number"])  # JSON Schema takes 1.0 for an integer, too
    if change["status"] != STATUSES[(number - 1) % len(STATUSES)]:
        raise PermanentError("a change of this number has another status")
    if apply(change, number, message):
        return
    order = read_order(change["order"])
    if not order:
        raise OrderNotStored("no such order is stored")
    history = order.get("history", {"L": []})["L"]
    if number <= len(history) and history[number - 1]["M"]["token"]["S"] == message.token:
        return  # applied by an earlier run of this change
    count_violation(change["order"], message.token)
    raise OutOfOrder(f"change {number} came after change {len(history)}")


def apply(change: Mapping[str, Any], number: int, message: Message) -> bool:
    """Add the change to its order's history; returns whether the order is there and the change is its next one."""
    follows = "attribute_not_exists(changes)" if number == 1 else "changes = :before"
    before = {} if number == 1 else {":before": {"N": str(number - 1)}}
    entry = {
        "status": change["status"],
        "token": message.token,
        "changed_at": change["changed_at"],
        "sent_at": message.sent_at.isoformat(timespec="milliseconds"),
        "applied_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    try:
        dynamodb().update_item(
            TableName=os.environ["ORDERS_TABLE"],
            Key={"id": {"S": change["order"]}},
            UpdateExpression="SET #status = :status, changes = :number, "
            "history = list_append(if_not_exists(history, :none), :entry)",
            ConditionExpression=f"attribute_exists(id) AND {follows}",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":status": {"S": change["status"]},
                ":number": {"N": str(number)},
                ":none": {"L": []},
                ":entry": {"L": [{"M": {name: {"S": value} for name, value in entry.items()}}]},
                **before,
            },
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def read_order(order_id: str) -> dict[str, Any]:
    """Return the stored order as of now; nothing where there is none."""
    found = dynamodb().get_item(
        TableName=os.environ["ORDERS_TABLE"], Key={"id": {"S": order_id}}, ConsistentRead=True
    )  # fmt: skip
    order: dict[str, Any] = found.get("Item", {})
    return order


def count_violation(order_id: str, token: str) -> None:
    """Write on the order that a change came out of order; the same one counts once."""
    dynamodb().update_item(
        TableName=os.environ["ORDERS_TABLE"],
        Key={"id": {"S": order_id}},
        UpdateExpression="ADD violations :token",
        ConditionExpression="attribute_exists(id)",
        ExpressionAttributeValues={":token": {"SS": [token]}},
    )


@cache
def dynamodb() -> Any:
    """Return the DynamoDB client, made at first use."""
    return boto3.client("dynamodb")
