"""Records that grow until an answer is full, through the real app.py: what it has no room for goes round once more."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.fakes.firehose_answers import MAX_PAYLOAD_BYTES
from tests.fakes.handler import Event
from tests.stream_lane import ScriptedTransform, StreamLane, stream_lane, verdicts

MIB = 1024 * 1024
RECORD_BYTES = 20_000


@pytest.fixture
def wide() -> Iterator[StreamLane]:
    """Give the function batches of 3 MiB, the most that a stream hands over."""
    with stream_lane(ScriptedTransform(), buffer_bytes=3 * MIB) as lane:
        yield lane


def grow(click: Event) -> Event:
    """Grow 4 to 8 times: each click by its own factor."""
    factor = random.Random(click["id"]).uniform(4, 8)
    return click | {"grown": "x" * int(RECORD_BYTES * (factor - 1))}


def put_growing(lane: StreamLane, count: int, padding: int = RECORD_BYTES) -> dict[str, bytes]:
    """Put clicks on the stream that grow, and return their data by their ids."""
    clicks = [lane.click(padding="p" * padding) for _ in range(count)]
    for click in clicks:
        lane.handler.will(click["id"], grow)
    data = lane.put(*clicks)
    return {click["id"]: one for click, one in zip(clicks, data, strict=True)}


def answer_sizes(lane: StreamLane) -> list[int]:
    """Return the size of each answer as Lambda sends it."""
    return [len(json.dumps(invocation.answer, ensure_ascii=False).encode()) for invocation in lane.invocations]


def put_back(lane: StreamLane) -> int:
    """Return how many records the log says were put back."""
    return sum(line["records"] for line in lane.worker.lines() if line.get("message") == "put back on the stream")


class TestAnswersThatAreFull:
    def test_deliver_every_record_exactly_once_all_the_same(self, wide: StreamLane) -> None:
        clicks = put_growing(wide, 300)
        wide.run()
        assert Counter(wide.stored_ids()) == Counter(clicks.keys())
        assert {len(click["grown"]) for click in wide.stored()} == {len(grow({"id": name})["grown"]) for name in clicks}
        assert wide.stream.errors() == []

    def test_fail_no_invocation_and_are_never_too_large_for_lambda(self, wide: StreamLane) -> None:
        put_growing(wide, 300)
        wide.run()
        assert [invocation.error for invocation in wide.invocations] == [None] * len(wide.invocations)
        assert len(wide.invocations) > 2
        assert max(answer_sizes(wide)) <= MAX_PAYLOAD_BYTES == 6_291_456

    def test_are_nearly_full_so_that_little_goes_round(self, wide: StreamLane) -> None:
        put_growing(wide, 150)
        wide.run()
        *full, _ = answer_sizes(wide)
        assert all(size > 5_500_000 for size in full)

    def test_say_how_many_records_they_put_back_and_report_no_failure(self, wide: StreamLane) -> None:
        clicks = put_growing(wide, 150)
        wide.run()
        handed_over = sum(len(invocation.event["records"]) for invocation in wide.invocations)
        assert put_back(wide) == handed_over - len(clicks) > 0
        assert verdicts(wide) == {"PutBack": put_back(wide)}
        assert wide.worker.reports() == []

    def test_ask_the_stream_in_calls_that_it_takes(self, wide: StreamLane) -> None:
        """Small records, so that it is their number that fills a call."""
        clicks = [wide.click() for _ in range(2_000)]
        for click in clicks:
            wide.handler.will(click["id"], lambda one: one | {"grown": "x" * 9_000})
        wide.put(*clicks)
        wide.run()
        assert Counter(wide.stored_ids()) == Counter(click["id"] for click in clicks)
        full = [len(invocation.event["records"]) for invocation in wide.invocations]
        assert wide.faults.calls["PutRecordBatch"] <= sum(-(-records // 500) for records in full)

    def test_leave_room_for_records_that_were_put_on_the_stream_since(self, wide: StreamLane) -> None:
        first = put_growing(wide, 150)
        wide.deliver()
        later = put_growing(wide, 150)
        wide.run()
        assert Counter(wide.stored_ids()) == Counter([*first, *later])

    def test_hand_on_gzip_as_it_came(self, wide: StreamLane) -> None:
        """A record of 3 kB may be clicks of 300 kB."""
        clicks = [wide.click(padding="p" * 300_000) for _ in range(40)]
        wide.put(*[gzip.compress(json.dumps(click).encode()) for click in clicks])
        wide.run()
        assert Counter(wide.stored_ids()) == Counter(click["id"] for click in clicks)
        assert verdicts(wide)["PutBack"] > 0

    def test_keep_neighbours_that_fail_as_they_came(self, wide: StreamLane) -> None:
        clicks = put_growing(wide, 60)
        broken = wide.put(*[b"no JSON" + b"!" * RECORD_BYTES + str(number).encode() for number in range(60)])
        wide.run()
        assert Counter(wide.stored_ids()) == Counter(clicks.keys())
        assert Counter(wide.kept()) == Counter(broken)

    def test_keep_a_record_for_which_there_is_never_room_beside_its_neighbours_and_no_other(
        self, stream: StreamLane
    ) -> None:
        """An answer of its own could just carry it; what the answers of 50 others take is already too much."""
        stream.handler.will("giant", lambda click: {"id": click["id"], "x": "x" * 4_498_000})
        [giant, *_] = stream.put(stream.click("giant"), *[stream.click() for _ in range(50)])
        stream.run()
        assert stream.kept() == [giant]
        assert len(stream.stored()) == 50
        [report] = stream.worker.reports()
        assert (report["event_id"], report["error_type"]) == ("giant", "AnswerTooLarge")
