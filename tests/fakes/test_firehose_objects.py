"""The fake stream writes objects as Firehose does: where, under which name, and what is in them."""

from __future__ import annotations

import base64
import gzip
import json
import re
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from tests.fakes.contract import code_of
from tests.fakes.firehose_functions import each, original, passed, put, raising, stream_of

RESULTS = {b"bad": "ProcessingFailed", b"no": "Dropped"}

PARTIAL = each(lambda record: passed(record, result=RESULTS.get(original(record), "Ok")))
"""A function that passes all records but two."""

UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class TestObjects:
    def test_data_is_joined_with_nothing_in_between(self) -> None:
        stream = stream_of()
        put(stream, b'{"id": 1}', b'{"id": 2}\n', b"\x00\xff")
        stream.run_until_quiet()
        assert list(stream.objects.values()) == [b'{"id": 1}{"id": 2}\n\x00\xff']

    def test_each_batch_makes_one_object_of_data_and_one_of_errors(self) -> None:
        stream = stream_of(PARTIAL)
        for _ in range(2):
            put(stream, b"a", b"bad", b"b", b"bad", b"no")
            stream.run_until_quiet()
        assert len(stream.objects) == 4
        assert stream.delivered() == b"abab"
        assert len(stream.errors()) == 4

    def test_what_is_dropped_is_delivered_nowhere(self) -> None:
        stream = stream_of(PARTIAL)
        put(stream, b"no", b"no")
        stream.run_until_quiet()
        assert stream.objects == {}

    @pytest.mark.parametrize(
        ("prefix", "error_prefix", "evaluated", "error_evaluated"),
        [
            pytest.param("", "", "2026/01/05/09/", "processing-failed/2026/01/05/09/", id="neither"),
            pytest.param(
                "data/", "", "data/2026/01/05/09/", "data/processing-failed/2026/01/05/09/", id="a prefix of data only"
            ),
            pytest.param(
                "data/",
                "errors/",
                "data/2026/01/05/09/",
                "errors/processing-failed/2026/01/05/09/",
                id="two plain ones",
            ),
            pytest.param(
                "data/!{timestamp:yyyy/MM/dd}/",
                "errors/!{firehose:error-output-type}/!{timestamp:yyyy-MM-dd-HH}/",
                "data/2026/01/05/",
                "errors/processing-failed/2026-01-05-09/",
                id="expressions",
            ),
            pytest.param(
                "year=!{timestamp:yyyy}/hour=!{timestamp:HH}/",
                "!{firehose:error-output-type}/",
                "year=2026/hour=09/",
                "processing-failed/",
                id="one expression for each part; an error prefix without a time gets none",
            ),
            pytest.param(
                "!{timestamp:'day='yyyyMMdd}-",
                "errors-!{firehose:error-output-type}-",
                "day=20260105-",
                "errors-processing-failed-",
                id="quoted text, and no slash",
            ),
        ],
    )
    def test_are_named_after_prefix_stream_version_and_time(
        self, prefix: str, error_prefix: str, evaluated: str, error_evaluated: str
    ) -> None:
        stream = stream_of(PARTIAL, prefix=prefix, error_prefix=error_prefix)
        put(stream, b"a", b"bad")
        stream.run_until_quiet()
        key, error_key = stream.objects
        assert re.fullmatch(f"{evaluated}clicks-1-2026-01-05-09-00-00-{UUID}", key)
        assert re.fullmatch(f"{error_evaluated}clicks-1-2026-01-05-09-00-00-{UUID}", error_key)

    def test_are_named_after_the_arrival_of_the_oldest_record_in_them(self) -> None:
        stream = stream_of(PARTIAL, buffer_seconds=900)
        stream.clock.advance(timedelta(minutes=55))
        put(stream, b"no")
        stream.clock.advance(timedelta(minutes=3))
        put(stream, b"a")
        stream.clock.advance(timedelta(minutes=4))
        put(stream, b"bad", b"b")
        stream.run_until_quiet()
        key, error_key = stream.objects
        assert key.startswith("2026/01/05/09/clicks-1-2026-01-05-09-58-00-")
        assert error_key.startswith("processing-failed/2026/01/05/10/clicks-1-2026-01-05-10-02-00-")

    def test_a_random_string_differs_from_object_to_object(self) -> None:
        stream = stream_of(prefix="!{firehose:random-string}/!{timestamp:yyyy}/", error_prefix="errors/")
        for _ in range(2):
            put(stream, b"a")
            stream.run_until_quiet()
        first, second = (key.partition("/")[0] for key in stream.objects)
        assert first != second
        assert len(first) == 11

    @pytest.mark.parametrize(
        ("prefix", "error_prefix"),
        [
            pytest.param("!{timestamp:yyyy}/", "", id="expressions and no error prefix"),
            pytest.param("!{firehose:error-output-type}/", "errors/", id="an error type in the prefix of data"),
            pytest.param("", "errors/!{timestamp:yyyy}/", id="expressions in the error prefix, but not its type"),
            pytest.param("!{partition:key}/", "errors/", id="an unknown expression"),
            pytest.param("!{timestamp:yyyy", "errors/", id="an expression without an end"),
            pytest.param("!{timestamp:week}/", "errors/", id="a time that is none"),
        ],
    )
    def test_prefixes_that_firehose_refuses_are_refused(self, prefix: str, error_prefix: str) -> None:
        with pytest.raises(ClientError) as error:
            stream_of(prefix=prefix, error_prefix=error_prefix)
        assert code_of(error) == "InvalidArgumentException"

    def test_are_compressed_one_by_one_if_the_stream_says_so(self) -> None:
        stream = stream_of(PARTIAL, compresses=True)
        for _ in range(2):
            put(stream, b"a" * 1000, b"bad")
            stream.run_until_quiet()
        assert all(key.endswith(".gz") for key in stream.objects)
        data, errors, *_ = stream.objects.values()
        assert gzip.decompress(data) == b"a" * 1000
        assert json.loads(gzip.decompress(errors))["errorCode"] == "Lambda.ProcessingFailedStatus"
        assert stream.delivered() == b"a" * 2000
        assert len(stream.errors()) == 2


class TestErrorDocuments:
    def test_tell_when_why_and_what_failed(self) -> None:
        stream = stream_of(raising(ValueError("a bug")), retries=1)
        put_at = stream.clock.epoch_millis()
        put(stream, b"a \x00 click")
        stream.run_until_quiet()
        assert stream.errors() == [
            {
                "attemptsMade": 2,
                "arrivalTimestamp": put_at,
                "errorCode": "Lambda.FunctionError",
                "errorMessage": "The Lambda function was successfully invoked but it returned an error result.",
                "attemptEndingTimestamp": stream.clock.epoch_millis(),
                "rawData": "YSAAIGNsaWNr",
                "lambdaArn": "arn:aws:lambda:eu-west-1:123456789012:function:transform",
            }
        ]

    def test_keep_the_record_as_it_was_put_whatever_the_function_answered(self) -> None:
        stream = stream_of(each(lambda record: passed(record, result="ProcessingFailed", data="Z29uZQ==")))
        put(stream, b"bad")
        stream.run_until_quiet()
        assert [base64.b64decode(one["rawData"]) for one in stream.errors()] == [b"bad"]

    def test_are_lines_of_json(self) -> None:
        stream = stream_of(PARTIAL)
        put(stream, b"bad", b"bad\nbad", b"bad")
        stream.run_until_quiet()
        *_, body = stream.objects.values()
        first, second, rest = body.split(b"\n")
        assert json.loads(first)["rawData"] == json.loads(second)["rawData"] == "YmFk"
        assert rest == b""
