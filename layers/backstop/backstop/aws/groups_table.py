"""Tallies in, FailureGroupsTable out: one write a group and batch counts; budgets change by comparing and setting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from backstop.aws.answers import Refused, answered
from backstop.aws.groups_changes import Change, closing, describing_once, growing, opening, replacing
from backstop.aws.groups_items import Item, batch_attribute, group_of, in_millis, key, number, window_of
from backstop.budget import STORM, Budget, Slots, Window, next_slots
from backstop.errors import StoreUnavailable
from backstop.groups import MAX_RELEASES, Counted, Group, State, with_tally
from backstop.occurrence import Tally

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NO_ANSWER: Final = "the table of failure groups did not answer"
_TRIES: Final = 8
_MAX_KEYS: Final = 100  # AWS, "BatchGetItem"


class GroupsTable:
    """The interface `Store` in DynamoDB: a group and its window are one item."""

    def __init__(self, client: DynamoDBClient, table: str, budget: Budget) -> None:
        self._client: Any = client  # expressions come in one form here; the stubs know one a call
        self._table = table
        self._budget = budget

    def count(self, tally: Tally, now: datetime) -> Counted:
        """Count a tally: one write where its window is open, which it is but once an hour."""
        now = in_millis(now)  # as it is read later: a window goes by when it was opened
        for _ in range(_TRIES):
            try:
                return self._grow(tally, now)
            except Refused as refused:
                item = refused.item or self._get(tally.group) or {}
            past = window_of(item)
            if past is not None and item.get(batch_attribute(tally.batch), {}).get("S") == tally.batch:
                return _repeated(item)
            if past is None or past.is_past(now, self._budget):
                try:
                    return self._open(tally, now, past, item)
                except Refused:
                    continue  # another watcher has opened it
        raise StoreUnavailable(f"{_NO_ANSWER}: others keep changing group {tally.group}")

    def describe(self, tally: Tally, now: datetime) -> tuple[Group, Group | None]:
        """Add a tally to what people read of its group, once a batch, and to no window.

        Returns the group as it is now, and as it was: None if nothing but this batch is known of it.
        """
        now = in_millis(now)
        try:
            old = self._change(describing_once(tally, now))
        except Refused as refused:
            group = group_of(refused.item or self._get(tally.group) or {})
            return group, None if group.occurrences == tally.count else group
        self._trim(tally, old)
        known = group_of(old) if "occurrences" in old else None
        return with_tally(known, tally, now), known

    def end_ack(self, group: str) -> None:
        """Let an `ack` end with the failure that it was for."""
        with suppress(Refused):  # there is none
            self._change(Change(group, removes=("acked_at", "acked_by"), condition="attribute_exists(acked_at)"))

    def look(self, group: str) -> tuple[Group, Window] | None:
        """Return a group and its window as they are now."""
        item = self._get(group)
        window = None if item is None else window_of(item)
        return None if item is None or window is None else (group_of(item), window)

    def look_at_group(self, group: str) -> Group | None:
        """Return a group as it is now, whoever keeps its window."""
        item = self._get(group)
        return None if item is None else group_of(item)

    def replace(self, window: Window, slots: Slots) -> bool:
        """Put other slots in the place of the window's."""
        try:
            self._change(replacing(window, slots))
        except Refused:
            return False
        return True

    def open_windows(self) -> Iterator[Window]:
        """Return the windows that are not closed: what DynamoDB does not tell of now, it will a minute later."""
        groups: list[str] = []
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": "open",
            "KeyConditionExpression": "is_open = :yes",
            "ExpressionAttributeValues": {":yes": {"S": "1"}},
        }
        while True:
            with answered(_NO_ANSWER):
                page = self._client.query(**query)
            groups += [item["group"]["S"] for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                break
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        for start in range(0, len(groups), _MAX_KEYS):
            yield from self._windows(groups[start : start + _MAX_KEYS])

    def close(self, window: Window) -> None:
        """Take a window out of the open ones, if it still is as it was."""
        try:
            self._change(closing(window))
        except Refused:
            return  # it goes on

    def add_firsts(self, count: int, now: datetime) -> int:
        """Add to the groups that began in the current five minutes."""
        span = int(now.timestamp() // STORM.total_seconds())
        expires = number(int((now + 12 * STORM).timestamp()))
        change = Change(f"#firsts#{span}", sets={"expires": expires}, adds={"firsts": number(count)})
        with answered(_NO_ANSWER):
            request = change.request(self._table) | {"ReturnValues": "ALL_NEW"}  # it is told though 0 is added
            answer = self._client.update_item(**request)
        return int(answer["Attributes"]["firsts"]["N"])

    def _grow(self, tally: Tally, now: datetime) -> Counted:
        old = self._change(growing(tally, now, self._budget))
        self._trim(tally, old)
        known, window = group_of(old), _window(old)
        return Counted(
            with_tally(known, tally, now),
            replace(window, counted_at=now, count=window.count + tally.count),
            before=window.count,
            seen_before=known.last_seen,
            was_resolved=known.state(now) is State.RESOLVED,
        )

    def _open(self, tally: Tally, now: datetime, past: Window | None, item: Item) -> Counted:
        slots = Slots() if past is None else next_slots(past, now, self._budget)
        old = self._change(opening(tally, now, slots, past, item))
        known = group_of(old) if "occurrences" in old else None
        return Counted(
            with_tally(known, tally, now),
            Window(tally.group, now, now, tally.count, slots),
            before=0,
            replaced=None if past is None else _window(old),
            seen_before=None if known is None else known.last_seen,
            was_resolved=known is not None and known.state(now) is State.RESOLVED,
        )

    def _windows(self, groups: list[str]) -> Iterator[Window]:
        request = {self._table: {"Keys": [key(group) for group in groups]}}
        with answered(_NO_ANSWER):
            answer = self._client.batch_get_item(RequestItems=request)
        for item in answer["Responses"].get(self._table, ()):
            with suppress(StoreUnavailable):  # one that cannot be read holds up no other one
                yield _window(item)

    def _trim(self, tally: Tally, old: Item) -> None:
        """Forget releases where an item knows too many now."""
        releases = {*old.get("releases", {}).get("SS", ()), tally.sample.release} - {""}
        if len(releases) <= MAX_RELEASES:
            return
        surplus = sorted(releases - {tally.sample.release})[: len(releases) - MAX_RELEASES]
        with answered(_NO_ANSWER):
            self._client.update_item(
                TableName=self._table,
                Key=key(tally.group),
                UpdateExpression="DELETE releases :surplus",
                ExpressionAttributeValues={":surplus": {"SS": surplus}},
            )

    def _get(self, group: str) -> Item | None:
        with answered(_NO_ANSWER):
            answer = self._client.get_item(TableName=self._table, Key=key(group), ConsistentRead=True)
        found: Item | None = answer.get("Item")
        return found

    def _change(self, change: Change) -> Item:
        """Change an item and return it as it was. Raises Refused, with the item, where the condition does not hold."""
        with answered(_NO_ANSWER):
            answer = self._client.update_item(**change.request(self._table))
        old: Item = answer.get("Attributes", {})
        return old


def _repeated(item: Item) -> Counted:
    window = _window(item)
    return Counted(group_of(item), window, window.count, is_repeat=True)


def _window(item: Item) -> Window:
    window = window_of(item)
    if window is None:
        raise StoreUnavailable(f"the item of group {item['group']['S']} has no window")
    return window
