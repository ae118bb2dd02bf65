"""The sample: orders are priced, stored and taken from stock, once, through the real app.py and handler.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.faults import Fault, Faults
from tests.fakes.source import WorkerDied
from tests.lane import ProcessLane

TEA_AND_RICE = [{"sku": "tea", "quantity": 2}, {"sku": "rice", "quantity": 1}, {"sku": "tea", "quantity": 1}]


def publish(shop: ProcessLane, sku: str, price: int = 250, stock: int = 100, currency: str = "EUR") -> None:
    item = {"sku": {"S": sku}, "price": {"N": str(price)}, "stock": {"N": str(stock)}, "currency": {"S": currency}}
    shop.tables.put_item(TableName="catalog", Item=item)


def stock_of(shop: ProcessLane, sku: str) -> int:
    item = shop.tables.get_item(TableName="catalog", Key={"sku": {"S": sku}})["Item"]
    return int(item["stock"]["N"])


def order_in(shop: ProcessLane, event_id: str) -> dict[str, Any] | None:
    item: dict[str, Any] | None = shop.tables.get_item(TableName="orders", Key={"id": {"S": event_id}}).get("Item")
    return item


def handlers_client(shop: ProcessLane) -> Any:
    """Return the DynamoDB client of the handler's next run."""
    shop.start()
    return sys.modules["handler"].dynamodb()


def on_transaction(client: Any, when: str, act: Callable[[], object]) -> None:
    """Let `act` decide what becomes of the handler's transaction, `before-call` or `after-call`."""
    client.meta.events.register(f"{when}.dynamodb.TransactWriteItems", lambda **_: act())


class TestAnOrder:
    def test_is_stored_with_its_price_and_taken_from_stock(self, shop: ProcessLane) -> None:
        publish(shop, "tea", price=250)
        publish(shop, "rice", price=199)
        shop.send(shop.order("a", items=TEA_AND_RICE))
        assert shop.deliver().answer == {"batchItemFailures": []}
        stored = order_in(shop, "a")
        assert stored is not None
        assert stored["total"] == {"N": "949"}
        assert stored["items"] == {"M": {"tea": {"N": "3"}, "rice": {"N": "1"}}}
        assert (stock_of(shop, "tea"), stock_of(shop, "rice")) == (97, 99)
        assert shop.printed() == ""

    @pytest.mark.parametrize("quantity", ["1", "1.0", "1e0"])
    def test_costs_a_whole_number_however_its_quantity_is_spelt(self, shop: ProcessLane, quantity: str) -> None:
        price = 2**53 + 1  # the first whole number that a float cannot hold
        publish(shop, "tea", price=price)
        shop.send(json.dumps(shop.order("a")).replace('"quantity": 1', f'"quantity": {quantity}'))
        shop.deliver()
        stored = order_in(shop, "a")
        assert stored is not None
        assert stored["total"] == {"N": str(price)}
        assert stored["items"] == {"M": {"tea": {"N": "1"}}}

    def test_waits_for_its_price_and_is_placed_once_that_is_published(self, shop: ProcessLane) -> None:
        shop.send(shop.order("a"))
        shop.deliver()
        [trail] = shop.trails(shop.retries)
        assert (trail["kind"], trail["error_type"]) == ("transient", "PriceNotPublished")
        assert trail["reason"] == "no price for <quoted>"
        publish(shop, "tea")
        shop.run_until_quiet()
        assert order_in(shop, "a")
        assert stock_of(shop, "tea") == 99
        assert [report["pipeline_event"] for report in shop.reports()] == ["failed", "recovered"]

    def test_without_a_price_ends_as_a_dead_letter_with_its_reason(self, shop: ProcessLane) -> None:
        shop.send(shop.order("a"))
        shop.run_until_quiet()
        [trail] = shop.trails(shop.dead_letters)
        assert (trail["dead_because"], trail["error_type"], trail["attempt"]) == ("exhausted", "PriceNotPublished", 6)

    def test_takes_its_items_from_stock_once_although_its_worker_dies_after_the_fact(self, shop: ProcessLane) -> None:
        def die() -> None:
            raise WorkerDied("out of memory")

        publish(shop, "tea")
        on_transaction(handlers_client(shop), "after-call", die)
        shop.send(shop.order("a"))
        assert isinstance(shop.deliver().error, WorkerDied)
        assert order_in(shop, "a")
        shop.run_until_quiet()
        assert stock_of(shop, "tea") == 99
        assert shop.dead_letters.messages == []

    def test_carries_the_token_of_its_event(self, shop: ProcessLane) -> None:
        publish(shop, "tea")
        shop.send(shop.order("a"), shop.order("b"))
        shop.deliver()
        tokens = {stored["token"]["S"] for event_id in "ab" if (stored := order_in(shop, event_id))}
        assert len(tokens) == 2


class TestAnOrderThatCannotBePlaced:
    @pytest.mark.parametrize(
        ("product", "error_type"),
        [
            pytest.param({"stock": 0}, "OutOfStock", id="out of stock"),
            pytest.param({"currency": "USD"}, "CurrencyMismatch", id="in another currency"),
        ],
    )
    def test_is_dead_at_once_and_takes_nothing(
        self, shop: ProcessLane, product: dict[str, Any], error_type: str
    ) -> None:
        publish(shop, "tea", **product)
        publish(shop, "rice")
        shop.send(shop.order("a", items=TEA_AND_RICE))
        shop.deliver()
        [trail] = shop.trails(shop.dead_letters)
        assert (trail["dead_because"], trail["error_type"]) == ("permanent", error_type)
        assert order_in(shop, "a") is None
        assert stock_of(shop, "rice") == 100

    def test_is_reported_with_the_place_in_the_teams_own_code(self, shop: ProcessLane) -> None:
        publish(shop, "tea", stock=0)
        shop.send(shop.order("a"))
        shop.deliver()
        [report] = shop.reports()
        assert report["where"] == "handler:place"

    def test_may_be_the_last_piece_but_never_less(self, shop: ProcessLane) -> None:
        publish(shop, "tea", stock=1)
        shop.send(shop.order("a"), shop.order("b"))
        shop.deliver()
        assert stock_of(shop, "tea") == 0
        assert len(shop.dead_letters.messages) == 1


class TestAContendedStock:
    def conflict(self) -> Any:
        reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
        answer = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
        return SimpleNamespace(status_code=400), answer | {"ResponseMetadata": {"HTTPStatusCode": 400}}

    def test_is_tried_again_within_the_invocation(self, shop: ProcessLane) -> None:
        publish(shop, "tea")
        answers = [self.conflict(), self.conflict(), None]
        on_transaction(handlers_client(shop), "before-call", lambda: answers.pop(0))
        shop.send(shop.order("a"))
        shop.deliver()
        assert stock_of(shop, "tea") == 99
        assert shop.reports() == []

    def test_is_a_transient_failure_where_it_lasts(self, shop: ProcessLane) -> None:
        publish(shop, "tea")
        answers = [self.conflict()] * 3 + [None] * 9
        on_transaction(handlers_client(shop), "before-call", lambda: answers.pop(0))
        shop.send(shop.order("a"))
        shop.deliver()
        [trail] = shop.trails(shop.retries)
        assert (trail["kind"], trail["error_type"]) == ("transient", "StockContended")
        shop.run_until_quiet()
        assert stock_of(shop, "tea") == 99


class TestDynamoDbThatFailsTheHandler:
    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            pytest.param(Fault.THROTTLED, "transient", id="throttled"),
            pytest.param(Fault.DENIED, "system", id="access denied"),
            pytest.param(Fault.UNREACHABLE, "transient", id="no connection"),
            pytest.param(Fault.ANSWER_LOST, "transient", id="the connection breaks afterwards"),
        ],
    )
    @pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems"])
    def test_is_retried_and_the_effect_happens_once(
        self, shop: ProcessLane, operation: str, fault: Fault, kind: str
    ) -> None:
        publish(shop, "tea")
        faults = Faults()
        faults.fail(operation, fault)
        with faults.installed(handlers_client(shop)):
            shop.send(shop.order("a"))
            shop.deliver()
            assert [trail["kind"] for trail in shop.trails(shop.retries)] == [kind]
            shop.run_until_quiet()
        assert stock_of(shop, "tea") == 99
        assert order_in(shop, "a")
