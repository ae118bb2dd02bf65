"""A shop order in; priced, charged, stored, and its items taken from stock, once, however often it is delivered."""

import os
from collections import Counter
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import boto3
import payments
from botocore.exceptions import ClientError

from backstop import Message, PermanentError, TransientError, retry


class PriceNotPublished(TransientError):
    """The catalogue has no price yet: the product's own event is still on its way."""


class CurrencyMismatch(PermanentError):
    """The catalogue's price is in another currency than the order's."""


class OutOfStock(PermanentError):
    """The product's stock does not cover the order: a person decides."""


class StockContended(TransientError):
    """Another order took from the same stock at the same moment."""


def handle(order: Mapping[str, Any], message: Message) -> None:
    """Price the order from the catalogue, charge it, then store it and take its items from stock in one transaction.

    An order that is charged and finds no stock is a dead letter: a person gives the money back.
    """
    quantities: Counter[str] = Counter()
    for item in order["items"]:
        quantities[item["sku"]] += int(item["quantity"])  # JSON Schema takes 1.0 for an integer, too
    prices = read_prices(quantities.keys(), order["currency"])
    total = sum(prices[sku] * quantity for sku, quantity in quantities.items())
    payments.charge(order, total, message.token)
    place(order, quantities, total, message.token)


def read_prices(skus: Collection[str], currency: str) -> dict[str, int]:
    """Return the price of each product in the currency's smallest unit: money is a whole number, never a float."""
    table = os.environ["CATALOG_TABLE"]
    keys = [{"sku": {"S": sku}} for sku in skus]
    answer = dynamodb().batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    if answer.get("UnprocessedKeys"):
        raise TransientError("the catalogue is throttled")
    products = {product["sku"]["S"]: product for product in answer["Responses"][table]}
    for sku in skus:
        if "price" not in products.get(sku, {}):
            raise PriceNotPublished(f"no price for {sku!r}")
        if products[sku]["currency"]["S"] != currency:
            raise CurrencyMismatch(f"{sku!r} is not sold in {currency!r}")
    return {sku: int(product["price"]["N"]) for sku, product in products.items()}


@retry(on=StockContended)
def place(order: Mapping[str, Any], quantities: Mapping[str, int], total: int, token: str) -> None:
    """Store the order and take its items from stock: all of it or nothing, and only if it is not stored yet.

    That condition makes the effect happen once even where a worker died in the middle and the order is run again.
    """
    stored = {
        "id": {"S": order["id"]},
        "token": {"S": token},
        "customer": {"S": order["customer"]},
        "currency": {"S": order["currency"]},
        "total": {"N": str(total)},
        "items": {"M": {sku: {"N": str(quantity)} for sku, quantity in quantities.items()}},
        "placed_at": {"S": order["placed_at"]},
    }
    put = {"TableName": os.environ["ORDERS_TABLE"], "Item": stored, "ConditionExpression": "attribute_not_exists(id)"}
    takes = [{"Update": take(sku, quantity)} for sku, quantity in quantities.items()]
    try:
        dynamodb().transact_write_items(TransactItems=[{"Put": put}, *takes])
    except ClientError as error:
        reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
        if not reasons:
            raise
        if reasons[0] == "ConditionalCheckFailed":
            return  # stored by an earlier run of this order
        if "TransactionConflict" in reasons:
            raise StockContended("other orders take from the same stock") from error
        if "ConditionalCheckFailed" in reasons:
            raise OutOfStock("the stock does not cover the order") from error
        raise


def take(sku: str, quantity: int) -> dict[str, Any]:
    """Return the update that takes `quantity` from a product's stock, which never falls below nothing."""
    return {
        "TableName": os.environ["CATALOG_TABLE"],
        "Key": {"sku": {"S": sku}},
        "UpdateExpression": "SET stock = stock - :quantity",
        "ConditionExpression": "stock >= :quantity",
        "ExpressionAttributeValues": {":quantity": {"N": str(quantity)}},
    }


@cache
def dynamodb() -> Any:
    """Return the DynamoDB client, made at first use."""
    return boto3.client("dynamodb")
