"""The fake stream takes, buffers and hands over records as Firehose does."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError, ReadTimeoutError

from tests.fakes.contract import code_of
from tests.fakes.faults import Fault
from tests.fakes.firehose_functions import each, handed_over, original, passed, put, stream_of
from tests.fakes.source import FakeContext

KIB = 1024
MIB = 1024 * KIB
SECOND = timedelta(seconds=1)


class TestPutRecordBatch:
    def test_answers_for_each_record_in_its_order(self) -> None:
        stream = stream_of()
        stream.refuses = lambda data: data == b"b"
        answer = put(stream, b"a", b"b", b"c")
        assert (answer["FailedPutCount"], answer["Encrypted"]) == (1, False)
        first, second, third = answer["RequestResponses"]
        assert second == {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
        assert list(first) == list(third) == ["RecordId"]
        assert first != third

    def test_a_refused_record_is_not_taken_and_its_neighbours_are(self) -> None:
        stream = stream_of()
        stream.refuses = lambda data: data == b"b"
        put(stream, b"a", b"b", b"c")
        stream.run_until_quiet()
        assert stream.delivered() == b"ac"

    @pytest.mark.parametrize(
        "sizes",
        [
            pytest.param([1] * 500, id="500 records"),
            pytest.param([1000 * KIB], id="a record of 1,000 KiB"),
            pytest.param([1000 * KIB] * 4 + [96 * KIB], id="4 MiB in all"),
            pytest.param([0], id="a record without data"),
        ],
    )
    def test_takes_a_call_that_is_just_within_its_limits(self, sizes: Sequence[int]) -> None:
        stream = stream_of()
        assert put(stream, *(b"x" * size for size in sizes))["FailedPutCount"] == 0
        assert [len(record.data) for record in stream.buffered] == sizes

    @pytest.mark.parametrize(
        ("sizes", "code"),
        [
            pytest.param([1] * 501, "ValidationException", id="501 records"),
            pytest.param([1, 1000 * KIB + 1], "ValidationException", id="a record over 1,000 KiB"),
            pytest.param([1000 * KIB] * 4 + [96 * KIB + 1], "InvalidArgumentException", id="over 4 MiB in all"),
        ],
    )
    def test_a_call_over_a_limit_takes_none_of_its_records(self, sizes: Sequence[int], code: str) -> None:
        stream = stream_of()
        with pytest.raises(ClientError) as error:
            put(stream, *(b"x" * size for size in sizes))
        assert code_of(error) == code
        assert stream.buffered == []

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param({"DeliveryStreamName": "clicks", "Records": []}, id="no records"),
            pytest.param(
                {"DeliveryStreamName": "clicks", "Records": [{"Data": {"id": 1}}]}, id="data that is no bytes"
            ),
            pytest.param({"DeliveryStreamName": "clicks", "Records": [{"data": b"x"}]}, id="a key that is unknown"),
            pytest.param({"Records": [{"Data": b"x"}]}, id="no stream"),
        ],
    )
    def test_boto3_never_sends_what_it_knows_to_be_wrong(self, wrong: dict[str, Any]) -> None:
        stream = stream_of()
        with pytest.raises(ParamValidationError):
            stream.put_record_batch(**wrong)
        assert stream.faults.calls["PutRecordBatch"] == 0

    def test_a_stream_that_is_not_there_is_not_found(self) -> None:
        with pytest.raises(ClientError) as error:
            stream_of().put_record_batch(DeliveryStreamName="other", Records=[{"Data": b"x"}])
        assert code_of(error) == "ResourceNotFoundException"

    @pytest.mark.parametrize(
        ("fault", "error", "is_taken"),
        [
            pytest.param(Fault.THROTTLED, ClientError, False, id="throttled"),
            pytest.param(Fault.DENIED, ClientError, False, id="access denied"),
            pytest.param(Fault.UNREACHABLE, EndpointConnectionError, False, id="no connection"),
            pytest.param(Fault.ANSWER_LOST, ReadTimeoutError, True, id="the connection breaks after the put"),
        ],
    )
    def test_a_call_fails_as_it_is_told(self, fault: Fault, error: type[Exception], is_taken: bool) -> None:
        stream = stream_of()
        stream.faults.fail("PutRecordBatch", fault)
        with pytest.raises(error):
            put(stream, b"x")
        assert [record.data for record in stream.buffered] == ([b"x"] if is_taken else [])
        put(stream, b"y")
        assert stream.faults.calls["PutRecordBatch"] == 2

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            pytest.param(Fault.THROTTLED, "ServiceUnavailableException", id="throttled"),
            pytest.param(Fault.DENIED, "AccessDeniedException", id="access denied"),
        ],
    )
    def test_a_failed_call_carries_firehoses_code(self, fault: Fault, code: str) -> None:
        stream = stream_of()
        stream.faults.fail("PutRecordBatch", fault)
        with pytest.raises(ClientError) as error:
            put(stream, b"x")
        assert code_of(error) == code


class TestTheBuffer:
    def test_is_handed_over_when_its_oldest_record_is_old_enough(self) -> None:
        stream = stream_of()
        put(stream, b"a")
        stream.clock.advance(timedelta(seconds=30))
        put(stream, b"b")
        stream.clock.advance(timedelta(seconds=29))
        assert stream.poll() == []
        stream.clock.advance(SECOND)
        assert len(stream.poll()) == 1
        assert handed_over(stream) == [[b"a", b"b"]]

    def test_is_handed_over_at_once_when_it_is_large_enough(self) -> None:
        stream = stream_of(buffer_bytes=10)
        put(stream, b"x" * 9)
        assert stream.poll() == []
        put(stream, b"yyy", b"z")
        stream.poll()
        assert handed_over(stream) == [[b"x" * 9, b"yyy"]]
        assert [record.data for record in stream.buffered] == [b"z"]

    def test_keeps_the_order_over_many_batches(self) -> None:
        stream = stream_of(buffer_bytes=7)
        data = [f"{number},".encode() for number in range(100)]
        put(stream, *data)
        stream.run_until_quiet()
        assert [one for batch in handed_over(stream) for one in batch] == data
        assert stream.delivered() == b"".join(data)

    def test_the_function_is_given_what_firehose_hands_over(self) -> None:
        stream = stream_of()
        answer = put(stream, b"a click")
        put_at = stream.clock.epoch_millis()
        stream.run_until_quiet()
        [invocation] = stream.invocations
        [record] = invocation.event["records"]
        assert invocation.event == {
            "invocationId": invocation.event["invocationId"],
            "deliveryStreamArn": "arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks",
            "region": "eu-west-1",
            "records": [
                {
                    "recordId": record["recordId"],
                    "approximateArrivalTimestamp": put_at,
                    "data": "YSBjbGljaw==",
                }
            ],
        }
        assert re.fullmatch(r"\d{50,}", record["recordId"])
        assert record["recordId"] != answer["RequestResponses"][0]["RecordId"]

    def test_an_invocation_is_given_no_more_than_6_mib(self) -> None:
        stream = stream_of(buffer_bytes=8 * MIB)
        for number in range(10):
            put(stream, bytes([number]) * 900 * KIB)
        stream.run_until_quiet()
        sizes = [len(json.dumps(invocation.event, separators=(",", ":"))) for invocation in stream.invocations]
        assert len(sizes) == 2
        assert all(size <= 6_291_456 for size in sizes)
        assert [data[0] for batch in handed_over(stream) for data in batch] == list(range(10))

    def test_what_the_function_puts_on_its_own_stream_is_buffered_again(self) -> None:
        def once_more(event: Any, context: Any) -> Any:
            [record] = event["records"]
            if original(record) != b"a":
                return {"records": [passed(record)]}
            put(stream, b"A")
            return {"records": [passed(record, result="Dropped")]}

        stream = stream_of(once_more)
        put(stream, b"a")
        stream.run_until_quiet()
        assert handed_over(stream) == [[b"a"], [b"A"]]
        assert stream.delivered() == b"A"

    def test_a_record_that_circles_for_ever_is_found_out(self) -> None:
        def circle(event: Any, context: Any) -> Any:
            put(stream, *map(original, event["records"]))
            return each(lambda record: passed(record, result="Dropped"))(event, context)

        stream = stream_of(circle)
        put(stream, b"a")
        with pytest.raises(AssertionError, match="1 records are still buffered after 7 rounds"):
            stream.run_until_quiet(most_rounds=7)
        assert len(stream.invocations) == 7

    def test_the_time_that_remains_runs_on_the_virtual_clock(self) -> None:
        seen: list[int] = []

        def watch(event: Any, context: FakeContext) -> None:
            stream.clock.advance(timedelta(seconds=20))
            seen.append(context.get_remaining_time_in_millis())

        stream = stream_of(watch, timeout=timedelta(seconds=30), retries=1)
        put(stream, b"a")
        stream.run_until_quiet()
        assert seen == [10_000, 10_000]

    def test_each_try_is_a_request_of_its_own(self) -> None:
        seen: list[tuple[str, str]] = []
        stream = stream_of(lambda event, context: seen.append((context.function_name, context.aws_request_id)))
        put(stream, b"a")
        stream.run_until_quiet()
        assert {name for name, _ in seen} == {"transform"}
        assert len({request_id for _, request_id in seen}) == 4
