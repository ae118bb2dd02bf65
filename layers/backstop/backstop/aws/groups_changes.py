"""What is to change in a group's item in, the update that DynamoDB takes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from backstop.aws.groups_items import (
    KEPT,
    Item,
    batch_attribute,
    key,
    millis,
    number,
    remembered,
    sample_of,
)
from backstop.budget import Budget, Slots, Window
from backstop.occurrence import Tally

_AS_IT_WAS: Final = "window_opened = :opened AND window_count = :count AND slots = :were"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one item: attributes and what they are set to or grow by, those that go, and on what condition.

    `sets` and `adds` name attributes, `expressions` those that are set to an expression; `condition` may use the
    attributes that it names as they are, and `values`.
    """

    group: str
    sets: Mapping[str, Any] = field(default_factory=dict)
    removes: Sequence[str] = ()
    adds: Mapping[str, Any] = field(default_factory=dict)
    expressions: Mapping[str, str] = field(default_factory=dict)
    condition: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def request(self, table: str) -> dict[str, Any]:
        """Return what UpdateItem takes. It answers with the item as it was."""
        parts = [f"#{name} = :{name}" for name in self.sets]
        parts += [f"#{name} = {expression}" for name, expression in self.expressions.items()]
        clauses = {
            "SET": parts,
            "REMOVE": [f"#{name}" for name in self.removes],
            "ADD": [f"#{name} :{name}" for name in self.adds],
        }
        named = [*self.sets, *self.expressions, *self.removes, *self.adds]
        request: dict[str, Any] = {
            "TableName": table,
            "Key": key(self.group),
            "UpdateExpression": " ".join(f"{word} {', '.join(some)}" for word, some in clauses.items() if some),
            "ExpressionAttributeNames": {f"#{name}": name for name in named},
            "ReturnValues": "ALL_OLD",
        }
        values = {f":{name}": value for name, value in {**self.sets, **self.adds, **self.values}.items()}
        if values:
            request["ExpressionAttributeValues"] = values
        if self.condition:
            request |= {"ConditionExpression": self.condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        return request


def describing(tally: Tally, now: datetime) -> Change:
    """Add a tally to what people read of a group."""
    sets, removes = sample_of(tally)
    sets |= {
        "last_seen": number(millis(tally.last_at)),
        "counted_at": number(millis(now)),
        "expires": number(int((now + KEPT).timestamp())),
    }
    adds: dict[str, Any] = {"occurrences": number(tally.count)}
    if tally.sample.release:
        adds["releases"] = {"SS": [tally.sample.release]}
    first = {"first_seen": "if_not_exists(#first_seen, :first)"}
    return Change(tally.group, sets, removes, adds, first, values={"first": number(millis(tally.first_at))})


def describing_once(tally: Tally, now: datetime) -> Change:
    """Add a tally to what people read of a group, once a batch: its window is kept elsewhere."""
    change, batch = describing(tally, now), batch_attribute(tally.batch)
    return replace(change, sets={**change.sets, batch: {"S": tally.batch}}, condition=_once(batch))


def growing(tally: Tally, now: datetime, budget: Budget) -> Change:
    """Add a tally to its group and the window that is open, once a batch."""
    change, batch = describing(tally, now), batch_attribute(tally.batch)
    return replace(
        change,
        sets={**change.sets, batch: {"S": tally.batch}, "is_open": {"S": "1"}},
        adds={**change.adds, "window_count": number(tally.count)},
        values={**change.values, "past": number(millis(now - budget.window))},
        condition=f"window_opened > :past AND {_once(batch)}",
    )


def _once(batch: str) -> str:
    return f"(attribute_not_exists({batch}) OR {batch} <> :{batch})"


def opening(tally: Tally, now: datetime, slots: Slots, past: Window | None, item: Item) -> Change:
    """Add a tally to its group and open a window with it, in the place of one that is past."""
    change = describing(tally, now)
    sets = {
        **change.sets,
        batch_attribute(tally.batch): {"S": tally.batch},
        "is_open": {"S": "1"},
        "window_opened": number(millis(now)),
        "window_count": number(tally.count),
        "slots": {"S": slots.serialise()},
    }
    if past is None:
        return replace(change, sets=sets, condition="attribute_not_exists(window_opened)")
    sets["windows_before"] = remembered(item, past)
    return replace(change, sets=sets, values={**change.values, **_as_it_was(past)}, condition=_AS_IT_WAS)


def replacing(window: Window, slots: Slots) -> Change:
    """Put other slots in the place of a window's."""
    values = {"opened": number(millis(window.opened)), "were": {"S": window.slots.serialise()}}
    condition = "window_opened = :opened AND slots = :were"
    return Change(window.group, {"slots": {"S": slots.serialise()}}, condition=condition, values=values)


def closing(window: Window) -> Change:
    """Take a window out of the open ones, if it still is as it was."""
    removes = ("is_open", "acked_at", "acked_by")
    return Change(window.group, removes=removes, condition=_AS_IT_WAS, values=_as_it_was(window))


def _as_it_was(window: Window) -> dict[str, Any]:
    return {
        "opened": number(millis(window.opened)),
        "count": number(window.count),
        "were": {"S": window.slots.serialise()},
    }
