from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from backstop.redact import redact
from ops.drill.stream.malformed import WAYS, YEAR_0
from ops.drill.stream.plan import Plan, Sort, make
from tests.stream_lane import StreamLane, stream_lane

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
CLICK = {"id": "d-c1", "at": "2026-01-05T09:00:00Z", "page": "https://shop.example/tea", "user_agent": "Firefox"}


def plan(clicks: int, seed: int = 1, drill: str = "d") -> Plan:
    return make(clicks, seed, drill, NOW)


def clicks_of(data: bytes) -> list[dict[str, Any]]:
    text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode().strip()
    separated = text.replace("}{", "}\n{").replace("} {", "}\n{")
    return [json.loads(line) for line in separated.split("\n")]


@pytest.fixture
def sample() -> Iterator[StreamLane]:
    with stream_lane() as lane:
        yield lane


def answers(sample: StreamLane, *data: bytes) -> list[dict[str, Any]]:
    return sample.invoke(*(base64.b64encode(one).decode() for one in data))


def stored(answer: dict[str, Any]) -> list[str]:
    return [json.loads(line)["id"] for line in base64.b64decode(answer["data"]).splitlines()]


def test_the_same_seed_plans_the_same_drill() -> None:
    assert plan(300, seed=7) == plan(300, seed=7)


def test_another_seed_plans_another_drill() -> None:
    assert [record.sort for record in plan(300, seed=1).records] != [
        record.sort for record in plan(300, seed=2).records
    ]


def test_two_drills_of_one_seed_differ_in_their_ids_alone() -> None:
    first, second = plan(300, drill="d-1"), plan(300, drill="d-2")

    likenesses = [
        [(record.sort, record.data.replace(drill.encode(), b"d")) for record in planned.records if record.sort in plain]
        for plain in [{Sort.CLICK, Sort.ROBOT, Sort.SEVERAL}]
        for drill, planned in (("d-1", first), ("d-2", second))
    ]
    assert likenesses[0] == likenesses[1]
    assert not {i for record in first.records for i in record.ids} & {
        i for record in second.records for i in record.ids
    }


@pytest.mark.parametrize("clicks", range(1, 61))
def test_there_are_as_many_clicks_as_asked_for_each_with_its_own_id(clicks: int) -> None:
    planned = plan(clicks)

    ids = [click_id for record in planned.records for click_id in record.ids]
    assert len(ids) == len(set(ids)) == clicks
    assert [record.number for record in planned.records] == list(range(len(planned.records)))


@pytest.mark.parametrize("clicks", [50, 51, 59, 120, 500])
def test_from_fifty_clicks_on_every_sort_occurs(clicks: int) -> None:
    for seed in range(10):
        assert {record.sort for record in plan(clicks, seed).records} == set(Sort)


def test_most_clicks_are_good() -> None:
    records = plan(500).records
    sorts = Counter(record.sort for record in records for _ in record.ids)

    assert sorts == {Sort.CLICK: 270, Sort.ROBOT: 30, Sort.SEVERAL: 100, Sort.GZIPPED: 50, Sort.MALFORMED: 50}


def test_what_is_broken_stands_among_what_is_good() -> None:
    """So that each batch of the function has some of it."""
    records = plan(500).records

    for sort in (Sort.MALFORMED, Sort.ROBOT, Sort.CLICK):
        places = [record.number for record in records if record.sort is sort]
        assert places[0] < len(records) / 10
        assert places[-1] > len(records) * 9 / 10


def test_half_of_the_good_clicks_that_are_alone_have_an_address() -> None:
    have = [b'"email"' in record.data for record in plan(500).records if record.sort is Sort.CLICK]

    assert (have.count(True), have.count(False)) == (135, 135)


def test_a_record_of_several_clicks_holds_one_robot() -> None:
    several = [record for record in plan(500).records if record.sort is Sort.SEVERAL]

    for record in several:
        assert len(record.robots) == 1
        assert 1 <= len(record.good) <= 4
        assert {click["id"] for click in clicks_of(record.data)} == set(record.ids)
    joints = {joint for record in several for joint in (b"}{", b"}\n{", b"} {") if joint in record.data}
    assert joints == {b"}{", b"}\n{", b"} {"}


def test_gzipped_records_are_gzip() -> None:
    for record in plan(200).records:
        if record.sort is Sort.GZIPPED:
            assert [click["id"] for click in clicks_of(record.data)] == list(record.ids)


def test_a_drill_of_130_clicks_has_each_way_to_break_a_record_once() -> None:
    malformed = [record.data for record in plan(130).records if record.is_malformed]

    assert len(malformed) == len(WAYS) == 13
    for once in (b"{}", b"not JSON at all"):
        assert malformed.count(once) == 1
    for mark in (b"[" * 10_000, b"\\ud800", b"2026-02-30", YEAR_0.encode(), b"caf\xe9", b"\x1f\x8b"):
        assert sum(mark in data for data in malformed) == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_sample_stores_good_clicks_drops_robots_and_fails_malformed_records(seed: int, sample: StreamLane) -> None:
    records = plan(300, seed).records

    found = answers(sample, *(record.data for record in records))

    for record, answer in zip(records, found, strict=True):
        if record.is_malformed:
            assert answer["result"] == "ProcessingFailed"
        else:
            assert answer["result"] == ("Ok" if record.good else "Dropped")
            assert sorted(stored(answer)) == sorted(record.good)


@pytest.mark.parametrize("way", WAYS)
def test_a_record_broken_in_this_way_fails_whatever_else_it_holds(way: str, sample: StreamLane) -> None:
    clicks = [CLICK, CLICK | {"email": "ada@d.example"}, CLICK | {"referrer": "https://search.example/"}]

    found = answers(sample, *(WAYS[way](click) for click in clicks))

    assert [answer["result"] for answer in found] == ["ProcessingFailed"] * 3


def test_only_what_the_schema_lets_through_names_its_click_when_it_fails(sample: StreamLane) -> None:
    records = plan(130).records

    answers(sample, *(record.data for record in records))

    named = [report["event_id"] for report in sample.worker.reports() if "event_id" in report]
    assert named == [record.broken[0] for record in records if YEAR_0.encode() in record.data]
    assert len(named) == 1


@pytest.mark.parametrize("drill", ["clicks-1-x12345678", "clicks-999999999-x12345678", "clicks-0-xabcdef01"])
def test_no_redaction_changes_an_id(drill: str) -> None:
    """An account finds a failed click by the id that the log tells of it."""
    for record in plan(60, drill=drill).records:
        for click_id in record.ids:
            assert redact(click_id) == click_id
