"""The fake stream reads a function's answers, tries failed invocations again and gives up as Firehose does."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.fakes.firehose import FakeFirehose
from tests.fakes.firehose_functions import (
    Record,
    each,
    handed_over,
    one_after_the_other,
    original,
    passed,
    put,
    raising,
    stream_of,
)
from tests.fakes.source import Handler, WorkerDied

FUNCTION_ERROR = "Lambda.FunctionError"
UNREADABLE = "Lambda.JsonProcessingException"
MISSING = "Lambda.MissingRecordId"
DUPLICATED = "Lambda.DuplicatedRecordId"
SAID_SO = "Lambda.ProcessingFailedStatus"
NO_DATA = "Lambda.InvalidReturnFormat"


def answering(answer: object) -> Handler:
    return lambda event, context: answer


def failed(stream: FakeFirehose) -> list[tuple[bytes, str, int]]:
    """Return which records failed, why, and after how many invocations."""
    return [(base64.b64decode(one["rawData"]), one["errorCode"], one["attemptsMade"]) for one in stream.errors()]


class TestAnInvocationThatFails:
    @pytest.mark.parametrize(
        ("function", "code"),
        [
            pytest.param(raising(ValueError("a bug")), FUNCTION_ERROR, id="raises"),
            pytest.param(raising(WorkerDied("out of memory")), FUNCTION_ERROR, id="dies"),
            pytest.param(answering(object()), FUNCTION_ERROR, id="answers what JSON has no word for"),
            pytest.param(answering({"records": float("nan")}), UNREADABLE, id="answers NaN, which is not JSON"),
            pytest.param(answering(None), UNREADABLE, id="answers null"),
            pytest.param(answering([]), UNREADABLE, id="answers a list"),
            pytest.param(answering({}), UNREADABLE, id="answers without records"),
            pytest.param(answering({"records": {}}), UNREADABLE, id="records that are no list"),
            pytest.param(answering({"records": ["1"]}), UNREADABLE, id="a record that is no object"),
            pytest.param(each(lambda record: passed(record, result="ok")), FUNCTION_ERROR, id="an unknown result"),
            pytest.param(each(lambda record: passed(record, result=["Ok"])), FUNCTION_ERROR, id="a list for a result"),
            pytest.param(each(lambda record: passed(record, result=None)), FUNCTION_ERROR, id="no result"),
            pytest.param(each(lambda record: passed(record, data="Y,Q==")), FUNCTION_ERROR, id="data not in base64"),
            pytest.param(
                each(lambda record: passed(record, data="YQ")), FUNCTION_ERROR, id="base64 without its padding"
            ),
            pytest.param(each(lambda record: passed(record, data=7)), FUNCTION_ERROR, id="data that is a number"),
        ],
    )
    def test_is_tried_again_three_times_and_then_all_its_records_have_failed(
        self, function: Handler, code: str
    ) -> None:
        stream = stream_of(function)
        put(stream, b"a", b"b")
        stream.run_until_quiet()
        assert handed_over(stream) == [[b"a", b"b"]] * 4
        assert all(invocation.error is not None for invocation in stream.invocations)
        assert failed(stream) == [(b"a", code, 4), (b"b", code, 4)]
        assert stream.delivered() == b""

    def test_one_unknown_result_fails_the_whole_batch(self) -> None:
        stream = stream_of(each(lambda record: passed(record, result="?" if original(record) == b"a" else "Ok")))
        put(stream, b"a", b"b")
        stream.run_until_quiet()
        assert [data for data, _, _ in failed(stream)] == [b"a", b"b"]

    def test_is_tried_again_with_the_same_records_under_another_id(self) -> None:
        stream = stream_of(one_after_the_other(raising(WorkerDied()), each(passed)))
        put(stream, b"a", b"b")
        stream.run_until_quiet()
        first, second = (invocation.event for invocation in stream.invocations)
        assert first["records"] == second["records"]
        assert first["invocationId"] != second["invocationId"]
        assert (stream.delivered(), stream.errors()) == (b"ab", [])

    def test_counts_the_tries_before_it_in_the_errors_of_the_one_that_succeeds(self) -> None:
        refusing = each(lambda record: passed(record, result="ProcessingFailed"))
        stream = stream_of(one_after_the_other(raising(ValueError()), raising(ValueError()), refusing))
        put(stream, b"a")
        stream.run_until_quiet()
        assert failed(stream) == [(b"a", SAID_SO, 3)]

    @pytest.mark.parametrize("retries", [0, 1, 5])
    def test_is_tried_again_as_often_as_the_stream_says(self, retries: int) -> None:
        stream = stream_of(raising(ValueError()), retries=retries)
        put(stream, b"a")
        stream.run_until_quiet()
        assert failed(stream) == [(b"a", FUNCTION_ERROR, 1 + retries)]

    def test_shows_what_the_function_raised_or_answered(self) -> None:
        error = ValueError("a bug")
        stream = stream_of(one_after_the_other(raising(error), answering({"records": 7})), retries=1)
        put(stream, b"a")
        stream.run_until_quiet()
        first, second = stream.invocations
        assert (first.answer, first.error) == (None, error)
        assert (second.answer, str(second.error)) == ({"records": 7}, "the answer has no list of records")

    def test_cannot_change_what_the_next_one_is_given(self) -> None:
        def clear(event: Any, context: Any) -> None:
            event["records"].clear()

        stream = stream_of(clear, retries=1)
        put(stream, b"a")
        stream.run_until_quiet()
        assert handed_over(stream) == [[b"a"], [b"a"]]

    @pytest.mark.parametrize(
        ("seconds", "is_delivered"), [pytest.param(30, True, id="in time"), pytest.param(31, False, id="too late")]
    )
    def test_an_answer_after_the_timeout_is_lost(self, seconds: int, is_delivered: bool) -> None:
        def dawdle(event: Any, context: Any) -> object:
            stream.clock.advance(timedelta(seconds=seconds))
            return each(passed)(event, context)

        stream = stream_of(dawdle, timeout=timedelta(seconds=30), retries=0)
        put(stream, b"a")
        stream.run_until_quiet()
        assert stream.delivered() == (b"a" if is_delivered else b"")
        assert failed(stream) == ([] if is_delivered else [(b"a", FUNCTION_ERROR, 1)])

    @pytest.mark.parametrize(
        ("letter", "size", "is_delivered"),
        [
            pytest.param("x", 6_291_456, True, id="6 MiB"),
            pytest.param("x", 6_291_457, False, id="a byte more"),
            pytest.param("é", 6_291_458, False, id="over it in bytes, not in letters"),
        ],
    )
    def test_an_answer_is_at_most_6_mib_as_python_writes_it(self, letter: str, size: int, is_delivered: bool) -> None:
        def fill(event: Any, context: Any) -> object:
            answer = {"records": [passed(record) for record in event["records"]], "filler": ""}
            letters = (size - len(json.dumps(answer))) // len(letter.encode())
            return answer | {"filler": letter * letters}

        stream = stream_of(fill, retries=0)
        put(stream, b"a")
        stream.run_until_quiet()
        assert stream.delivered() == (b"a" if is_delivered else b"")
        assert failed(stream) == ([] if is_delivered else [(b"a", FUNCTION_ERROR, 1)])


class TestTheAnswer:
    @pytest.mark.parametrize(
        ("answers", "delivered", "why"),
        [
            pytest.param(lambda a, b: [passed(a), passed(b)], b"ab", {}, id="all is fine"),
            pytest.param(lambda a, b: [passed(b), passed(a)], b"ab", {}, id="another order"),
            pytest.param(lambda a, b: [passed(a, data="QQ=="), passed(b)], b"Ab", {}, id="transformed"),
            pytest.param(lambda a, b: [passed(a, data=""), passed(b)], b"b", {}, id="transformed into nothing"),
            pytest.param(lambda a, b: [passed(a, result="Dropped"), passed(b)], b"b", {}, id="dropped"),
            pytest.param(
                lambda a, b: [{"recordId": a["recordId"], "result": "Dropped"}, passed(b)],
                b"b",
                {},
                id="dropped, without data",
            ),
            pytest.param(
                lambda a, b: [passed(a, result="ProcessingFailed"), passed(b)], b"b", {b"a": SAID_SO}, id="failed"
            ),
            pytest.param(
                lambda a, b: [{"recordId": a["recordId"], "result": "ProcessingFailed"}, passed(b)],
                b"b",
                {b"a": SAID_SO},
                id="failed, without data",
            ),
            pytest.param(lambda a, b: [passed(a, data=None), passed(b)], b"b", {b"a": NO_DATA}, id="null for data"),
            pytest.param(
                lambda a, b: [{"recordId": a["recordId"], "result": "Ok"}, passed(b)],
                b"b",
                {b"a": NO_DATA},
                id="without data",
            ),
            pytest.param(lambda a, b: [passed(b)], b"b", {b"a": MISSING}, id="one is missing"),
            pytest.param(lambda a, b: [], b"", {b"a": MISSING, b"b": MISSING}, id="all are missing"),
            pytest.param(
                lambda a, b: [passed(a, recordId="1"), passed(b)], b"b", {b"a": MISSING}, id="under another id"
            ),
            pytest.param(
                lambda a, b: [passed(a, recordId=int(a["recordId"])), passed(b)],
                b"b",
                {b"a": MISSING},
                id="under its id as a number",
            ),
            pytest.param(
                lambda a, b: [{"result": "Ok", "data": a["data"]}, passed(b)], b"b", {b"a": MISSING}, id="under no id"
            ),
            pytest.param(
                lambda a, b: [passed(a), passed(b), passed(a)], b"b", {b"a": DUPLICATED}, id="one is there twice"
            ),
            pytest.param(
                lambda a, b: [passed(a), passed(b), passed(b, recordId="1")], b"ab", {}, id="one that nobody asked for"
            ),
        ],
    )
    def test_decides_on_each_record(
        self, answers: Callable[[Record, Record], list[Record]], delivered: bytes, why: dict[bytes, str]
    ) -> None:
        stream = stream_of(lambda event, context: {"records": answers(*event["records"])})
        put(stream, b"a", b"b")
        stream.run_until_quiet()
        assert stream.delivered() == delivered
        assert failed(stream) == [(data, code, 1) for data, code in why.items()]
        assert len(stream.invocations) == 1
