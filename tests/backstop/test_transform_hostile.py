"""Records that are made to take the worker, its memory or its answer down, and what becomes of their neighbours."""

from __future__ import annotations

import gzip
import tracemalloc
from typing import Any

import pytest

from backstop.kinds import Kind
from backstop.report import Description
from backstop.stream import MAX_BYTES
from backstop.transform import MAX_ANSWER_BYTES
from tests.backstop.test_transform import Stream, answered, as_it_is, click, record, records, results


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gzip.compress(b"x" * (MAX_BYTES + 1)), id="inflates to too much"),
        pytest.param(gzip.compress(b"x" * MAX_BYTES), id="inflates to what is no JSON"),
        pytest.param(gzip.compress(b'{"id": "' + b"x" * (MAX_BYTES - 20) + b'"}'), id="inflates to too long an id"),
    ],
)
def test_nothing_of_a_record_that_failed_is_kept_in_memory(data: bytes) -> None:
    """Else a batch of a few would end the worker, and take its neighbours along."""
    batch = records(*[data] * 12)
    tracemalloc.start()
    try:
        assert set(results(answered(batch, as_it_is))) == {"ProcessingFailed"}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * MAX_BYTES


def test_a_record_of_very_many_values_is_not_worked_off() -> None:
    stream = Stream()
    assert results(answered(records(b"{}" * 50_001, click("a")), as_it_is, stream)) == ["ProcessingFailed", "Ok"]
    assert "in a row" in stream.reports[0].error


def test_a_record_that_no_answer_has_room_for_beside_its_neighbours_holds_none_of_them_up() -> None:
    """It stands between what an answer carries alone and what it carries in a batch of many."""
    large = "y" * (MAX_ANSWER_BYTES * 3 // 4 - 6_000)

    def transform(event: dict[str, Any]) -> dict[str, Any]:
        return {"x": large} if event["id"] == "large" else event

    stream = Stream()
    tiny = [click(f"t-{number}") for number in range(400)]
    waiting = [*tiny[:200], click("large"), *tiny[200:]]
    ends: list[str] = []
    for _ in range(3):
        ends += results(answered(records(*waiting), transform, stream))
        waiting, stream.taken = stream.taken, []
    assert waiting == []
    assert (ends.count("Ok"), ends.count("ProcessingFailed")) == (400, 1)
    assert [report.error_type for report in stream.reports] == ["AnswerTooLarge"]


@pytest.mark.parametrize("text", ["\x00" * 1_200_000, '"' * 2_500_000, "é" * 1_000_000], ids=["null", "quotes", "é"])
def test_what_json_writes_longer_than_it_is_does_not_overfill_an_answer(text: str) -> None:
    """`answered` sees to the size."""
    answered([record(b"x", text[:100_000]), record(b"{}", "r-1")], as_it_is)
    answered([{"recordId": "r-0", "data": text}, {"recordId": "r-1", "data": text}], as_it_is)


def test_a_report_quotes_no_more_of_an_id_than_an_id_may_have() -> None:
    stream = Stream()

    def raise_it(event: dict[str, Any]) -> None:
        raise KeyError("x")

    answered(records(click("i" * 64)), raise_it, stream)
    assert stream.reports[0].event_id == "i" * 64
    assert (
        len(type(stream.reports[0]).unprocessed("r", "i" * 900_000, 1, "s", Kind.PERMANENT, Description()).event_id)
        <= 256
    )


def test_an_error_that_is_raised_again_and_again_does_not_grow() -> None:
    again = ValueError("always the same")

    def raise_it(event: dict[str, Any]) -> None:
        raise again

    answered(records(*[click("a")] * 50), raise_it)
    assert again.__traceback__ is None
