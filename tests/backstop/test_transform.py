from __future__ import annotations

import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from random import Random
from typing import Any, Final

import pytest

from backstop.errors import Kinds
from backstop.kinds import Kind
from backstop.report import Report
from backstop.rounds import Mark
from backstop.stream import reader
from backstop.transform import Answer, Flow, Record, Transform, answer
from tests.backstop import MARKER

MAX_RESPONSE_BYTES: Final = 6_291_456
"""What Lambda lets a function return: 6 MiB (Lambda quotas)."""

FAILED: Final = "ProcessingFailed"
OWN_ROOT: Final = __file__.rpartition("/")[0]
READ: Final = reader({"type": "object", "properties": {"id": {"type": "string", "maxLength": 64}}})
FULL_ANSWER: Final = "y" * 4_499_000
"""Almost all that an answer carries: nothing of a size fits beside it."""


def take(data: bytes) -> str:
    return ""


def refuse(data: bytes) -> str:
    return "no"


@dataclass
class Stream:
    """The effects of a batch: a stream that takes back all but what it refuses, and what was reported."""

    why_not: Callable[[bytes], str] = take
    taken: list[bytes] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)

    def put_back(self, data: Sequence[bytes]) -> list[str]:
        whys = [self.why_not(one) for one in data]
        self.taken += [one for one, why in zip(data, whys, strict=True) if not why]
        return whys

    def report(self, report: Report) -> None:
        self.reports.append(report)

    def count(self, put_back: int) -> None:
        self.counted.append(put_back)


def record(data: bytes, record_id: str = "r-0") -> Record:
    """Return a record as Firehose hands it over."""
    return {"recordId": record_id, "approximateArrivalTimestamp": 1795222800000, "data": b64encode(data).decode()}


def records(*data: bytes) -> list[Record]:
    return [record(one, f"r-{number}") for number, one in enumerate(data)]


def click(event_id: str, **fields: Any) -> bytes:
    return json.dumps({"id": event_id, **fields}).encode()


def answered(
    batch: Sequence[Record],
    transform: Transform,
    stream: Stream | None = None,
    remaining_millis: Callable[[], int] = lambda: 60_000,
    kinds: Kinds | None = None,
) -> list[Answer]:
    """Answer for a batch, and see to what holds for each answer whatsoever."""
    flow = Flow(READ, transform, remaining_millis, kinds or {}, "clicks", OWN_ROOT)
    answers = answer(batch, flow, stream or Stream())
    assert [one["recordId"] for one in answers] == [one["recordId"] for one in batch]
    assert all(one.keys() == {"recordId", "result", "data"} for one in answers)
    assert all(type(one["data"]) is str for one in answers)
    assert {one["result"] for one in answers} <= {"Ok", "Dropped", "ProcessingFailed"}
    assert len(json.dumps({"records": answers})) <= MAX_RESPONSE_BYTES
    return answers


def results(answers: Sequence[Answer]) -> list[str]:
    return [one["result"] for one in answers]


def as_it_is(event: dict[str, Any]) -> dict[str, Any]:
    return event


def fill_up(event: dict[str, Any]) -> dict[str, Any]:
    """Fill the whole answer with the event `a`, and let no other be small."""
    return {"x": FULL_ANSWER} if event["id"] == "a" else event | {"x": "y" * 10_000}


def drop_robots(event: dict[str, Any]) -> dict[str, Any] | None:
    return None if "robot" in event["id"] else event


class TestAnswers:
    @pytest.mark.parametrize(
        ("data", "result", "stored"),
        [
            pytest.param(click("a"), "Ok", '{"id":"a"}\n', id="an event"),
            pytest.param(b' {"id": "a"}\n{"id": "b"} ', "Ok", '{"id":"a"}\n{"id":"b"}\n', id="two events"),
            pytest.param(gzip.compress(click("a") * 2), "Ok", '{"id":"a"}\n{"id":"a"}\n', id="gzip"),
            pytest.param(click("é", x="a\nb"), "Ok", '{"id":"é","x":"a\\nb"}\n', id="each event in one line"),
            pytest.param(b"{}", "ProcessingFailed", "{}", id="an event that the transform fails on"),
            pytest.param(click("robot"), "Dropped", "", id="a robot"),
            pytest.param(click("robot") * 2, "Dropped", "", id="robots only"),
            pytest.param(click("robot") + click("a"), "Ok", '{"id":"a"}\n', id="a robot and another"),
            pytest.param(Mark(3, 1).before(click("a")), "Ok", '{"id":"a"}\n', id="a mark in front"),
            pytest.param(b"id=a", "ProcessingFailed", "id=a", id="no event"),
            pytest.param(click("a") + b"x", "ProcessingFailed", '{"id": "a"}x', id="an event and something else"),
            pytest.param(b"", "ProcessingFailed", "", id="nothing"),
        ],
    )
    def test_an_event_is_a_line_and_a_failure_is_kept_as_it_came(self, data: bytes, result: str, stored: str) -> None:
        for batch in (records(data), records(click("first"), data, click("last"))):
            answers = answered(batch, drop_robots)
            there = answers[len(batch) // 2]
            assert (there["result"], b64decode(there["data"]).decode()) == (result, stored)
            assert results(answers).count("Ok") == (result == "Ok") + len(batch) - 1

    def test_a_batch_of_none_is_answered_by_none(self) -> None:
        stream = Stream()
        assert answered([], as_it_is, stream) == []
        assert (stream.taken, stream.reports, stream.counted) == ([], [], [0])

    def test_records_that_share_an_id_cannot_be_answered_for_and_fail(self) -> None:
        stream = Stream()
        batch = [record(click("a"), "same"), record(click("b"), "other"), record(click("c"), "same")]
        answers = answered(batch, as_it_is, stream)
        assert results(answers) == ["ProcessingFailed"] * 3
        assert [one["data"] for one in answers] == [one["data"] for one in batch]
        assert [report.error_type for report in stream.reports] == ["SameRecordId"] * 3


class TestRecordsTooLarge:
    def test_one_that_no_answer_carries_fails_and_the_others_go_on(self) -> None:
        def grow(event: dict[str, Any]) -> dict[str, Any]:
            return {"x": "y" * 5_000_000} if event["id"] == "b" else event

        stream = Stream()
        batch = records(click("a"), click("b"), click("c"))
        answers = answered(batch, grow, stream)
        assert results(answers) == ["Ok", "ProcessingFailed", "Ok"]
        assert answers[1]["data"] == batch[1]["data"]
        [report] = stream.reports
        assert (report.error_type, report.kind, report.record_id) == ("AnswerTooLarge", "permanent", "r-1")
        assert stream.taken == []

    def test_what_fails_in_a_full_answer_is_kept_as_long_as_there_is_room(self) -> None:
        batch = records(click("a"), b"x" * 1_000_000, b"tiny")
        answers = answered(batch, fill_up)
        assert results(answers) == ["Ok", "ProcessingFailed", "ProcessingFailed"]
        assert [one["data"] for one in answers[1:]] == ["", batch[2]["data"]]


def generated(seed: int, batch_bytes: int) -> list[Record]:
    """Return a batch of this size, of few large records or of many small ones; it grows up to four times."""
    random = Random(seed)
    largest = min(random.choice([1_000, 60_000, 1_000_000]), batch_bytes)
    growth = random.randint(1, 4)
    batch: list[Record] = []
    while batch_bytes > 0:
        data = click(f"{len(batch)}", growth=growth, x="x" * random.randint(largest // 10, largest))
        batch.append(record(data, f"{random.getrandbits(180):056}"))
        batch_bytes -= len(data)
    return batch


def grow(event: dict[str, Any]) -> dict[str, Any]:
    return {"x": event["x"] * event["growth"]}


miss = itemgetter("what is not there")
MODES: Final = ((grow, take, {"Ok", "Dropped"}), (grow, refuse, {"Ok", FAILED}), (miss, refuse, {FAILED}))


@pytest.mark.parametrize(("count", "batch_bytes"), [(924, 30_000), (60, 300_000), (16, 3_000_000)])
def test_no_answer_is_more_than_a_function_may_return(count: int, batch_bytes: int) -> None:
    """`answered` sees to it for each batch; the largest do not fit in one."""
    seen: set[str] = set()
    for seed in range(count):
        transform, why_not, expected = MODES[seed % len(MODES)]
        answers = answered(generated(seed, batch_bytes), transform, stream := Stream(why_not))
        assert set(results(answers)) <= expected
        assert results(answers).count(FAILED) == len(stream.reports)
        assert results(answers).count("Dropped") == len(stream.taken)
        seen.update(results(answers))
    assert ("Dropped" in seen) == (batch_bytes == 3_000_000)


def quoting(event: dict[str, Any]) -> Any:
    raise ValueError(f"cannot store {event}")


class TestFailures:
    def test_are_of_the_kind_that_the_team_says(self) -> None:
        stream = Stream()
        answered(records(click("a")), quoting, stream, kinds={ValueError: Kind.TRANSIENT})
        assert [report.kind for report in stream.reports] == ["transient"]

    def test_are_reported_with_their_stream_and_place(self) -> None:
        stream = Stream()
        answered(records(click("a")), quoting, stream)
        told = stream.reports[0].fields()
        assert (told["stream"], told["where"]) == ("clicks", "tests.backstop.test_transform:quoting")
        assert (told["pipeline_event"], told["verdict"]) == ("failed", "ProcessingFailed")

    def test_of_one_event_among_several_are_reported_with_its_id(self) -> None:
        def refuse_b(event: dict[str, Any]) -> dict[str, Any]:
            if event["id"] == "b":
                raise ValueError
            return event

        stream = Stream()
        answers = answered(records(click("a") + click("b") + click("c")), refuse_b, stream)
        assert results(answers) == ["ProcessingFailed"]
        assert [report.event_id for report in stream.reports] == ["b"]

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(MARKER.encode(), id="no JSON"),
            pytest.param(json.dumps({"id": [MARKER]}).encode(), id="not the schema's"),
            pytest.param(click(MARKER * 20), id="an id that the schema finds too long"),
            pytest.param(MARKER.encode() + b"\xff", id="not UTF-8"),
            pytest.param(Mark(1, 1).before(MARKER.encode()), id="no JSON behind a mark"),
            pytest.param(b"\x00backstop 2 " + MARKER.encode(), id="no mark"),
        ],
    )
    def test_of_data_that_is_no_event_tell_nothing_of_it(self, data: bytes) -> None:
        stream = Stream()
        answers = answered(records(data), as_it_is, stream)
        assert [(one["result"], b64decode(one["data"])) for one in answers] == [("ProcessingFailed", data)]
        [report] = stream.reports
        assert (report.error_type, report.kind, report.event_id) == ("MalformedEvent", "permanent", "")
        assert report.error
        assert MARKER not in json.dumps(report.fields())
