"""What is an event and what is none, through the real app.py."""

from __future__ import annotations

import json

import pytest

from tests.lane import ProcessLane


def order_with(**fields: object) -> str:
    order = {
        "id": "a",
        "customer": "c-1",
        "currency": "EUR",
        "placed_at": "2026-01-05T09:00:00Z",
        "items": [{"sku": "tea", "quantity": 1}],
    }
    return json.dumps(order | fields)


class TestBodiesThatAreNoEvent:
    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            pytest.param("not JSON", "not JSON", id="not JSON"),
            pytest.param(" ", "not JSON", id="white space"),
            pytest.param('{"id": "a"', "not JSON", id="cut off"),
            pytest.param('{"id": "a"}{}', "not JSON", id="two events"),
            pytest.param("﻿" + order_with(), "not JSON", id="a byte order mark"),
            pytest.param("null", "JSON object", id="null"),
            pytest.param("[]", "JSON object", id="a list"),
            pytest.param('"order"', "JSON object", id="a string"),
            pytest.param("{}", "must contain", id="an empty object"),
            pytest.param(order_with(id=7), "id must be string", id="an id that is a number"),
            pytest.param(order_with(id=""), "id must match pattern", id="an empty id"),
            pytest.param(order_with(items=[]), "at least <number> items", id="no items"),
            pytest.param(order_with(items=[{"sku": "tea", "quantity": "1"}]), "must be integer", id="a number as text"),
            pytest.param(order_with(items=[{"sku": "tea", "quantity": 1.5}]), "must be integer", id="half a tea"),
            pytest.param(order_with(items=[{"sku": "tea", "quantity": True}]), "must be integer", id="true for one"),
            pytest.param(order_with(customer=float("nan")), "NaN is not JSON", id="NaN"),
            pytest.param(order_with(customer=float("-inf")), "Infinity is not JSON", id="minus infinity"),
            pytest.param(order_with(note=1), "must not contain", id="a key that the schema does not know"),
            pytest.param(order_with(customer="\ud800"), "lone surrogate", id="an escaped lone surrogate"),
            pytest.param("[" * 10_000, "nested deeper", id="10,000 brackets"),
            pytest.param("[" * 10_000 + "]" * 10_000, "nested deeper", id="10,000 lists"),
            pytest.param('{"id":' * 10_000 + "1" + "}" * 10_000, "nested deeper", id="10,000 objects"),
            pytest.param(order_with(items=[{"sku": "tea", "quantity": 10**4000}]), "smaller", id="4,000 digits"),
            pytest.param('{"id":' + "9" * 5000 + "}", "beyond all bounds", id="more digits than Python reads"),
            pytest.param("x" * (1024 * 1024 - 2048), "not JSON", id="almost 1 MiB of nothing"),
        ],
    )
    def test_are_dead_the_first_time_with_a_reason(self, lane: ProcessLane, body: str, reason: str) -> None:
        lane.send(body)
        delivery = lane.deliver()
        assert delivery.answer == {"batchItemFailures": []}
        assert lane.handler.runs == []
        [letter] = lane.dead_letters.messages
        assert letter.body == body
        [trail] = lane.trails(lane.dead_letters)
        assert (trail["verdict"], trail["dead_because"], trail["kind"]) == ("dead", "permanent", "permanent")
        assert trail["attempt"] == 0
        assert reason in trail["reason"]

    def test_never_cost_their_neighbours_anything(self, lane: ProcessLane) -> None:
        lane.send("[" * 10_000, "NaN", order_with(), "{}")
        delivery = lane.deliver()
        assert delivery.failed == set()
        assert lane.handler.finished == {"a": 1}
        assert len(lane.dead_letters.messages) == 3


class TestBodiesThatAreEventsAllTheSame:
    @pytest.mark.parametrize(
        ("body", "event_id"),
        [
            pytest.param(order_with()[:-1] + ', "id": "last"}', "last", id="a key twice: the last counts"),
            pytest.param(f"\n\t {order_with()} \r\n", "a", id="white space around it"),
            pytest.param(order_with() + " " * (1024 * 1024 - len(order_with())), "a", id="1 MiB"),
            pytest.param(order_with(customer="\N{SNOWMAN}😀"), "a", id="escaped surrogate pairs"),
            pytest.param(json.dumps(json.loads(order_with(customer="日本")), ensure_ascii=False), "a", id="not ASCII"),
        ],
    )
    def test_are_run(self, lane: ProcessLane, body: str, event_id: str) -> None:
        lane.send(body)
        lane.deliver()
        assert lane.handler.finished == {event_id: 1}
        assert lane.events.messages == []
