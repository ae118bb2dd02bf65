from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backstop.message import MAX_BYTES, Outgoing, outgoing, read
from backstop.trail import FRESH, Trail
from tests.backstop import NOW, QUEUES, message, record, string

TRAIL = Trail(attempt=2, event_id="a", reason="no price")
AN_HOUR_AGO = NOW - timedelta(hours=1)
EXCUSED = Trail(is_excused=True, last_failed_at=AN_HOUR_AGO)
BINARY = {"binaryValue": base64.b64encode(b"\x00\xff\x01").decode(), "dataType": "Binary.png"}


def sendable(body: str = "{}", trail: Trail = TRAIL, **details: Any) -> Outgoing:
    sent = outgoing(message(body=body, **details), trail, delay_seconds=7)
    assert sent is not None
    return sent


ROOM = MAX_BYTES - sendable("").size
"""Bytes that are left for a body beside this history."""


class TestRead:
    def test_a_fresh_message_has_no_history(self) -> None:
        fresh = read(record("a"), "a", QUEUES, NOW)
        assert fresh.trail == FRESH
        assert fresh.attempt == 1
        assert fresh.first_failed_at is None

    def test_a_message_that_failed_brings_its_history(self) -> None:
        attributes = {"backstop": string(TRAIL.serialise())}
        again = read(record("a", attributes=attributes), "a", QUEUES, NOW)
        assert again.trail == TRAIL
        assert again.attempt == 3

    @pytest.mark.parametrize("attribute", [string("{"), BINARY, {"dataType": "String"}], ids=["bad", "binary", "empty"])
    def test_a_history_that_cannot_be_read_is_none(self, attribute: dict[str, Any]) -> None:
        assert read(record("a", attributes={"backstop": attribute}), "a", QUEUES, NOW).trail == FRESH

    def test_a_record_without_attributes_is_a_message(self) -> None:
        bare = record("a") | {"messageAttributes": None}
        assert read(bare, "a", QUEUES, NOW).attributes == {}


class TestMessage:
    def test_says_where_it_came_from_and_when(self) -> None:
        received = message("a", message_id="m-1", queue="retry", receives=2, MessageGroupId="customer-1")
        assert (received.message_id, received.queue, received.key) == ("m-1", "retry", "customer-1")
        assert received.sent_at == NOW
        assert received.was_received_before
        assert message("a").key == ""
        assert not message("a").was_received_before

    def test_shows_the_senders_attributes_and_not_ours(self) -> None:
        attributes = {"shop": string("berlin"), "backstop": string("{}")}
        assert message(attributes=attributes).attributes == {"shop": string("berlin")}

    def test_the_token_is_the_same_for_each_delivery_of_an_event(self) -> None:
        first = message("order-1", message_id="m-1")
        redriven = message("order-1", message_id="m-2", queue="retry", receives=3, trail=TRAIL)
        assert first.token == redriven.token == "29bb65d1-cd3a-55e7-828c-de9f432dfca2"

    def test_the_token_differs_from_event_to_event(self) -> None:
        assert len({message(event_id).token for event_id in ("order-1", "order-2", "Order-1", "", "訂單")}) == 5

    @pytest.mark.parametrize(
        ("trail", "waited"),
        [
            pytest.param(FRESH, timedelta(0), id="fresh"),
            pytest.param(Trail(kind="transient", last_failed_at=AN_HOUR_AGO), timedelta(0), id="its own fault"),
            pytest.param(Trail(kind="system", last_failed_at=AN_HOUR_AGO), timedelta(hours=1), id="our fault"),
            pytest.param(
                Trail(kind="transient", is_excused=True, last_failed_at=AN_HOUR_AGO),
                timedelta(hours=1),
                id="a circuit's",
            ),
            pytest.param(
                Trail(kind="permanent", is_excused=True, last_failed_at=AN_HOUR_AGO),
                timedelta(hours=1),
                id="a release's",
            ),
            pytest.param(Trail(kind="transient", waited_seconds=60), timedelta(seconds=60), id="our fault before"),
            pytest.param(
                Trail(kind="system", last_failed_at=AN_HOUR_AGO, waited_seconds=60),
                timedelta(hours=1, seconds=60),
                id="our fault again and again",
            ),
        ],
    )
    def test_time_is_waited_while_the_fault_is_not_its_own(self, trail: Trail, waited: timedelta) -> None:
        assert message(trail=trail).waited_until(NOW) == waited


class TestOutgoing:
    def test_the_body_goes_on_as_it_came(self) -> None:
        body = '{ "id":"a",\n "name": "Zoë" }'
        assert sendable(body).entry("0")["MessageBody"] == body

    def test_the_history_goes_with_it(self) -> None:
        entry = sendable().entry("4")
        assert (entry["Id"], entry["DelaySeconds"]) == ("4", 7)
        assert entry["MessageAttributes"] == {
            "backstop": {"DataType": "String", "StringValue": TRAIL.serialise()},
        }

    def test_the_senders_attributes_are_kept(self) -> None:
        attributes = {"n": string("5", "Number.int"), "image": BINARY, "backstop": string("old")}
        sent = sendable(attributes=attributes).entry("0")["MessageAttributes"]
        assert sent["n"] == {"DataType": "Number.int", "StringValue": "5"}
        assert sent["image"] == {"DataType": "Binary.png", "BinaryValue": b"\x00\xff\x01"}
        assert sent["backstop"]["StringValue"] == TRAIL.serialise()

    def test_the_group_and_the_trace_are_kept(self) -> None:
        entry = sendable(MessageGroupId="customer-1", AWSTraceHeader="Root=1-2").entry("0")
        assert entry["MessageGroupId"] == "customer-1"
        assert entry["MessageSystemAttributes"] == {
            "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2"},
        }

    def test_what_was_not_there_is_not_sent(self) -> None:
        entry = sendable().entry("0")
        assert "MessageGroupId" not in entry
        assert "MessageSystemAttributes" not in entry

    @pytest.mark.parametrize(
        ("attributes", "size"),
        [
            pytest.param({}, 0, id="none"),
            pytest.param({"né": string("ü")}, len("né".encode()) + len("String") + len("ü".encode()), id="text"),
            pytest.param({"n": string("12", "Number")}, len("n") + len("Number") + len("12"), id="number"),
            pytest.param({"b": BINARY}, len("b") + len("Binary.png") + 3, id="bytes as they are, not as base64"),
        ],
    )
    def test_its_size_is_that_of_names_types_and_values(self, attributes: dict[str, Any], size: int) -> None:
        ours = len("backstop") + len("String") + len(TRAIL.serialise())
        assert sendable("Zoë", attributes=attributes).size == len("Zoë".encode()) + ours + size

    def test_1_mib_fits(self) -> None:
        sent = sendable("x" * ROOM)
        assert sent.size == MAX_BYTES
        assert sent.trail == TRAIL

    @pytest.mark.parametrize("body", ["x" * (ROOM + 1), "x" * (ROOM - 1) + "é"], ids=["ASCII", "two bytes a letter"])
    def test_one_byte_more_costs_the_reason(self, body: str) -> None:
        sent = sendable(body)
        assert sent.size <= MAX_BYTES
        assert sent.trail == TRAIL.shortened()
        assert sent.attribute == TRAIL.shortened().serialise()

    def test_what_does_not_fit_even_so_is_not_sent(self) -> None:
        room = MAX_BYTES - sendable("", trail=TRAIL.shortened()).size
        assert sendable("x" * room).size == MAX_BYTES
        assert outgoing(message(body="x" * (room + 1)), TRAIL, 0) is None

    @pytest.mark.parametrize(
        ("names", "fits"),
        [
            pytest.param([f"n{number}" for number in range(9)], True, id="nine"),
            pytest.param([*(f"n{number}" for number in range(9)), "backstop"], True, id="nine and ours"),
            pytest.param([f"n{number}" for number in range(10)], False, id="ten"),
        ],
    )
    def test_ten_attributes_leave_no_room_for_ours(self, names: list[str], fits: bool) -> None:
        attributes = {name: string("x") for name in names}
        assert (outgoing(message(attributes=attributes), TRAIL, 0) is not None) is fits

    @pytest.mark.parametrize(
        "details",
        [
            pytest.param({"body": '{"id": "\ud800"}'}, id="body"),
            pytest.param({"attributes": {"name": string("\udfff")}}, id="attribute"),
        ],
    )
    def test_what_is_not_text_for_sqs_is_not_sent(self, details: dict[str, Any]) -> None:
        assert outgoing(message(**details), TRAIL, 0) is None

    def test_a_reason_that_is_not_text_is_sent_all_the_same(self) -> None:
        assert sendable(trail=replace(TRAIL, reason="\ud800")).entry("0")["MessageAttributes"]["backstop"]
