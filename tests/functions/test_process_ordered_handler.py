"""The sample: changes of an order's status are applied in their order, once, through the real app.py and handler.py."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.source import WorkerDied
from tests.ordered_lane import STATUSES, OrderedLane, plain


def store(orders: OrderedLane, order_id: str, **more: Any) -> None:
    """Store an order as `process` does."""
    stored = {"id": {"S": order_id}, "token": {"S": "t"}, "customer": {"S": "c-1"}, "total": {"N": "250"}}
    orders.tables.put_item(TableName="orders", Item=stored | more, ConditionExpression="attribute_not_exists(id)")


def order_in(orders: OrderedLane, order_id: str) -> dict[str, Any]:
    item = orders.tables.get_item(TableName="orders", Key={"id": {"S": order_id}}, ConsistentRead=True).get("Item", {})
    return plain(item)


def history(orders: OrderedLane, order_id: str) -> list[str]:
    """Return the statuses that were applied to an order, in their order."""
    return [entry["M"]["status"]["S"] for entry in order_in(orders, order_id).get("history", [])]


def forget_what_is_done(orders: OrderedLane) -> None:
    """Empty the idempotency table, so that only the handler itself stands between a change and its second run."""
    for item in orders.tables.scan(TableName="idempotency")["Items"]:
        orders.tables.delete_item(TableName="idempotency", Key={"id": item["id"]})


class TestChanges:
    def test_are_applied_in_their_order(self, orders: OrderedLane) -> None:
        store(orders, "a")
        orders.send(*"aaaaa")
        assert orders.deliver().answer == {"batchItemFailures": []}
        assert history(orders, "a") == list(STATUSES)
        order = order_in(orders, "a")
        assert (order["status"], order["changes"]) == ("delivered", "5")
        assert "violations" not in order
        assert orders.worker.printed() == ""

    def test_go_on_after_the_last_status_with_the_first_one(self, orders: OrderedLane) -> None:
        store(orders, "a")
        orders.send(*"aaaaaaa")
        orders.run_until_quiet()
        assert history(orders, "a") == [*STATUSES, "placed", "paid"]

    def test_say_when_they_were_changed_sent_and_applied(self, orders: OrderedLane) -> None:
        store(orders, "a")
        orders.send("a")
        orders.deliver()
        [entry] = order_in(orders, "a")["history"]
        now = orders.clock.now().isoformat(timespec="milliseconds")
        told = {name: value["S"] for name, value in entry["M"].items() if name != "token"}
        assert told == {"status": "placed", "changed_at": "2026-01-05T09:00:00Z", "sent_at": now, "applied_at": now}

    def test_leave_the_order_as_process_stored_it(self, orders: OrderedLane) -> None:
        store(orders, "a")
        orders.send(*"aa")
        orders.deliver()
        order = order_in(orders, "a")
        assert (order["token"], order["customer"], order["total"]) == ("t", "c-1", "250")

    @pytest.mark.parametrize("number", ["1", "1.0", "1e0"])
    def test_are_counted_however_their_number_is_spelt(self, orders: OrderedLane, number: str) -> None:
        store(orders, "a")
        orders.send_body("a", json.dumps(orders.change("a")).replace('"number": 1', f'"number": {number}'))
        orders.deliver()
        assert order_in(orders, "a")["changes"] == "1"


class TestTheSameChangeAgain:
    def test_has_no_effect(self, orders: OrderedLane) -> None:
        store(orders, "a")
        change = json.dumps(orders.change("a"))
        orders.send_body("a", change)
        orders.deliver()
        forget_what_is_done(orders)
        orders.send_body("a", change + " ")
        assert orders.deliver().answer == {"batchItemFailures": []}
        assert history(orders, "a") == ["placed"]
        assert "violations" not in order_in(orders, "a")
        assert orders.worker.printed() == ""

    def test_has_no_effect_where_others_came_in_between(self, orders: OrderedLane) -> None:
        store(orders, "a")
        change = json.dumps(orders.change("a"))
        orders.send_body("a", change)
        orders.send(*"aa")
        orders.deliver()
        forget_what_is_done(orders)
        orders.send_body("a", change + " ")
        orders.deliver()
        assert history(orders, "a") == ["placed", "paid", "packed"]
        assert orders.worker.printed() == ""

    def test_has_no_effect_where_its_worker_died_after_the_fact(self, orders: OrderedLane) -> None:
        store(orders, "a")
        orders.send(*"aa")
        orders.faults.die_before(4)
        assert isinstance(orders.deliver().error, WorkerDied)
        assert history(orders, "a") == ["placed"]
        orders.run_until_quiet()
        assert history(orders, "a") == ["placed", "paid"]
        assert orders.items() == []


class TestAChangeThatIsNotTheNext:
    @pytest.mark.parametrize("number", [2, 3, 5])
    def test_is_dead_and_counted_as_a_violation(self, orders: OrderedLane, number: int) -> None:
        store(orders, "a")
        gap = orders.change("a", number=number, status=STATUSES[(number - 1) % 5])
        orders.send_body("a", json.dumps(gap))
        orders.deliver()
        [report] = orders.reports()
        assert (report["error_type"], report["kind"], report["verdict"]) == ("OutOfOrder", "permanent", "Dead")
        assert len(order_in(orders, "a")["violations"]) == 1
        assert history(orders, "a") == []

    def test_that_was_overtaken_is_one_too(self, orders: OrderedLane) -> None:
        store(orders, "a")
        orders.send(*"aa")
        orders.deliver()
        orders.send_body("a", json.dumps(orders.change("a", "another", number=1, status="placed")))
        orders.deliver()
        assert [report["error_type"] for report in orders.reports()] == ["OutOfOrder"]
        assert len(order_in(orders, "a")["violations"]) == 1
        assert history(orders, "a") == ["placed", "paid"]

    def test_counts_once_however_often_it_comes(self, orders: OrderedLane) -> None:
        store(orders, "a")
        gap = json.dumps(orders.change("a", number=3, status="packed"))
        for group in ("a", "b", "c"):  # so that none waits behind the other
            orders.send_body(group, gap + " " * ord(group))
        orders.deliver()
        assert len(orders.reports()) == 3
        assert len(order_in(orders, "a")["violations"]) == 1

    def test_counts_each_that_is_another(self, orders: OrderedLane) -> None:
        store(orders, "a")
        for number, group in ((3, "a"), (4, "b")):
            gap = orders.change("a", f"gap-{number}", number=number, status=STATUSES[number - 1])
            orders.send_body(group, json.dumps(gap))
        orders.deliver()
        assert len(order_in(orders, "a")["violations"]) == 2

    def test_of_another_status_than_its_number_has_is_dead_without_a_violation(self, orders: OrderedLane) -> None:
        store(orders, "a")
        orders.send_body("a", json.dumps(orders.change("a", status="shipped")))
        orders.deliver()
        [report] = orders.reports()
        assert (report["error_type"], report["verdict"]) == ("PermanentError", "Dead")
        assert "violations" not in order_in(orders, "a")


class TestAnOrderThatIsNotStoredYet:
    def test_is_waited_for_and_its_changes_are_applied_then(self, orders: OrderedLane) -> None:
        orders.send(*"aaa")
        orders.deliver()
        [report] = orders.reports()
        assert (report["error_type"], report["kind"], report["verdict"]) == ("OrderNotStored", "transient", "Park")
        assert order_in(orders, "a") == {}
        store(orders, "a")
        orders.run_until_quiet()
        assert history(orders, "a") == ["placed", "paid", "packed"]
        assert "violations" not in order_in(orders, "a")
        assert orders.items() == []

    def test_is_not_made_by_its_changes(self, orders: OrderedLane) -> None:
        """`process` stores an order only where there is none."""
        orders.send(*"aa")
        orders.run_until_quiet()
        assert order_in(orders, "a") == {}
        store(orders, "a")


@pytest.mark.parametrize(
    "wrong",
    [{"number": 0}, {"number": 1.5}, {"status": "lost"}, {"order": ""}, {"changed_at": "today"}, {"more": 1}],
    ids=str,
)
def test_what_is_no_change_is_dead(orders: OrderedLane, wrong: dict[str, Any]) -> None:
    store(orders, "a")
    orders.send_body("a", json.dumps(orders.change("a") | wrong))
    orders.deliver()
    assert [report["dead_because"] for report in orders.reports()] == ["permanent"]
    assert history(orders, "a") == []
