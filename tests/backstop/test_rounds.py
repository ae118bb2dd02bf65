"""What goes round: marks, what is put back on a stream and when, and that it comes to an end."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode, b64encode
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.rounds import MARKED, MAX_ROUNDS, UNMARKED, Mark, unmark
from tests.backstop import MARKER
from tests.backstop.test_transform import (
    FULL_ANSWER,
    Stream,
    answered,
    as_it_is,
    click,
    fill_up,
    records,
    results,
)

MARKS = st.builds(Mark, st.integers(0, 9999), st.integers(0, 9999))


def out_of_time() -> Callable[[], int]:
    """Return a clock on which an invocation's time is over as soon as it has begun."""
    readings = iter([60_000])
    return lambda: next(readings, 0)


class TestMarks:
    @given(MARKS, st.binary())
    def test_come_off_as_they_went_on(self, mark: Mark, data: bytes) -> None:
        assert unmark(mark.before(data)) == (mark, data)

    @given(MARKS, st.binary())
    def test_are_seen_in_base64_whatever_is_behind_them(self, mark: Mark, data: bytes) -> None:
        assert b64encode(mark.before(data)).decode().startswith(MARKED)

    @given(MARKS, MARKS, st.binary())
    def test_come_off_one_at_a_time(self, outer: Mark, inner: Mark, data: bytes) -> None:
        assert unmark(outer.before(inner.before(data))) == (outer, inner.before(data))

    @given(st.binary() | st.binary().map(lambda data: b"\x00backstop 1 rounds=" + data))
    def test_coming_off_they_change_nothing_behind_them(self, data: bytes) -> None:
        assert data.endswith(unmark(data)[1])

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b'{"id": "a"}', id="an event"),
            pytest.param(gzip.compress(b"{}"), id="gzip"),
            pytest.param(b"\x00backstop", id="the opening alone"),
            pytest.param(b"\x00backstop 1 rounds=1 replays=2", id="no line's end"),
            pytest.param(b"\x00backstop 1 rounds=1 replays=2\r\n{}", id="another line's end"),
            pytest.param(b"\x00backstop 2 rounds=1 replays=2\n{}", id="another version"),
            pytest.param(b"\x00backstop 1 rounds=-1 replays=2\n{}", id="a negative number"),
            pytest.param(b"\x00backstop 1 rounds=12345 replays=2\n{}", id="a number too large"),
            pytest.param(b"\x00backstop 1 rounds= replays=2\n{}", id="no number"),
            pytest.param("\x00backstop 1 rounds=٣ replays=2\n{}".encode(), id="digits of another script"),
            pytest.param(b"\x00backstop 1 rounds=1\n{}", id="no replays"),
            pytest.param(b"\x00Backstop 1 rounds=1 replays=2\n{}", id="another case"),
            pytest.param(b"backstop 1 rounds=1 replays=2\n{}", id="no null character"),
            pytest.param(b" " + Mark(1, 2).before(b"{}"), id="a blank in front"),
        ],
    )
    def test_what_looks_like_one_and_is_none_stays_untouched(self, data: bytes) -> None:
        assert unmark(data) == (UNMARKED, data)


class TestPuttingBack:
    FULL: Final = tuple(records(click("a"), click("b"), b"no event", Mark(2, 7).before(click("c")), click("d")))

    def test_what_has_no_room_goes_back_as_it_was_with_one_round_more(self) -> None:
        stream = Stream()
        answers = answered(self.FULL, lambda event: {"x": FULL_ANSWER}, stream)
        assert results(answers) == ["Dropped", "Dropped", "Dropped", "Ok", "Dropped"]
        assert [unmark(data) for data in stream.taken] == [
            (Mark(1, 0), click("a")),
            (Mark(1, 0), click("b")),
            (Mark(1, 0), b"no event"),
            (Mark(1, 0), click("d")),
        ]
        assert (stream.reports, stream.counted) == ([], [4])

    def test_what_was_replayed_stays_so(self) -> None:
        stream = Stream()
        answered(self.FULL, as_it_is, stream, out_of_time())
        assert unmark(stream.taken[0]) == (Mark(3, 7), click("c"))
        assert len(stream.taken) == 5

    def test_its_failure_counts_the_replays(self) -> None:
        stream = Stream()
        answered(records(Mark(5, 2).before(b"no event")), as_it_is, stream)
        assert [report.attempt for report in stream.reports] == [3]

    def test_what_the_stream_does_not_take_fails_and_is_reported(self) -> None:
        stream = Stream(why_not=lambda data: "busy" if b'"c"' in data or b'"d"' in data else "")
        answers = answered(self.FULL, fill_up, stream, out_of_time())
        assert results(answers) == ["Dropped", "Dropped", "Dropped", "ProcessingFailed", "ProcessingFailed"]
        assert [one["data"] for one in answers[3:]] == [one["data"] for one in self.FULL[3:]]
        assert {(report.record_id, report.error_type, report.attempt) for report in stream.reports} == {
            ("r-3", "NotPutBack", 8),
            ("r-4", "NotPutBack", 1),
        }
        assert {(report.pipeline_event, report.kind) for report in stream.reports} == {("failed", "transient")}
        assert all("busy" in report.error for report in stream.reports)
        assert stream.counted == [3]

    def test_a_record_whose_base64_cannot_be_read_cannot_go_back_and_fails(self) -> None:
        stream = Stream()
        spoilt = {"recordId": "s", "data": "no base64"}
        answers = answered([*self.FULL[:1], spoilt], as_it_is, stream, out_of_time())
        assert answers[1] == {"recordId": "s", "result": "ProcessingFailed", "data": "no base64"}
        assert [report.error_type for report in stream.reports] == ["MalformedEvent"]

    @pytest.mark.parametrize(("over", "result"), [(0, "Dropped"), (1, "ProcessingFailed")], ids=["1,000 KiB", "more"])
    def test_a_record_that_would_be_too_large_with_its_mark_fails(self, over: int, result: str) -> None:
        stream = Stream()
        data = click("b").ljust(1_024_000 - len(Mark(1, 0).before(b"")) + over)
        answers = answered(records(click("a"), data), fill_up, stream)
        assert results(answers) == ["Ok", result]
        assert [len(one) for one in stream.taken] == [1_024_000][over:]
        assert [report.error_type for report in stream.reports] == ["NotPutBack"] * over


class TestTime:
    @pytest.mark.parametrize(
        ("millis", "each_takes", "begun"),
        [
            pytest.param(60_000, 10, 100, id="there is time for all"),
            pytest.param(60_000, 5_000, 9, id="60 s: 15 s are kept, and one record's time"),
            pytest.param(300_000, 20_000, 14, id="5 min: 15 s are kept, and one record's time"),
            pytest.param(9_000, 1_000, 6, id="9 s: 3 s are kept, and one record's time"),
            pytest.param(300, 100, 2, id="300 ms: 100 ms are kept, and one record's time"),
            pytest.param(60_000, 59_000, 1, id="one that takes almost all"),
        ],
    )
    def test_where_little_is_left_the_rest_goes_back(self, millis: int, each_takes: int, begun: int) -> None:
        left = millis

        def take_time(event: dict[str, Any]) -> dict[str, Any]:
            nonlocal left
            left -= each_takes
            return event

        stream = Stream()
        batch = records(*(click(f"{number}") for number in range(100)))
        answers = answered(batch, take_time, stream, lambda: left)
        assert results(answers) == ["Ok"] * begun + ["Dropped"] * (100 - begun)
        assert [unmark(data) for data in stream.taken] == [
            (Mark(1, 0), click(f"{number}")) for number in range(begun, 100)
        ]


class TestTurns:
    def test_what_was_put_back_more_often_goes_first_and_the_others_as_they_came(self) -> None:
        ran: list[str] = []

        def run(event: dict[str, Any]) -> None:
            ran.append(event["id"])

        rounds = {"a": 0, "b": 1, "c": 3, "d": 0, "e": 10, "f": 3}
        batch = records(
            *(Mark(times, 9).before(click(name)) if times else click(name) for name, times in rounds.items())
        )
        spoilt = {"recordId": "s", "data": MARKED + "é"}
        answered([spoilt, *batch], run)
        assert ran == ["e", "c", "f", "b", "a", "d"]

    def test_what_went_round_almost_as_often_as_it_may_goes_once_more(self) -> None:
        stream = Stream()
        answered(records(Mark(MAX_ROUNDS - 1, 1).before(click("b"))), as_it_is, stream, out_of_time())
        assert stream.taken == [Mark(MAX_ROUNDS, 1).before(click("b"))]

    @pytest.mark.parametrize("rounds", [MAX_ROUNDS, 9999], ids=["as often as it may", "as a producer wrote"])
    def test_what_went_round_too_often_fails_instead(self, rounds: int) -> None:
        stream = Stream()
        marked = Mark(rounds, 1).before(click("b", name=MARKER))
        answers = answered(records(marked), as_it_is, stream, out_of_time())
        assert [(one["result"], b64decode(one["data"])) for one in answers] == [("ProcessingFailed", marked)]
        assert stream.taken == []
        [report] = stream.reports
        assert (report.error_type, report.kind, report.attempt) == ("Circling", "permanent", 2)
        assert MARKER not in json.dumps(report.fields())

    def test_it_is_transformed_all_the_same_while_there_is_room(self) -> None:
        assert results(answered(records(Mark(9999, 0).before(click("b"))), as_it_is)) == ["Ok"]


BATCH_BYTES: Final = 3_000_000
"""What a stream's buffer holds at most where Lambda transforms it (Firehose quotas)."""


class Loop:
    """A stream whose records grow four times, and on which the function itself puts back what has no room."""

    def __init__(self, megabytes: int, record_bytes: int) -> None:
        count = megabytes * 1_000_000 // record_bytes
        self.waiting = deque(click(f"{number}", x="x" * (record_bytes - 30)) for number in range(count))
        self.sent = {f"{number}" for number in range(count)}
        self.delivered: Counter[str] = Counter()
        self.stream = Stream()

    def turn(self, put_back: Callable[[bytes], None]) -> None:
        """Transform one batch, and put back what comes back."""
        batch: list[bytes] = []
        while self.waiting and sum(map(len, batch)) + len(self.waiting[0]) <= BATCH_BYTES:
            batch.append(self.waiting.popleft())
        for one in answered(records(*batch), self._grow, self.stream):
            self.delivered.update(json.loads(line)["id"] for line in b64decode(one["data"]).splitlines())
        for data in self.stream.taken:
            put_back(data)
        self.stream.taken.clear()

    @staticmethod
    def _grow(event: dict[str, Any]) -> dict[str, Any]:
        return event | {"x": event["x"] * 4}


@pytest.mark.parametrize("record_bytes", [50_000, 400_000], ids=["of 50 KB", "of 400 KB"])
@pytest.mark.parametrize("is_first", [True, False], ids=["in front of fresh ones", "behind fresh ones"])
def test_records_that_grow_four_times_are_all_delivered_once(is_first: bool, record_bytes: int) -> None:
    loop = Loop(megabytes=18, record_bytes=record_bytes)
    for _ in range(100):
        loop.turn(loop.waiting.appendleft if is_first else loop.waiting.append)
    assert loop.stream.reports == []
    assert loop.delivered == dict.fromkeys(loop.sent, 1)
    assert not loop.waiting
