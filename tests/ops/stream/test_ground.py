from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.drill.stream.account import Failure
from ops.drill.stream.ground import Ground
from ops.failure import CallFailed
from ops.stack import Stack
from tests.ops.stream.world import World
from tests.stream_lane import STREAM


@pytest.fixture
def ground(stack: Stack, world: World) -> Ground:
    return Ground(stack, "drill-1", world.now())


def line(click_id: str, **fields: object) -> bytes:
    return json.dumps({"id": click_id, **fields}).encode() + b"\n"


def told(record: str, event_id: str = "", **but: str) -> str:
    fields = {
        "level": "ERROR",
        "pipeline_event": "failed",
        "verdict": "ProcessingFailed",
        "stream": STREAM,
        "record_id": record,
    }
    return json.dumps(fields | ({"event_id": event_id} if event_id else {}) | but)


def test_a_stack_that_allows_no_drills_is_left_alone(stack: Stack, world: World) -> None:
    stack._outputs["DrillsAllowed"] = "false"

    with pytest.raises(CallFailed, match="'shop' allows no drills: deploy it with AllowDrill=true"):
        Ground(stack, "drill-1", world.now())


def test_it_puts_records_on_the_stream_and_tells_what_it_did_not_take(ground: Ground, world: World) -> None:
    world.lane.stream.refuses = lambda data: data == b"two"

    whys = ground.put([b"one", b"two", b"three"])

    assert [bool(why) for why in whys] == [False, True, False]
    assert [record.data for record in world.lane.stream.buffered] == [b"one", b"three"]


def test_it_counts_what_is_delivered_over_all_pages(
    ground: Ground, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    for number in range(5):
        body = line(f"drill-1-c{number}", mail="a@drill-1.example") + line("other") + b"drill-1 is no JSON\n"
        world.write(gzip.compress(body) if number % 2 else body)

    ground.read_data()

    assert ground.delivered == {f"drill-1-c{number}": 1 for number in range(5)}
    assert (ground.strange, ground.addresses) == (5, 5)


def test_it_reads_an_object_once(ground: Ground, world: World) -> None:
    world.write(line("drill-1-c1"))
    ground.read_data()
    world.write(line("drill-1-c2"))
    ground.read_data()
    ground.read_data()

    assert ground.delivered == {"drill-1-c1": 1, "drill-1-c2": 1}


def test_it_looks_under_data_only(ground: Ground, world: World) -> None:
    for folder in ("errors", "replay", "database"):
        world.write(line("drill-1-c1"), f"{folder}/{world.now():%Y/%m/%d}/o")

    ground.read_data()

    assert ground.delivered == {}


def test_it_leaves_out_what_was_written_long_before_it_began(stack: Stack, world: World) -> None:
    world.write(line("drill-1-c1"))
    world.lane.clock.advance(timedelta(hours=1))
    ground = Ground(stack, "drill-1", world.now())

    ground.read_data()

    assert ground.delivered == {}


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_clock_that_is_minutes_off_hides_nothing(stack: Stack, world: World, minutes: int) -> None:
    ground = Ground(stack, "drill-1", world.now() + timedelta(minutes=minutes))
    world.write(line("drill-1-c1"))
    world.logs.put(told("r1"), world.now())

    ground.read_data()

    assert ground.delivered == {"drill-1-c1": 1}
    assert ground.failures() == [Failure("r1", "")]


@pytest.mark.parametrize(
    ("began", "ended", "day"),
    [
        pytest.param(
            datetime(2026, 1, 5, 23, 59, tzinfo=UTC),
            datetime(2026, 1, 6, 0, 9, tzinfo=UTC),
            "05",
            id="delivered under the day before",
        ),
        pytest.param(
            datetime(2026, 1, 5, 23, 59, tzinfo=UTC),
            datetime(2026, 1, 6, 0, 9, tzinfo=UTC),
            "06",
            id="delivered under the day after",
        ),
        pytest.param(
            datetime(2026, 1, 6, 0, 1, tzinfo=UTC),
            datetime(2026, 1, 6, 0, 2, tzinfo=UTC),
            "05",
            id="by a clock that is behind",
        ),
        pytest.param(
            datetime(2026, 1, 5, 23, 57, tzinfo=UTC),
            datetime(2026, 1, 5, 23, 58, tzinfo=UTC),
            "06",
            id="by a clock that is ahead",
        ),
    ],
)
def test_a_drill_at_midnight_looks_on_both_sides(
    stack: Stack, world: World, began: datetime, ended: datetime, day: str
) -> None:
    world.lane.clock.advance_to(began)
    ground = Ground(stack, "drill-1", world.now())
    world.lane.clock.advance_to(ended)
    world.write(line("drill-1-c1"), f"data/2026/01/{day}/o")

    ground.read_data()

    assert ground.delivered == {"drill-1-c1": 1}


def test_it_finds_the_failures_on_all_pages(ground: Ground, world: World) -> None:
    for number in range(5):
        world.logs.put(told(f"r{number}", f"drill-1-c{number}" if number % 2 else ""), world.now())

    assert ground.failures() == [
        Failure(f"r{number}", f"drill-1-c{number}" if number % 2 else "") for number in range(5)
    ]


def test_a_failure_that_is_told_of_twice_is_one(ground: Ground, world: World) -> None:
    """A batch that timed out after it had told is handed over again, and its records keep their ids."""
    for _ in range(2):
        world.logs.put(told("r1"), world.now())

    assert ground.failures() == [Failure("r1", "")]


def test_what_failed_before_is_not_this_drills(stack: Stack, world: World) -> None:
    world.logs.put(told("before"), world.now() - timedelta(minutes=1))
    ground = Ground(stack, "drill-1", world.now())
    world.logs.put(told("after"), world.now())

    assert ground.failures() == [Failure("after", "")]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(told("r", verdict="Dead", why="ProcessingFailed"), id="of another verdict"),
        pytest.param(told("r", pipeline_event="recovered"), id="of another event"),
        pytest.param(told("r", stream="another"), id="of another stream"),
        pytest.param(told("r", event_id="another-c1"), id="of another drill"),
        pytest.param('a line of "pipeline_event" and "ProcessingFailed"', id="no JSON"),
        pytest.param('["pipeline_event", "ProcessingFailed"]', id="no object"),
        pytest.param('["pipeline_event", "ProcessingFailed", ' + "[" * 100_000, id="nested beyond reading"),
    ],
)
def test_a_line_is_not_counted_that_is(message: str, ground: Ground, world: World) -> None:
    world.logs.put(message, world.now())

    assert ground.failures() == []


def test_it_asks_the_log_for_failures_alone(stack: Stack, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    answer = world.logs.paginate

    def paginate(**request: Any) -> Iterator[dict[str, Any]]:
        asked.append(request)
        return answer(**request)

    monkeypatch.setattr(world.logs, "paginate", paginate)

    Ground(stack, "drill-1", world.now())

    assert asked[0]["filterPattern"] == '"pipeline_event" "ProcessingFailed"'
    since = datetime.fromtimestamp(asked[0]["startTime"] / 1000, UTC)
    assert world.now() - timedelta(minutes=10) < since <= world.now()
