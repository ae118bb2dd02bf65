from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from backstop.drill import Mark
from ops.drill.ground import Ground
from ops.drill.plan import STOCK, make
from ops.stack import Stack
from tests.fakes.sqs import FakeSqs

pytestmark = pytest.mark.usefixtures("tables")

PLAN = make(3, 1, "d", datetime(2026, 1, 5, 9, 0, tzinfo=UTC))


@pytest.fixture
def ground(stack: Stack, tables: None) -> Ground:
    return Ground(stack)


def prices(stack: Stack) -> dict[str, str | None]:
    items = stack.dynamodb.scan(TableName="catalog")["Items"]
    return {item["sku"]["S"]: item.get("price", {}).get("N") for item in items}


def letter(sqs: FakeSqs, mark: Mark | str | None, trail: object = None) -> None:
    values = {
        "backstop-drill": mark.serialise() if isinstance(mark, Mark) else mark,
        "backstop": json.dumps(trail) if trail is not None else None,
    }
    attributes: dict[str, Any] = {
        name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value is not None
    }
    sqs.send_message(QueueUrl=sqs.queue("shop-dead").url, MessageBody="{}", MessageAttributes=attributes)


def test_it_stocks_up_every_product_and_prices_all_but_the_late_and_the_unpriced(ground: Ground, stack: Stack) -> None:
    ground.stock_up(PLAN)

    without = {*PLAN.late_products, PLAN.unpriced_product}
    assert prices(stack) == {sku: None if sku in without else "450" for sku in PLAN.all_products}
    assert ground.stock(PLAN.all_products) == dict.fromkeys(PLAN.all_products, STOCK)


def test_it_stocks_up_more_products_than_one_call_takes(ground: Ground) -> None:
    plan = make(6000, 1, "d", datetime(2026, 1, 5, tzinfo=UTC))

    ground.stock_up(plan)

    assert len(ground.stock(plan.all_products)) == 64


def test_it_publishes_the_late_prices(ground: Ground, stack: Stack) -> None:
    ground.stock_up(PLAN)
    ground.publish_prices(PLAN.late_products)

    assert [sku for sku, price in prices(stack).items() if price is None] == [PLAN.unpriced_product]


def test_it_finds_the_stored_among_many_orders(ground: Ground, stack: Stack) -> None:
    stack.dynamodb.put_item(TableName="orders", Item={"id": {"S": "o-150"}, "items": {"M": {"tea": {"N": "2"}}}})

    assert ground.orders(f"o-{number}" for number in range(250)) == {"o-150": {"tea": 2}}
    assert ground.orders([]) == {}


def test_it_reads_on_where_dynamodb_left_keys_out(
    ground: Ground, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.stock_up(PLAN)
    read = stack.dynamodb.batch_get_item

    def read_one(RequestItems: Any) -> Any:  # noqa: N803  # boto3's name
        first, *others = RequestItems["catalog"]["Keys"]
        answer = read(RequestItems={"catalog": RequestItems["catalog"] | {"Keys": [first]}})
        answer["UnprocessedKeys"] = {"catalog": RequestItems["catalog"] | {"Keys": others}} if others else {}
        return answer

    monkeypatch.setattr(stack.dynamodb, "batch_get_item", read_one)

    assert set(ground.stock(PLAN.all_products)) == set(PLAN.all_products)


def test_it_counts_what_waits_what_is_in_flight_and_what_is_delayed(ground: Ground, sqs: FakeSqs) -> None:
    queue = sqs.queue("shop-retry")
    for delay in (0, 0, 60):
        sqs.send_message(QueueUrl=queue.url, MessageBody="{}", DelaySeconds=delay)
    sqs.receive_message(QueueUrl=queue.url)

    assert ground.depth("RetryQueue") == 3


def test_it_tells_why_each_letter_of_its_drill_is_dead(ground: Ground, sqs: FakeSqs) -> None:
    letter(sqs, Mark("d", 1), {"dead_because": "permanent"})
    letter(sqs, Mark("d", 2), {"dead_because": "exhausted"})
    letter(sqs, Mark("d", 3))
    letter(sqs, Mark("another", 4), {"dead_because": "permanent"})
    letter(sqs, None, {"dead_because": "permanent"})
    letter(sqs, "no mark", {"dead_because": "permanent"})

    assert ground.dead("d") == {1: "permanent", 2: "exhausted", 3: "moved by SQS"}


@pytest.mark.parametrize("trail", [[], 17, "text", {}], ids=json.dumps)
def test_a_letter_whose_history_is_none_was_moved_by_sqs(ground: Ground, sqs: FakeSqs, trail: object) -> None:
    letter(sqs, Mark("d", 1), trail)

    assert ground.dead("d") == {1: "moved by SQS"}


def test_reading_letters_leaves_them_visible(ground: Ground, sqs: FakeSqs) -> None:
    for number in range(25):
        letter(sqs, Mark("d", number))

    assert ground.dead("d") == ground.dead("d")
    assert len(ground.dead("d")) == 25
    assert len(sqs.queue("shop-dead").messages) == 25


def test_letters_are_visible_again_even_if_reading_them_fails(ground: Ground, sqs: FakeSqs, stack: Stack) -> None:
    letter(sqs, Mark("d", 1))
    receive, calls = sqs.receive_message, iter((True, False))

    def receive_once(**request: Any) -> Any:
        if next(calls):
            return receive(**request)
        raise ConnectionError

    stack.sqs.receive_message = receive_once  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        ground.dead("d")

    assert len(receive(QueueUrl=sqs.queue("shop-dead").url)["Messages"]) == 1
