"""What an operator changes in, an entry of AuditTable out: who did what to which, when, and what came of it."""

from __future__ import annotations

import getpass
import secrets
import shlex
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from ops.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

BEGUN: Final = "begun"
"""The result of what has not come to its end: it goes on, or was interrupted."""
DONE: Final = "done"

MONTHS: Final = 13
"""How far back a history reaches: a year, and the month that has begun."""
_MOST_MONTHS: Final = 240
"""How far back a listing reaches: no stack is older."""
_TEXTS: Final = ("month", "at", "who", "command", "subject", "result")


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody did.

    `at` is when (UTC), with a suffix so that no two entries are one. `who` is the caller as AWS knows it. `subject`
    says what it was done to, `count` to how many: 0 until that is known. `result` is `begun`, `done`, or `failed: ` and
    why.
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

    @property
    def is_concluded(self) -> bool:
        """Whether it is known what came of it."""
        return self.result != BEGUN

    @property
    def words(self) -> frozenset[str]:
        """What it names: its subject's name, the words after its command's first, and the values of options."""
        said = frozenset(part for word in _words(self.command)[1:] for part in _parts(word))
        return said | {self.subject, self.subject.partition(" ")[2]}


def record(stack: Stack, command: str, subject: str, count: int) -> Entry:
    """Write down that a command begins, before it changes anything; returns the entry, to be concluded.

    Raises what botocore raises: what cannot be written down must not be done.
    """
    now = datetime.now(UTC)
    at = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z#{secrets.token_hex(8)}"
    storable = command.encode("utf-8", "backslashreplace").decode()  # a file's name may be no text
    entry = Entry(f"{now:%Y-%m}", at, _who(stack), storable, subject, count, BEGUN)
    item: Any = {name: {"N": str(value)} if name == "count" else {"S": value} for name, value in asdict(entry).items()}
    stack.dynamodb.put_item(TableName=stack.output("AuditTableName"), Item=item)
    return entry


def conclude(stack: Stack, entry: Entry, failure: str = "", count: int | None = None) -> str:
    """Write down what came of it: it is done, or why it is not. Returns why that could not be written, or nothing.

    `count` is to how many it was done, where that was not known before.
    """
    result = f"failed: {failure}" if failure else DONE
    known = str(entry.count if count is None else count)
    try:
        stack.dynamodb.update_item(
            TableName=stack.output("AuditTableName"),
            Key={"month": {"S": entry.month}, "at": {"S": entry.at}},
            UpdateExpression="SET #result = :result, #count = :count",
            ExpressionAttributeNames={"#result": "result", "#count": "count"},
            ExpressionAttributeValues={":result": {"S": result}, ":count": {"N": known}},
        )
    except (ClientError, BotoCoreError) as error:
        return str(error)
    return ""


def history(stack: Stack, subject: str) -> list[Entry]:
    """Return what was done to a subject in the last 13 months, the newest first."""
    condition = {
        "FilterExpression": "#subject = :subject",
        "ExpressionAttributeNames": {"#subject": "subject"},
        "ExpressionAttributeValues": {":subject": {"S": subject}},
    }
    return [_entry(item) for month in _months(datetime.now(UTC), MONTHS) for item in _items(stack, month, condition)]


def naming(stack: Stack, names: Collection[str]) -> list[Entry]:
    """Return what was done in the last 13 months by commands that name one of these, the newest first."""
    months = _months(datetime.now(UTC), MONTHS)
    found = (_entry(item) for month in months for item in _items(stack, month, {}))
    return [entry for entry in found if not entry.words.isdisjoint(names)]


def entries(stack: Stack, since: datetime) -> Iterator[Entry]:
    """Return what was done since then, the newest first; a month is asked for when its turn comes."""
    first = since.astimezone(UTC)
    start = f"{first:%Y-%m-%dT%H:%M:%S}.{first.microsecond // 1000:03}Z"
    for month in _months(datetime.now(UTC), _MOST_MONTHS):
        if month < start[:7]:
            return
        yield from filter(lambda entry: entry.at >= start, map(_entry, _items(stack, month, {})))


def _months(now: datetime, most: int) -> Iterator[str]:
    for back in range(most):
        year, month = divmod(now.year * 12 + now.month - 1 - back, 12)
        yield f"{year:04}-{month + 1:02}"


def _items(stack: Stack, month: str, condition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    names = {"#month": "month"} | condition.get("ExpressionAttributeNames", {})
    values = {":month": {"S": month}} | condition.get("ExpressionAttributeValues", {})
    asked: Any = condition | {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
    pages = stack.dynamodb.get_paginator("query").paginate(
        TableName=stack.output("AuditTableName"),
        KeyConditionExpression="#month = :month",
        ScanIndexForward=False,
        **asked,
    )
    for page in pages:
        yield from page["Items"]


def _entry(item: dict[str, Any]) -> Entry:
    """Read an entry; what is not as it was written is left out."""
    texts = {name: str(item.get(name, {}).get("S", "")) for name in _TEXTS}
    count = 0
    with suppress(ValueError):
        count = int(item.get("count", {}).get("N", 0))
    return Entry(**texts, count=count)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that does not end: it was not written here
        return text.split()


def _parts(word: str) -> tuple[str, ...]:
    """Return a word, and the value of an option that stands with it: `--event=e-1`."""
    return (word, word.partition("=")[2]) if word.startswith("--") and "=" in word else (word,)


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
