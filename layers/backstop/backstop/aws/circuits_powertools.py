"""Powertools' items of circuits, with what Backstop adds, read and changed one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.utilities.circuit_breaker.persistence import (
    CircuitBreakerDynamoDBPersistence,
    CircuitStateRecord,
)
from aws_lambda_powertools.utilities.circuit_breaker.persistence.base import PERSISTED_STATE_TTL_BUFFER
from aws_lambda_powertools.utilities.circuit_breaker.states import CircuitState as PowertoolsState

from backstop.aws.answers import Refused, answered
from backstop.aws.circuits_items import OWN, Condition, left_out, moment, own_item, seconds, with_own
from backstop.circuits.state import CircuitState, Standing

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NO_ANSWER: Final = "the table of circuits did not answer"
_NOBODYS: Final = 0
"""The end of a lease that nobody has: Powertools elects where one is over."""
_KEPT: Final = timedelta(seconds=PERSISTED_STATE_TTL_BUFFER)


class CircuitItems(CircuitBreakerDynamoDBPersistence):
    """Keeps Powertools' items with attributes of Backstop's own.

    Powertools puts whole items, some of them unasked. Here each change updates what was seen, and nothing else. The
    form of an item, the condition of an election and how long an item is kept are Powertools'.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        super().__init__(table, boto3_client=client)
        self._calls: Any = client  # expressions come in one form here; the stubs know one a call

    def look(self, name: str) -> Standing:
        """Return a circuit as it is now."""
        with answered(_NO_ANSWER):
            answer = self._calls.get_item(TableName=self.table_name, Key=self._get_key(name), ConsistentRead=True)
        return self._standing(name, answer.get("Item"))

    def look_at_all(self, but: str) -> Iterator[Standing]:
        """Return all circuits as they are now; what has an id that begins with `but` is none."""
        with answered(_NO_ANSWER):
            pages = self._calls.get_paginator("scan").paginate(TableName=self.table_name, ConsistentRead=True)
            items = [item for page in pages for item in page["Items"]]
        for item in items:
            name = item[self.key_attr]["S"]
            if not name.startswith(but):
                yield self._standing(name, item)

    def change(self, seen: Standing, after: Standing, by: str, now: datetime, condition: Condition) -> Standing | None:
        """Change a circuit that is as it was seen; returns it as it is then, or None where it is not.

        `by` is this change's alone: where the first try was taken and its answer was lost, the second finds it.
        """
        by = f"{seen.generation} {by}"
        item = self._record_to_item(self._record(after, now)) | own_item(after, by)
        del item[self.key_attr]
        gone = [name for name in self._owned() if name not in item]
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in item)
        expression += " REMOVE " + ", ".join(f"#{name}" for name in (*gone, *left_out(seen, after)))
        values = {f":{name}": value for name, value in item.items()}
        try:
            return self.update(seen, expression, values, condition)
        except Refused as refused:
            was_taken = (refused.item or {}).get("changed_by") == {"S": by}
            return self._standing(seen.name, refused.item) if was_taken else None

    def update(self, seen: Standing, expression: str, values: Mapping[str, Any], condition: Condition) -> Standing:
        """Update the item of a circuit that is as it was seen. Raises Refused where it is not."""
        same = _same(seen)
        conditions = f"({same.expression}) AND ({condition.expression})"
        with answered(_NO_ANSWER):
            answer = self._calls.update_item(
                TableName=self.table_name,
                Key=self._get_key(seen.name),
                UpdateExpression=expression,
                ConditionExpression=conditions,
                ExpressionAttributeNames=_names(expression + conditions),
                ExpressionAttributeValues={**values, **same.values, **condition.values},
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        return self._standing(seen.name, answer["Attributes"])

    def add_to_set(self, name: str, attribute: str, value: str) -> None:
        """Add to a set of a circuit that is known. Raises Refused where it is not."""
        with answered(_NO_ANSWER):
            self._calls.update_item(
                TableName=self.table_name,
                Key=self._get_key(name),
                UpdateExpression=f"ADD #{attribute} :added",
                ConditionExpression="attribute_exists(#state)",
                ExpressionAttributeNames=_names(f"#{attribute} #state"),
                ExpressionAttributeValues={":added": {"SS": [value]}},
            )

    def free(self, seen: Standing, now: datetime) -> Condition:
        """Return Powertools' condition of an election."""
        opened_at = seconds(seen.opened_at) if seen.opened_at else None
        theirs = self._build_half_open_condition(opened_at)
        values = theirs["ExpressionAttributeValues"] | {":now": self._n(seconds(now))}
        return Condition(theirs["ConditionExpression"], values)

    def expiration(self, standing: Standing, now: datetime) -> int:
        """Return until when an item is kept: as long as Powertools does, and as long as it is held open."""
        until = now + standing.open_for
        return seconds(max(until, standing.forced_until or until) + _KEPT)

    def of_refused(self, seen: Standing, refused: Refused) -> Standing:
        """Return the circuit that stood against an update."""
        return self._standing(seen.name, refused.item)

    def _record(self, standing: Standing, now: datetime) -> CircuitStateRecord:
        is_half_open = standing.state is CircuitState.HALF_OPEN
        free = _NOBODYS if is_half_open else None
        return CircuitStateRecord(
            name=standing.name,
            state=PowertoolsState(standing.state.value),
            opened_at=seconds(standing.opened_at) if standing.opened_at else None,
            half_open_owner=standing.prober or None,
            probe_lease_expiry=seconds(standing.lease_until) if standing.lease_until else free,
            expiry_timestamp=self.expiration(standing, now),
        )

    def _standing(self, name: str, item: Mapping[str, Any] | None) -> Standing:
        if not item or self.state_attr not in item:
            return Standing(name)
        record = self._item_to_record(dict(item))
        known = Standing(
            name,
            CircuitState(record.state.value),
            opened_at=moment(record.opened_at),
            prober=record.half_open_owner or "",
            lease_until=moment(record.probe_lease_expiry),
        )
        return with_own(known, self._deserializer.deserialize({"M": item}))

    def _owned(self) -> tuple[str, ...]:
        """Return the attributes that each change writes anew, or removes."""
        return (self.opened_at_attr, self.half_open_owner_attr, self.probe_lease_expiry_attr, *OWN)


def _same(seen: Standing) -> Condition:
    if not seen.generation:
        return Condition("attribute_not_exists(#generation)")
    return Condition("#generation = :seen", {":seen": {"N": str(seen.generation)}})


def _names(expression: str) -> dict[str, str]:
    return {f"#{name}": name for name in re.findall(r"#(\w+)", expression)}
