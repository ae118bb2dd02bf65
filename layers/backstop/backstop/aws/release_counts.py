"""Releases in the table of circuits: how their messages fare, whether they are held, and which one is live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from backstop.aws.answers import Refused, answered
from backstop.aws.release_items import (
    Item,
    attributes_of,
    facts_of,
    hold_in,
    id_of,
    id_of_live,
    is_live,
    moment_in,
    seconds,
    standing_in,
)
from backstop.release_counts import Counts, Hold, ReleaseStanding

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEPT: Final = timedelta(days=35)
_RENEWED: Final = timedelta(days=7)
"""How long before its end the live release's item is given more time."""
_UNDECIDED: Final = "attribute_not_exists(held_group) AND attribute_not_exists(is_let_go)"
_NO_ANSWER: Final = "the table of circuits did not answer"


class ReleaseCounts:
    """Keeps an item a release of a function, and one a function that names the live one."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client: Any = client
        self._table = table

    def add(self, function: str, release: str, counts: Counts, now: datetime) -> ReleaseStanding:
        """Add counts to a release's, and return what is known then; a release that nobody knew begins now.

        What was added by a call whose answer was lost is added again: a bad release is held a little sooner.
        """
        firsts = {"since": seconds(now), "expiration": seconds(now + _KEPT)}
        return standing_in(self._change(id_of(function, release), {}, firsts=firsts, adds=attributes_of(counts)))

    def hold(self, hold: Hold, by: str) -> bool:
        """Hold a release's failures back; False if that, or the contrary, was decided already."""
        facts = facts_of(hold, by)
        try:
            self._change(id_of(hold.function, hold.release), facts, _UNDECIDED)
        except Refused as refused:  # perhaps by what it did itself, when the answer was lost
            there = refused.item or {}
            return all(there.get(name) == value for name, value in facts.items())
        return True

    def seen(self, function: str, release: str, code: str, now: datetime) -> None:
        """Note that a release is live, with this hash of its code. Other code of the same name is a new release."""
        live, name = {"live": {"S": release}}, id_of(function, release)
        if not is_live(release, self._read(id_of_live(function))):
            self._change(id_of_live(function), live)
        item = self._read(name)
        known = {"code": {"S": code}, "expiration": seconds(now + _KEPT)}
        try:
            if "code" not in item:
                self._change(name, known, "attribute_not_exists(code)", firsts={"since": seconds(now)})
            elif item["code"] != known["code"]:
                self._replace(name, known | {"since": seconds(now)}, item["code"])
            elif moment_in(item, "expiration") < now + _RENEWED:
                self._change(name, known, "attribute_exists(code)")
        except Refused:
            return  # another one was first

    def holds(self) -> list[Hold]:
        """Return the live releases that are held, and that nobody has let go."""
        items = {item["id"]["S"]: item for item in self._scan()}
        found = [hold for item in items.values() if (hold := hold_in(item)) is not None]
        lives = [items.get(id_of_live(hold.function)) for hold in found]  # none, as long as recovery has seen none
        return [hold for hold, live in zip(found, lives, strict=True) if live is None or is_live(hold.release, live)]

    def let_go(self, function: str, release: str) -> None:
        """Let a release go on, whatever becomes of its messages: it is never held again."""
        try:
            self._change(id_of(function, release), {"is_let_go": {"BOOL": True}}, "attribute_exists(id)")
        except Refused:
            return  # nothing is known of it

    def _change(
        self,
        name: str,
        sets: Item,
        condition: str = "",
        *,
        firsts: Item | None = None,
        adds: Mapping[str, int] | None = None,
    ) -> Item:
        """Set attributes, those of `firsts` where they are not there yet, and add numbers; return the item then."""
        firsts, added = firsts or {}, {one: {"N": str(count)} for one, count in (adds or {}).items()}
        values = {**sets, **firsts, **added}
        places = {one: f"n{place}" for place, one in enumerate(values)}
        parts = [f"#{places[one]} = :{places[one]}" for one in sets]
        parts += [f"#{places[one]} = if_not_exists(#{places[one]}, :{places[one]})" for one in firsts]
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": {"id": {"S": name}},
            "UpdateExpression": f"SET {', '.join(parts)}",
            "ExpressionAttributeNames": {f"#{place}": one for one, place in places.items()},
            "ExpressionAttributeValues": {f":{places[one]}": value for one, value in values.items()},
            "ReturnValues": "ALL_NEW",
        }
        if added:
            request["UpdateExpression"] += f" ADD {', '.join(f'#{places[one]} :{places[one]}' for one in added)}"
        if condition:
            request |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        with answered(_NO_ANSWER):
            return self._client.update_item(**request)["Attributes"]  # type: ignore[no-any-return]

    def _replace(self, name: str, attributes: Item, code: Any) -> None:
        """Let a release begin anew: whatever was known of the code before is gone."""
        with answered(_NO_ANSWER):
            self._client.put_item(
                TableName=self._table,
                Item={"id": {"S": name}, **attributes},
                ConditionExpression="code = :code",
                ExpressionAttributeValues={":code": code},
            )

    def _read(self, name: str) -> Item:
        with answered(_NO_ANSWER):
            answer = self._client.get_item(TableName=self._table, Key={"id": {"S": name}}, ConsistentRead=True)
        return answer.get("Item", {})  # type: ignore[no-any-return]

    def _scan(self) -> Iterator[Item]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "FilterExpression": "begins_with(id, :prefix) AND (attribute_exists(held_group) OR attribute_exists(live))",
            "ExpressionAttributeValues": {":prefix": {"S": id_of_live("")}},
        }
        while True:
            with answered(_NO_ANSWER):
                answer = self._client.scan(**request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
