"""A stack that is rehearsed on in, what every drill asks of it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ops.failure import CallFailed
from ops.stack import Stack, queue_counts


def require_drills(stack: Stack, what: str = "events") -> None:
    """Raise CallFailed where a stack allows no drills; `what` flows where none may be."""
    if stack.output("DrillsAllowed") != "true":
        raise CallFailed(
            f"stack {stack.name!r} allows no drills: deploy it with AllowDrill=true, where no real {what} flow"
        )


def depth(stack: Stack, queue: str) -> int:
    """Return how many messages are in a queue: waiting, in flight and delayed."""
    return sum(queue_counts(stack, stack.queue_urls[queue]))


def read_items(stack: Stack, table: str, key: str, values: Sequence[str], **more: str) -> list[Mapping[str, Any]]:
    """Return those of up to 100 items that are there, as of now. `key` is the name of their primary key.

    `more` are parameters of BatchGetItem for the table.
    """
    found: list[Mapping[str, Any]] = []
    wanted = {"Keys": [{key: {"S": value}} for value in values], "ConsistentRead": True, **more}
    request: Any = {table: wanted}
    while request:
        answer = stack.dynamodb.batch_get_item(RequestItems=request)
        found += answer["Responses"].get(table, [])
        request = answer.get("UnprocessedKeys")
    return found
