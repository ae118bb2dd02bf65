"""A stack in, its groups of failures out: all, or the one that a person names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from backstop.alert import label
from backstop.aws.groups_items import group_of, window_of, windows_before
from backstop.budget import Window
from backstop.errors import StoreUnavailable
from backstop.groups import Group
from ops.failure import CallFailed
from ops.stack import Stack
from ops.tables import warn

Item = Mapping[str, Any]

_NAME: Final = re.compile(r"g?([0-9a-f]{1,16})", re.ASCII)
_WHOLE: Final = 16
_COUNTER: Final = "#"
"""What ids begin with that are no groups'."""
_NAMED: Final = 5
"""Groups that are named where a prefix is of several."""
_WHOS: Final = ("acked_by", "silenced_by", "resolved_by", "noted_by")


class NotFound(Exception):
    """Raised when a name is no group's, or that of several; its text says so."""


class Known(NamedTuple):
    """What is known of a group. `whos` are those who acked, silenced, resolved and noted it, by attribute."""

    group: Group
    window: Window | None
    before: list[tuple[datetime, int]]
    whos: Mapping[str, str]


class Listed(NamedTuple):
    """The groups of a stack, and why others could not be read."""

    groups: list[Known]
    unread: list[str]


def answer(ask: Callable[[], int]) -> int:
    """Return the exit code that a command asks for; 1, and a sentence, where a name is no group's."""
    try:
        return ask()
    except NotFound as error:
        warn(str(error))
        return 1


def list_groups(stack: Stack) -> Listed:
    """Return all groups. One that is not as it was written hides no other."""
    listed = Listed([], [])
    for item in _scan(stack):
        if item["group"]["S"].startswith(_COUNTER):
            continue
        try:
            listed.groups.append(known(item))
        except StoreUnavailable as error:
            listed.unread.append(str(error))
    return listed


def find(stack: Stack, name: str) -> Known:
    """Return the group that a name, or the beginning of one, is of. Raises NotFound, and CallFailed for no name."""
    prefix = _prefix(name)
    found = [prefix] if len(prefix) == _WHOLE else _beginning_with(stack, prefix)
    if len(found) > 1:
        some = ", ".join(map(label, found[:_NAMED])) + (", …" if len(found) > _NAMED else "")
        raise NotFound(f"{label(prefix)} is the beginning of {len(found):,} groups: {some}")
    item = _get(stack, found[0]) if found else None
    if item is None:
        raise not_known(prefix)
    try:
        return known(item)
    except StoreUnavailable as error:
        raise CallFailed(str(error)) from error


def not_known(group: str) -> NotFound:
    """Say that there is no such group."""
    return NotFound(f"no group {label(group)} is known: 90 days after its last failure a group is forgotten")


def known(item: Item) -> Known:
    """Read what is known of a group. Raises StoreUnavailable where its item is not as it was written."""
    whos = {name: item[name]["S"] for name in _WHOS if "S" in item.get(name, {})}
    return Known(group_of(item), window_of(item), windows_before(item), whos)


def what(group: Group) -> str:
    """Say what fails, and where."""
    return " in ".join(filter(None, (group.error_type or "failure", group.where or group.function)))


def _prefix(name: str) -> str:
    found = _NAME.fullmatch(name.strip().lower())
    if found is None:
        raise CallFailed(f"{name!a} is no group: g and 16 digits, 0 to 9 and a to f, or the first of them")
    return found[1]


def _beginning_with(stack: Stack, prefix: str) -> list[str]:
    items = _scan(
        stack,
        ProjectionExpression="#group",
        FilterExpression="begins_with(#group, :prefix)",
        ExpressionAttributeNames={"#group": "group"},
        ExpressionAttributeValues={":prefix": {"S": prefix}},
    )
    return sorted(item["group"]["S"] for item in items)


def _scan(stack: Stack, **request: Any) -> Iterator[Item]:
    pages = stack.dynamodb.get_paginator("scan").paginate(TableName=stack.output("FailureGroupsTableName"), **request)
    for page in pages:
        yield from page["Items"]


def _get(stack: Stack, group: str) -> Item | None:
    table = stack.output("FailureGroupsTableName")
    return stack.dynamodb.get_item(TableName=table, Key={"group": {"S": group}}, ConsistentRead=True).get("Item")
