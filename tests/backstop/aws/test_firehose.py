from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import stamina  # a test has no cold start
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.aws.firehose import put
from backstop.invocation import running

MIB = 1024 * 1024
KIB = 1024

Behaviour = Callable[[Sequence[bytes]], dict[str, Any]]


@pytest.fixture(autouse=True)
def without_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


def taking(data: Sequence[bytes]) -> dict[str, Any]:
    """Take all records."""
    return {"FailedPutCount": 0, "RequestResponses": [{"RecordId": f"id of {len(one)} bytes"} for one in data]}


def refusing(*some: bytes) -> Behaviour:
    """Take all records but some."""

    def answer(data: Sequence[bytes]) -> dict[str, Any]:
        error = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
        answers = [error if one in some else {"RecordId": "r"} for one in data]
        return {"FailedPutCount": sum("ErrorCode" in one for one in answers), "RequestResponses": answers}

    return answer


def failing(error: Exception) -> Behaviour:
    """Fail as a whole."""

    def answer(data: Sequence[bytes]) -> dict[str, Any]:
        raise error

    return answer


def silent_about_the_last(data: Sequence[bytes]) -> dict[str, Any]:
    """Take all records, and leave the last one out of the answer."""
    return {"FailedPutCount": 0, "RequestResponses": taking(data)["RequestResponses"][:-1]}


class Firehose:
    """A client that records its calls; the first ones go as is said, and those after them take everything."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self.calls: list[list[bytes]] = []
        self.streams: set[str] = set()
        self._behaviours = iter(behaviours)

    def put_record_batch(self, *, DeliveryStreamName: str, Records: Sequence[dict[str, bytes]]) -> dict[str, Any]:  # noqa: N803
        assert all(record.keys() == {"Data"} for record in Records)
        self.streams.add(DeliveryStreamName)
        self.calls.append([record["Data"] for record in Records])
        return next(self._behaviours, taking)(self.calls[-1])


def put_all(client: Any, data: Sequence[bytes]) -> list[str]:
    whys = put(client, "clicks", data)
    assert len(whys) == len(data)
    return whys


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


class TestCalls:
    def test_records_arrive_as_they_are_in_one_call(self) -> None:
        client = Firehose()
        assert put_all(client, [b"a", b"\x00\xff", b""]) == ["", "", ""]
        assert client.calls == [[b"a", b"\x00\xff", b""]]
        assert client.streams == {"clicks"}

    def test_nothing_to_put_costs_nothing(self) -> None:
        client = Firehose()
        assert put_all(client, []) == []
        assert client.calls == []

    def test_a_call_takes_500_records(self) -> None:
        client = Firehose()
        put_all(client, numbered(1001))
        assert [len(call) for call in client.calls] == [500, 500, 1]

    def test_a_call_takes_4_mib_as_they_are_sent(self) -> None:
        """In base64: five of the largest records would be within 4 MiB only before it."""
        client = Firehose()
        put_all(client, [b"x" * 1000 * KIB] * 5)
        assert [len(call) for call in client.calls] == [3, 2]

    @settings(deadline=None, max_examples=25)
    @given(st.lists(st.sampled_from([0, 1, 1000, 100 * KIB, 700 * KIB, 1000 * KIB]), max_size=30))
    def test_every_record_is_put_once_and_in_order_within_the_limits(self, sizes: list[int]) -> None:
        client, data = Firehose(), [b"x" * size for size in sizes]
        assert put_all(client, data) == [""] * len(data)
        assert [one for call in client.calls for one in call] == data
        assert all(len(call) <= 500 for call in client.calls)
        assert all(sum(len(b64encode(one)) for one in call) <= 4 * MIB for call in client.calls)


class TestSingleRefusals:
    def test_only_they_are_tried_again(self) -> None:
        client = Firehose(refusing(b"b", b"d"), refusing(b"d"))
        assert put_all(client, [b"a", b"b", b"c", b"d"]) == [""] * 4
        assert client.calls == [[b"a", b"b", b"c", b"d"], [b"b", b"d"], [b"d"]]

    def test_after_three_calls_they_are_refused_and_the_others_are_not(self) -> None:
        client = Firehose(*[refusing(b"b")] * 9)
        assert put_all(client, [b"a", b"b", b"c"]) == ["", "ServiceUnavailableException: Slow down.", ""]
        assert client.calls == [[b"a", b"b", b"c"], [b"b"], [b"b"]]

    def test_those_of_several_calls_are_tried_again_together(self) -> None:
        client = Firehose(refusing(b"1"), refusing(b"500", b"501"))
        assert put_all(client, numbered(502)) == [""] * 502
        assert client.calls[2:] == [[b"1", b"500", b"501"]]

    def test_equal_records_are_told_apart_by_their_place(self) -> None:
        def refuse_the_second(data: Sequence[bytes]) -> dict[str, Any]:
            return {"FailedPutCount": 1, "RequestResponses": [{"RecordId": "r"}, {"ErrorCode": "InternalFailure"}]}

        client = Firehose(refuse_the_second, refusing(b"x"), refusing(b"x"))
        assert put_all(client, [b"x", b"x"]) == ["", "ServiceUnavailableException: Slow down."]
        assert [len(call) for call in client.calls] == [2, 1, 1]

    def test_without_time_left_nothing_is_tried_again(self) -> None:
        client = Firehose(refusing(b"a"))
        with running(lambda: 0):
            assert put_all(client, [b"a", b"b"]) == ["ServiceUnavailableException: Slow down.", ""]
        assert len(client.calls) == 1


ERRORS = {
    "throttled": ClientError({"Error": {"Code": "ServiceUnavailableException", "Message": "slow"}}, "PutRecordBatch"),
    "denied": ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutRecordBatch"),
    "no stream": ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "?"}}, "PutRecordBatch"),
    "unreachable": EndpointConnectionError(endpoint_url="https://firehose.example"),
    "no answer in time": ReadTimeoutError(endpoint_url="https://firehose.example"),
    "no credentials": NoCredentialsError(),
}


REFUSALS = ("throttled", "denied", "no stream")


class TestCallsThatFail:
    @pytest.mark.parametrize("error", [ERRORS[name] for name in REFUSALS], ids=REFUSALS)
    def test_an_answer_that_refuses_all_has_taken_none_and_stops_no_other_call(self, error: Exception) -> None:
        client = Firehose(taking, failing(error))
        whys = put_all(client, numbered(1100))
        assert whys == [""] * 500 + [str(error)] * 500 + [""] * 100
        assert len(client.calls) == 3

    @pytest.mark.parametrize("error", [ERRORS[name] for name in ERRORS if name not in REFUSALS])
    def test_after_no_answer_none_is_waited_for_again(self, error: Exception) -> None:
        """Each could take as long, and the invocation must end in time."""
        client = Firehose(taking, failing(error))
        assert put_all(client, numbered(1600)) == [""] * 500 + [str(error)] * 1100
        assert len(client.calls) == 2

    def test_all_of_them_may_fail(self) -> None:
        client = Firehose(*[failing(error) for error in ERRORS.values()])
        assert all(put_all(client, numbered(500 * len(ERRORS))))

    def test_single_refusals_beside_them_are_tried_again_without_theirs(self) -> None:
        client = Firehose(failing(ERRORS["denied"]), refusing(b"501"))
        whys = put_all(client, numbered(502))
        assert all(whys[:500])
        assert whys[500:] == ["", ""]
        assert client.calls[2:] == [[b"501"]]

    def test_one_that_tries_again_refuses_what_it_tried(self) -> None:
        client = Firehose(refusing(b"a"), failing(ERRORS["unreachable"]))
        assert put_all(client, [b"a", b"b"]) == [str(ERRORS["unreachable"]), ""]
        assert len(client.calls) == 2

    def test_what_an_answer_leaves_out_was_not_taken(self) -> None:
        client = Firehose(silent_about_the_last)
        assert put_all(client, [b"a", b"b", b"c"]) == ["", "", "no answer for it"]

    def test_what_an_answer_has_too_many_is_nobodys(self) -> None:
        client = Firehose(lambda data: {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "r"}] * 9})
        assert put_all(client, [b"a", b"b"]) == ["", ""]

    def test_an_answer_for_no_record_at_all_has_taken_none(self) -> None:
        client = Firehose(lambda data: {"FailedPutCount": 0, "RequestResponses": []})
        assert all(put_all(client, [b"a", b"b"]))
