"""What an operator changes in, an entry of AuditTable out: who did what to which, when, and what came of it."""

from __future__ import annotations

import getpass
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from ops.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGUN: Final = "begun"
"""The result of what has not come to its end: it goes on, or was interrupted."""
DONE: Final = "done"

MONTHS: Final = 13
"""How far back a history reaches: a year, and the month that has begun."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody did.

    `at` is when (UTC), with a suffix so that no two entries are one. `who` is the caller as AWS knows it. `subject`
    says what it was done to, `count` to how many. `result` is `begun`, `done`, or `failed: ` and why.
    """

    month: str
    at: str
    who: str
    command: str
    subject: str
    count: int
    result: str

    @property
    def moment(self) -> str:
        """When it was begun, in ISO 8601."""
        return self.at.partition("#")[0]


def record(stack: Stack, command: str, subject: str, count: int) -> Entry:
    """Write down that a command begins, before it changes anything; returns the entry, to be concluded.

    Raises what botocore raises: what cannot be written down must not be done.
    """
    now = datetime.now(UTC)
    at = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z#{secrets.token_hex(8)}"
    entry = Entry(f"{now:%Y-%m}", at, _who(stack), command, subject, count, BEGUN)
    item: Any = {name: {"N": str(value)} if name == "count" else {"S": value} for name, value in asdict(entry).items()}
    stack.dynamodb.put_item(TableName=stack.output("AuditTableName"), Item=item)
    return entry


def conclude(stack: Stack, entry: Entry, failure: str = "") -> str:
    """Write down what came of it: it is done, or why it is not. Returns why that could not be written, or nothing."""
    result = f"failed: {failure}" if failure else DONE
    try:
        stack.dynamodb.update_item(
            TableName=stack.output("AuditTableName"),
            Key={"month": {"S": entry.month}, "at": {"S": entry.at}},
            UpdateExpression="SET #result = :result",
            ExpressionAttributeNames={"#result": "result"},
            ExpressionAttributeValues={":result": {"S": result}},
        )
    except (ClientError, BotoCoreError) as error:
        return str(error)
    return ""


def history(stack: Stack, subject: str) -> list[Entry]:
    """Return what was done to a subject in the last 13 months, the newest first."""
    now = datetime.now(UTC)
    return [_entry(item) for month in _months(now) for item in _items(stack, month, subject)]


def _months(now: datetime) -> Iterator[str]:
    for back in range(MONTHS):
        year, month = divmod(now.year * 12 + now.month - 1 - back, 12)
        yield f"{year:04}-{month + 1:02}"


def _items(stack: Stack, month: str, subject: str) -> Iterator[dict[str, Any]]:
    pages = stack.dynamodb.get_paginator("query").paginate(
        TableName=stack.output("AuditTableName"),
        KeyConditionExpression="#month = :month",
        FilterExpression="#subject = :subject",
        ExpressionAttributeNames={"#month": "month", "#subject": "subject"},
        ExpressionAttributeValues={":month": {"S": month}, ":subject": {"S": subject}},
        ScanIndexForward=False,
    )
    for page in pages:
        yield from page["Items"]


def _entry(item: dict[str, Any]) -> Entry:
    texts = {name: item[name]["S"] for name in ("month", "at", "who", "command", "subject", "result")}
    return Entry(**texts, count=int(item["count"]["N"]))


def _who(stack: Stack) -> str:
    """Return the caller's ARN; where AWS does not tell, the name that the operating system knows."""
    try:
        return stack.sts.get_caller_identity()["Arn"]
    except (ClientError, BotoCoreError):
        pass
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name, as in a container
        return "unknown"
