from __future__ import annotations

import base64
import gzip
import json
import re
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.delivery import MOST, LogLine, opened
from backstop.errors import MalformedDelivery

MILLIS = 1_795_000_000_123
AT = datetime(2026, 11, 18, 11, 6, 40, 123000, UTC)


def log_event(line_id: object = "1", timestamp: object = MILLIS, message: object = "hello") -> dict[str, object]:
    return {"id": line_id, "timestamp": timestamp, "message": message}


def packed(*log_events: object, **payload: Any) -> str:
    """Return what Lambda hands over as `awslogs.data`."""
    full = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "shop-logs",
        "logStream": "2026/11/18/shop-process[$LATEST]0a1b",
        "subscriptionFilters": ["pipeline-events"],
        "logEvents": list(log_events),
    }
    return zipped(json.dumps(full | payload).encode())


def zipped(payload: bytes) -> str:
    return base64.b64encode(gzip.compress(payload)).decode()


def test_a_delivery_is_its_lines_and_where_they_come_from() -> None:
    delivery = opened(packed(log_event("1", message="a"), log_event("2", message="b")))
    assert delivery.lines == (LogLine("1", AT, "a"), LogLine("2", AT, "b"))
    assert delivery.log_group == "shop-logs"
    assert delivery.log_stream == "2026/11/18/shop-process[$LATEST]0a1b"
    assert delivery.filters == ("pipeline-events",)


def test_a_message_that_tests_the_subscription_has_no_lines() -> None:
    probe = log_event(message="CWL CONTROL MESSAGE: Checking health of destination")
    assert opened(packed(probe, messageType="CONTROL_MESSAGE")).lines == ()


class TestTheBatch:
    def test_is_the_same_at_each_delivery(self) -> None:
        again = {opened(packed(log_event("1"), log_event("2"))).batch for _ in range(2)}
        assert len(again) == 1
        assert re.fullmatch("[0-9a-f]{16}", again.pop())

    def test_is_another_one_for_other_lines_another_filter_or_another_stream(self) -> None:
        two = (log_event("1"), log_event("2"))
        batches = [
            opened(packed(*two)).batch,
            opened(packed(log_event("1"))).batch,
            opened(packed(log_event("1"), log_event("3"))).batch,
            opened(packed(log_event("0"), log_event("2"))).batch,
            opened(packed(log_event("1"), log_event("5"), log_event("2"))).batch,
            opened(packed(*two, subscriptionFilters=["failures"])).batch,
            opened(packed(*two, logStream="another")).batch,
            opened(packed()).batch,
        ]
        assert len(set(batches)) == len(batches)

    def test_is_the_same_at_each_delivery_of_lines_without_ids(self) -> None:
        first, again = (opened(packed(log_event(None), log_event(None, message="b"))) for _ in range(2))
        assert first == again
        assert len({line.id for line in first.lines}) == 2


@pytest.mark.parametrize(
    "strange",
    [
        pytest.param(log_event(timestamp=10**30), id="a time out of range"),
        pytest.param(log_event(timestamp=-1), id="a time before all computers"),
        pytest.param(log_event(timestamp="now"), id="a time that is a text"),
        pytest.param(log_event(timestamp=True), id="a time that is a truth"),
        pytest.param(log_event(timestamp=float("nan")), id="a time that is no number"),
        pytest.param(log_event(timestamp=None), id="no time"),
        pytest.param(log_event(message={"a": 1}), id="a message that is an object"),
        pytest.param(log_event(message=None), id="no message"),
        pytest.param("hello", id="a text"),
        pytest.param(None, id="nothing"),
    ],
)
def test_a_strange_line_costs_the_others_nothing(strange: object) -> None:
    delivery = opened(packed(log_event("1"), strange, log_event("3")))
    assert [line.id for line in delivery.lines] == ["1", "3"]


@pytest.mark.parametrize("line_id", [None, "", 5, ["a"]], ids=str)
def test_a_line_without_an_id_is_given_one(line_id: object) -> None:
    [line] = opened(packed(log_event(line_id))).lines
    assert (line.text, line.at) == ("hello", AT)
    assert re.fullmatch("[0-9a-f]{16}", line.id)


def test_the_id_of_a_line_is_cut() -> None:
    assert len(opened(packed(log_event("1" * 5000))).lines[0].id) == 128


class TestWhatIsNoDelivery:
    @pytest.mark.parametrize(
        ("data", "says"),
        [
            pytest.param("!", "not base64", id="not base64"),
            pytest.param("ü", "not base64", id="not even ASCII"),
            pytest.param(None, "not base64", id="no text"),
            pytest.param(base64.b64encode(b"hello").decode(), "not gzip", id="not gzip"),
            pytest.param("", "cut short", id="empty"),
            pytest.param(zipped(b"hello"), "not JSON", id="not JSON"),
            pytest.param(zipped(b"\xff"), "not JSON", id="not UTF-8"),
            pytest.param(zipped(b"[" * 200_000), "not JSON", id="nested too deep"),
            pytest.param(zipped(b"[]"), "not a JSON object", id="a list"),
            pytest.param(zipped(b"{}"), "messageType", id="an empty object"),
            pytest.param(packed(messageType="OTHER"), "messageType", id="of another type"),
            pytest.param(packed(logEvents={}), "logEvents", id="lines that are no list"),
            pytest.param(packed(logStream=None), "log stream", id="no log stream"),
            pytest.param(packed(subscriptionFilters="failures"), "subscription filters", id="filters that are no list"),
        ],
    )
    def test_is_refused_and_why_is_said(self, data: Any, says: str) -> None:
        with pytest.raises(MalformedDelivery, match=says):
            opened(data)

    @pytest.mark.parametrize("kept", [5, 12, -9, -1], ids="{} bytes".format)
    def test_is_refused_where_it_was_cut_short(self, kept: int) -> None:
        whole = base64.b64decode(packed(log_event()))
        with pytest.raises(MalformedDelivery, match="cut short"):
            opened(base64.b64encode(whole[:kept]).decode())

    def test_is_refused_where_it_is_damaged(self) -> None:
        whole = bytearray(base64.b64decode(packed(log_event())))
        whole[-6] ^= 0xFF  # within the checksum
        with pytest.raises(MalformedDelivery, match="damaged"):
            opened(base64.b64encode(bytes(whole)).decode())

    @given(st.text() | st.binary().map(lambda some: base64.b64encode(some).decode()) | st.binary().map(zipped))
    def test_raises_nothing_else(self, data: str) -> None:
        with pytest.raises(MalformedDelivery):
            opened(data)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "timestamp", "message"]), inner),
        )
    )
    def test_strange_lines_are_no_reason(self, strange: object) -> None:
        assert opened(packed(strange, log_event("9"))).lines[-1].id == "9"


class TestTheLimit:
    def test_is_what_a_delivery_may_inflate_to(self) -> None:
        data = packed(log_event(message="x" * 5000))
        size = len(gzip.decompress(base64.b64decode(data)))
        assert len(opened(data, size).lines) == 1
        with pytest.raises(MalformedDelivery, match=f"more than {size - 1} bytes"):
            opened(data, size - 1)

    def test_holds_for_a_bomb_without_inflating_it(self) -> None:
        bomb = zipped(bytes(180 * 1024 * 1024))
        assert len(bomb) < 260_000
        tracemalloc.start()
        with pytest.raises(MalformedDelivery, match=f"more than {MOST} bytes"):
            opened(bomb)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 64 * 1024 * 1024
