"""Calls about one table in, their answers out, with what DynamoDB's refusals mean to the table of parked events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from backstop.aws.answers import Cancelled, Refused, answered
from backstop.aws.parked_items import Item, names
from backstop.errors import StoreUnavailable
from backstop.retry import retry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NO_ANSWER: Final = "the table of parked events did not answer"


class Contended(StoreUnavailable):
    """Raised when other calls were changing the same key, each time that it was tried."""


class Calls:
    """The calls that the table of parked events takes. Each raises StoreUnavailable where DynamoDB does not answer."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client: Any = client  # expressions come in one form here; the stubs know one a call
        self._table = table

    def get(self, key: Item) -> Item | None:
        """Return an item, as of now."""
        with answered(_NO_ANSWER):
            item: Item | None = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return item

    def get_all(self, keys: Sequence[Item]) -> tuple[list[Item], list[Item]]:
        """Return those of up to 100 items that are there, as of now, and the keys of which nothing was told."""
        request = {"Keys": list(keys), "ConsistentRead": True}
        with answered(_NO_ANSWER):
            answer = self._client.batch_get_item(RequestItems={self._table: request})
        missed = (answer.get("UnprocessedKeys") or {}).get(self._table, {}).get("Keys", [])
        return answer["Responses"].get(self._table, []), missed

    def put(self, item: Item) -> None:
        """Put an item."""
        with answered(_NO_ANSWER):
            self._client.put_item(TableName=self._table, Item=item)

    def query(self, query: Item) -> Any:
        """Return one page of a query."""
        with answered(_NO_ANSWER):
            return self._client.query(TableName=self._table, **query)

    def pages(self, query: Item) -> Iterator[Any]:
        """Return every page of a query."""
        while True:
            page = self.query(query)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            query = query | {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def change(self, change: Item) -> Item | None:
        """Change an item and return it as it is now; None where its condition does not hold."""
        try:
            with answered(_NO_ANSWER):
                answer = self._client.update_item(TableName=self._table, ReturnValues="ALL_NEW", **change)
        except Refused:
            return None
        found: Item = answer["Attributes"]
        return found

    def delete_if(self, key: Item, condition: str, values: Item) -> bool:
        """Delete an item; returns whether the condition held."""
        try:
            with answered(_NO_ANSWER):
                self._client.delete_item(
                    TableName=self._table,
                    Key=key,
                    ConditionExpression=condition,
                    ExpressionAttributeNames=names(condition),
                    ExpressionAttributeValues=values,
                )
        except Refused:
            return False
        return True

    @retry(on=Contended, attempts=6, wait_initial=0.02, wait_max=0.3)
    def transact(self, *actions: Item) -> list[bool]:
        """Make all of several changes, or none; returns, a change, whether its condition does not hold.

        Raises Contended where other calls keep changing the same items.
        """
        named = [{kind: action | {"TableName": self._table} for kind, action in one.items()} for one in actions]
        try:
            with answered(_NO_ANSWER):
                self._client.transact_write_items(TransactItems=named)
        except Cancelled as cancelled:
            if "TransactionConflict" in cancelled.codes:
                raise Contended("other calls change the same key") from cancelled
            if not set(cancelled.codes) <= {"None", "ConditionalCheckFailed"}:
                raise StoreUnavailable(f"{_NO_ANSWER}: {', '.join(cancelled.codes)}") from cancelled
            return [code == "ConditionalCheckFailed" for code in cancelled.codes]
        return [False] * len(actions)
