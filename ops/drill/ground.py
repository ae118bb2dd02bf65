"""A stack in, what is in its tables and queues out: the drill's eyes and hands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from backstop.drill import ATTRIBUTE, mark_of
from backstop.trail import ATTRIBUTE as TRAIL
from ops.drill.plan import CURRENCY, STOCK, Plan
from ops.drill.rehearsed import depth, read_items, require_drills
from ops.failure import CallFailed
from ops.sending import chunks
from ops.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_KEYS: Final = 100
"""Keys that a BatchGetItem call takes (DynamoDB quotas)."""
_HIDDEN_SECONDS: Final = 120
_PRICE: Final = 450


class Ground:
    """The tables and queues of the stack that a drill runs on."""

    def __init__(self, stack: Stack) -> None:
        require_drills(stack)
        self._stack = stack
        self._orders = stack.output("OrdersTableName")
        self._catalog = stack.output("CatalogTableName")

    def stock_up(self, plan: Plan) -> None:
        """Put the drill's products into the catalogue: the late ones and the unpriced one without a price."""
        items = [_product(sku, is_priced=sku in plan.products) for sku in plan.all_products]
        for some in chunks(items, 25):
            requests: Any = {self._catalog: [{"PutRequest": {"Item": item}} for item in some]}
            answer = self._stack.dynamodb.batch_write_item(RequestItems=requests)
            if answer.get("UnprocessedItems"):
                raise CallFailed("the catalogue did not take all of the drill's products: try again")

    def publish_prices(self, skus: Iterable[str]) -> None:
        """Give the late products their price."""
        for sku in skus:
            self._stack.dynamodb.update_item(
                TableName=self._catalog,
                Key={"sku": {"S": sku}},
                UpdateExpression="SET price = :price",
                ExpressionAttributeValues={":price": {"N": str(_PRICE)}},
            )

    def orders(self, ids: Iterable[str]) -> dict[str, dict[str, int]]:
        """Return the quantities by product of those orders that are stored."""
        found = self._read(self._orders, "id", ids)
        return {
            item["id"]["S"]: {sku: int(quantity["N"]) for sku, quantity in item["items"]["M"].items()} for item in found
        }

    def stock(self, skus: Iterable[str]) -> dict[str, int]:
        """Return what is left of each product."""
        return {item["sku"]["S"]: int(item["stock"]["N"]) for item in self._read(self._catalog, "sku", skus)}

    def depth(self, queue: str) -> int:
        """Return how many messages are in a queue: waiting, in flight and delayed."""
        return depth(self._stack, queue)

    def dead(self, drill: str) -> dict[int, str]:
        """Return why each of the drill's dead letters is one, by its number; all of them are visible again after."""
        url = self._stack.queue_urls["DeadLetterQueue"]
        reasons: dict[int, str] = {}
        handles: list[str] = []
        try:
            for message in self._receive_all(url):
                handles.append(message["ReceiptHandle"])
                attributes = message.get("MessageAttributes", {})
                mark = mark_of(_string(attributes, ATTRIBUTE))
                if mark is not None and mark.drill == drill:
                    reasons.setdefault(mark.number, _reason(attributes))
        finally:
            self._show_again(url, handles)
        return reasons

    def _receive_all(self, url: str) -> Iterator[MessageTypeDef]:
        while True:
            messages = self._stack.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=_HIDDEN_SECONDS,
                WaitTimeSeconds=1,
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if not messages:
                return
            yield from messages

    def _show_again(self, url: str, handles: list[str]) -> None:
        for some in chunks(handles, 10):
            self._stack.sqs.change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for number, handle in enumerate(some)
                ],
            )

    def _read(self, table: str, key: str, values: Iterable[str]) -> list[Mapping[str, Any]]:
        with ThreadPoolExecutor(4) as pool:
            pages = pool.map(lambda some: read_items(self._stack, table, key, some), chunks(values, _KEYS))
            return [item for page in pages for item in page]


def _product(sku: str, *, is_priced: bool) -> dict[str, Any]:
    product = {"sku": {"S": sku}, "currency": {"S": CURRENCY}, "stock": {"N": str(STOCK)}}
    return product | {"price": {"N": str(_PRICE)}} if is_priced else product


def _string(attributes: Mapping[str, Any], name: str) -> str | None:
    value = attributes.get(name, {}).get("StringValue")
    return str(value) if value is not None else None


def _reason(attributes: Mapping[str, Any]) -> str:
    try:
        return str(json.loads(_string(attributes, TRAIL) or "")["dead_because"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return "moved by SQS"
