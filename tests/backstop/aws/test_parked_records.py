"""A parked event comes back as it was, wherever its record was kept: in the item, compressed, or in the bucket."""

from __future__ import annotations

import base64
import json
import random
import string as characters
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from backstop.aws.parked import ParkedTable
from backstop.aws.parked_record import ITEM_BYTES, PLAIN_BYTES, PREFIX
from backstop.errors import StoreUnavailable
from backstop.parking import Parked, Placed, State
from backstop.trail import Trail
from tests.backstop import NOW, string
from tests.fakes.faults import Fault, Faults
from tests.fakes.parking_contract import BUCKET, TABLE, UNTIL, a_lock, an_event, client_of, table_on_moto

TRAIL = Trail(attempt=1, event_id="e1", first_failed_at=NOW, last_failed_at=NOW, reason="no price yet")
LATER_TRAIL = Trail(attempt=2, event_id="e1", first_failed_at=NOW, last_failed_at=NOW, reason="none still")
LONE_SURROGATE = '{"id": "e1", "name": "\\ud800"}'


@pytest.fixture
def table() -> Iterator[ParkedTable]:
    with table_on_moto() as table:
        yield table


def noise(size: int) -> str:
    """Return text that cannot be compressed to fewer than 6 bits a character."""
    return "".join(random.Random(0).choices(characters.ascii_letters + characters.digits + "+-", k=size))


def item_of(key: str = "a") -> dict[str, Any]:
    """Return the attributes of the one event that is parked for a key."""
    items = client_of("dynamodb").scan(TableName=TABLE)["Items"]
    [item] = [item for item in items if item["key"]["S"] == key and item["sort"]["S"].startswith("event#")]
    return dict(item)


def objects() -> list[str]:
    return [found["Key"] for found in client_of("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def park(table: ParkedTable, event: Parked, key: str = "a") -> Parked:
    """Park an event as its key's head and return it as it comes back."""
    assert table.park_head(a_lock(key), event) is Placed.PARKED
    [found] = table.events(key)
    return found


SIZES = {
    "for people to read": (100, "record"),
    "compressed": (PLAIN_BYTES, "record_zlib"),
    "large, but compressed it fits": (ITEM_BYTES, "record_zlib"),
    "in the bucket": (1024 * 1024, "record_object"),
}


class TestWhereItIsKept:
    @pytest.mark.parametrize(("size", "attribute"), SIZES.values(), ids=SIZES)
    def test_a_record_of_this_size_comes_back(self, table: ParkedTable, size: int, attribute: str) -> None:
        event = an_event(1, body=noise(size))
        assert park(table, event).record == event.record
        kept = {"record", "record_zlib", "record_object"}
        assert kept & item_of().keys() == {attribute}

    def test_up_to_4_kib_it_stands_as_it_is(self, table: ParkedTable) -> None:
        around = len(json.dumps(an_event(1, body="").record, separators=(",", ":")))
        park(table, an_event(1, body="x" * (PLAIN_BYTES - around)))
        assert len(item_of()["record"]["S"]) == PLAIN_BYTES
        park(table, an_event(1, body="x" * (PLAIN_BYTES - around + 1)), "b")
        assert "record" not in item_of("b")

    def test_text_that_compresses_well_needs_no_bucket(self, table: ParkedTable) -> None:
        event = an_event(1, body="tea " * 250_000)
        assert park(table, event).record == event.record
        assert objects() == []


class TestAsItWas:
    @pytest.mark.parametrize("filling", ["", noise(PLAIN_BYTES), noise(1024 * 1024)], ids=["plain", "zlib", "bucket"])
    @pytest.mark.parametrize("body", ["żółć 茶 🫖 \x00 \u2028", LONE_SURROGATE, "\ud800"], ids=ascii)
    def test_any_text_comes_back(self, table: ParkedTable, body: str, filling: str) -> None:
        event = an_event(1, body=body + filling)
        assert park(table, event).record == event.record

    def test_attributes_come_back_binary_ones_too(self, table: ParkedTable) -> None:
        binary = {"binaryValue": base64.b64encode(bytes(range(256))).decode(), "dataType": "Binary.png"}
        event = an_event(1, attributes={"tenant": string("t-1"), "picture": binary})
        assert park(table, event).record == event.record

    def test_what_is_no_event_goes_by_its_number(self, table: ParkedTable) -> None:
        event = Parked("18849496460467696128", "", an_event(1).record)
        assert park(table, event) == event
        assert park(table, event, "b").name == "#18849496460467696128"


class TestTrail:
    @pytest.mark.parametrize("size", [100, PLAIN_BYTES, 1024 * 1024], ids=["plain", "zlib", "bucket"])
    def test_is_kept_and_kept_up(self, table: ParkedTable, size: int) -> None:
        event = an_event(1, body=noise(size), attributes={"tenant": string("t-1")})
        assert park(table, event.after(TRAIL)).record == event.after(TRAIL).record
        lock = table.lease("a", NOW, UNTIL)
        assert lock is not None
        [head] = table.first(lock)[1]
        table.postpone(lock, head.after(LATER_TRAIL), State.WAITING, NOW + timedelta(minutes=1))
        [found] = table.events("a")
        assert found.trail == LATER_TRAIL.serialise()
        assert found.record == event.after(LATER_TRAIL).record

    def test_one_that_was_not_written_here_is_kept_as_it_came_whatever_its_size(self, table: ParkedTable) -> None:
        event = an_event(1, attributes={"backstop": string("x" * 500_000)})
        assert park(table, event).record == event.record

    def test_there_is_none_where_nothing_has_befallen_it(self, table: ParkedTable) -> None:
        assert park(table, an_event(1)).trail == ""
        assert "trail" not in item_of()


class TestBucket:
    HUGE = noise(1024 * 1024)

    def test_has_it_under_a_name_that_says_nothing_of_the_key(self, table: ParkedTable) -> None:
        park(table, an_event(1, body=self.HUGE), "zoe@example.com")
        [name] = objects()
        assert name.startswith(PREFIX)
        assert "zoe" not in name

    def test_forgets_it_when_the_event_is_removed(self, table: ParkedTable) -> None:
        park(table, an_event(1, body=self.HUGE))
        lock = table.lease("a", NOW, UNTIL)
        assert lock is not None
        [event] = table.first(lock)[1]
        table.remove(lock, event)
        assert objects() == []

    def test_a_name_that_it_does_not_forget_keeps_no_event(self, table: ParkedTable) -> None:
        park(table, an_event(1, body=self.HUGE))
        lock = table.lease("a", NOW, UNTIL)
        assert lock is not None
        [event] = table.first(lock)[1]
        with s3_fails("DeleteObject", Fault.THROTTLED):
            table.remove(lock, event)
        assert list(table.events("a")) == []

    @pytest.mark.parametrize("fault", Fault)
    def test_what_it_does_not_take_is_not_parked(self, table: ParkedTable, fault: Fault) -> None:
        with s3_fails("PutObject", fault):
            with pytest.raises(StoreUnavailable, match="bucket"):
                table.park_head(a_lock("a"), an_event(1, body=self.HUGE))
            assert table.park_head(a_lock("b", 1), an_event(1)) is Placed.PARKED
            with pytest.raises(StoreUnavailable, match="bucket"):
                table.park_behind("b", an_event(2, body=self.HUGE))
        assert table.lock("a") is None
        assert list(table.events("a")) == []
        assert table.lock("b") == a_lock("b")
        assert [event.event_id for event in table.events("b")] == ["e1"]

    @pytest.mark.parametrize("fault", Fault)
    def test_what_it_does_not_give_can_not_be_told(self, table: ParkedTable, fault: Fault) -> None:
        park(table, an_event(1, body=self.HUGE))
        lock = table.lease("a", NOW, UNTIL)
        assert lock is not None
        with s3_fails("GetObject", fault), pytest.raises(StoreUnavailable, match="bucket"):
            table.first(lock)
        assert len(table.first(lock)[1]) == 1

    def test_is_not_asked_for_a_client_where_it_is_not_needed(self, table: ParkedTable) -> None:
        with s3_fails("PutObject", Fault.DENIED), s3_fails("GetObject", Fault.DENIED):
            assert park(table, an_event(1)) == an_event(1)


ODD_KEYS = {
    "a path": "../x",
    "a path upwards": "/../../parked/",
    "128 characters of punctuation": (characters.punctuation * 4)[:128],
    "an event's own sort key": "event#1",
    "a space": " ",
}


class TestKeys:
    @pytest.mark.parametrize("key", ODD_KEYS.values(), ids=ODD_KEYS)
    @pytest.mark.parametrize("size", [100, 1024 * 1024], ids=["in the item", "in the bucket"])
    def test_may_be_any_text(self, table: ParkedTable, key: str, size: int) -> None:
        event = an_event(1, body=noise(size))
        assert park(table, event, key).record == event.record
        assert list(table.look([key, "other"]).locks) == [key]
        assert table.due(NOW, 10) == [key]
        assert all(".." not in name for name in objects())


@contextmanager
def s3_fails(operation: str, fault: Fault) -> Iterator[None]:
    """Let every call of an operation of the bucket fail."""
    faults, events = Faults(), client_of("s3").meta.events
    if fault in {Fault.THROTTLED, Fault.DENIED}:
        code = {Fault.THROTTLED: "SlowDown", Fault.DENIED: "AccessDenied"}[fault]
        answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}

        def refuse(**_: Any) -> Any:
            return SimpleNamespace(status_code=403), answer

        events.register(f"before-call.s3.{operation}", refuse)
        try:
            yield
        finally:
            events.unregister(f"before-call.s3.{operation}", refuse)
        return
    faults.fail_always(operation, fault)
    with faults.installed(client_of("s3")):
        yield
