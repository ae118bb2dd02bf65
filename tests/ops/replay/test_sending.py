"""Of each call it is known that its records were taken, that they were not, or that nobody knows."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)

from ops.failure import CallFailed
from ops.replay.sending import InDoubt, put
from ops.stack import Stack
from tests.fakes.faults import Fault
from tests.fakes.firehose_functions import stream_of
from tests.ops.replay.conftest import SESSION

URL = "https://firehose.example"


class Client:
    """A client of Firehose whose calls end in one way."""

    def __init__(self, *, error: Exception | None = None, answer: Any = None) -> None:
        self.calls = 0
        self._error, self._answer = error, answer

    def put_record_batch(self, **_: object) -> Any:
        self.calls += 1
        if self._error is not None:
            raise self._error
        return self._answer


def put_by(client: Any, *data: bytes) -> list[int]:
    return put(client, "clicks", data or (b"a", b"b"))


def refused(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # of the rest, nothing is read
        "PutRecordBatch",
    )


class TestTaken:
    def test_records_arrive_as_they_are(self) -> None:
        stream = stream_of()
        assert put_by(stream, b"a", b"\x00\xff", b"") == []
        assert [record.data for record in stream.buffered] == [b"a", b"\x00\xff", b""]

    def test_single_ones_that_were_not_are_named_by_their_place(self) -> None:
        stream = stream_of()
        refusals = iter([False, True, False, True])
        stream.refuses = lambda _: next(refusals)
        assert put_by(stream, b"same", b"same", b"same", b"same") == [1, 3]
        assert len(stream.buffered) == 2


SURELY_NOT: dict[str, Exception] = {
    "no credentials": NoCredentialsError(),
    "credentials that cannot be got": CredentialRetrievalError(provider="sso", error_msg="expired"),
    "no such endpoint": EndpointConnectionError(endpoint_url=URL),
    "no connection in time": ConnectTimeoutError(endpoint_url=URL),
    "no proxy": ProxyConnectionError(proxy_url=URL),
    "parameters that are none": ParamValidationError(report="no stream"),
    "denied": refused("AccessDeniedException", 400),
    "no such stream": refused("ResourceNotFoundException", 400),
    "a key that is no more": refused("InvalidKMSResourceException", 400),
    "too large": refused("InvalidArgumentException", 400),
    "a session that is over": refused("ExpiredTokenException", 403),
}

NOBODY_KNOWS: dict[str, Exception] = {
    "no answer in time": ReadTimeoutError(endpoint_url=URL),
    "a connection that was closed": ConnectionClosedError(endpoint_url=URL),
    "a connection that broke": HTTPClientError(error=OSError("reset")),
    "half an answer": IncompleteReadError(actual_bytes=1, expected_bytes=2),
    "an answer that broke": ResponseStreamingError(error=OSError("reset")),
    "TLS that broke": SSLError(endpoint_url=URL, error=OSError("eof")),
    "an error of the service": refused("InternalFailure", 500),
    "a gateway without an answer": refused("504", 504),
    "unavailable, but not by Firehose's own word": refused("ServiceUnavailable", 503),
}


class TestCallsThatFail:
    @pytest.mark.parametrize("code", ["ServiceUnavailableException", "ThrottlingException", "LimitExceededException"])
    @pytest.mark.parametrize("status", [400, 503])
    def test_of_a_throttled_one_no_record_was_taken(self, code: str, status: int) -> None:
        assert put_by(Client(error=refused(code, status)), b"a", b"b", b"c") == [0, 1, 2]

    @pytest.mark.parametrize("error", SURELY_NOT.values(), ids=SURELY_NOT)
    def test_they_say_why_where_nothing_was_sent(self, error: Exception) -> None:
        with pytest.raises(CallFailed) as failed:
            put_by(Client(error=error))
        assert str(failed.value)

    @pytest.mark.parametrize("error", NOBODY_KNOWS.values(), ids=NOBODY_KNOWS)
    def test_they_are_in_doubt_where_the_request_was_on_its_way(self, error: Exception) -> None:
        client = Client(error=error)
        with pytest.raises(InDoubt) as in_doubt:
            put_by(client)
        assert str(in_doubt.value)
        assert client.calls == 1

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_an_answer_that_is_not_for_each_record_leaves_all_in_doubt(self, count: int) -> None:
        with pytest.raises(InDoubt, match="did not answer for each record"):
            put_by(Client(answer={"FailedPutCount": 0, "RequestResponses": [{"RecordId": "r"}] * count}))

    def test_a_lost_answer_to_a_call_that_took_effect_is_in_doubt(self) -> None:
        stream = stream_of()
        stream.faults.fail("PutRecordBatch", Fault.ANSWER_LOST)
        with pytest.raises(InDoubt):
            put_by(stream)
        assert len(stream.buffered) == 2


class Raw(io.BytesIO):
    """A body as it comes from the wire."""

    def stream(self, **_: object) -> Any:
        yield self.read()


Answer = Callable[..., AWSResponse]


def answering(status: int, body: bytes) -> Answer:
    """Answer a request without sending it."""
    return lambda request, **_: AWSResponse(request.url, status, HTTPHeaders(), Raw(body))


def throttling(code: str) -> Answer:
    return answering(400, json.dumps({"__type": code, "message": "Slow down."}).encode())


class TestTheClientOfAStack:
    """The real client, whose requests are answered before they are sent."""

    def calls_answered(self, answer: Answer) -> tuple[Any, list[bytes]]:
        """Return a client, and the bodies of its requests as they will be."""
        client: Any = Stack("shop", SESSION).firehose_once
        bodies: list[bytes] = []

        def before_send(request: Any, **_: object) -> AWSResponse:
            bodies.append(request.body)
            return answer(request)

        client.meta.events.register("before-send.firehose", before_send)
        return client, bodies

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    @pytest.mark.parametrize("body", [b"", b"{}", b"<html>Bad Gateway</html>"], ids=["empty", "JSON", "HTML"])
    def test_an_error_of_the_service_is_in_doubt_after_one_call(self, status: int, body: bytes) -> None:
        client, bodies = self.calls_answered(answering(status, body))
        with pytest.raises(InDoubt):
            put_by(client)
        assert len(bodies) == 1

    @pytest.mark.parametrize("code", ["ServiceUnavailableException", "ThrottlingException"])
    def test_a_throttled_call_is_not_tried_again_by_itself(self, code: str) -> None:
        client, bodies = self.calls_answered(throttling(code))
        assert put_by(client) == [0, 1]
        assert len(bodies) == 1

    def test_a_connection_that_breaks_is_not_tried_again_by_itself(self) -> None:
        def break_off(*_: object, **__: object) -> AWSResponse:
            raise ConnectionClosedError(endpoint_url=URL)

        client, bodies = self.calls_answered(break_off)
        with pytest.raises(InDoubt):
            put_by(client)
        assert len(bodies) == 1

    def test_a_full_answer_is_read(self) -> None:
        responses = [{"RecordId": "r"}, {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}]
        body = json.dumps({"FailedPutCount": 1, "RequestResponses": responses}).encode()
        client, bodies = self.calls_answered(answering(200, body))
        assert put_by(client, b"\x00a", b"b") == [1]
        [request] = map(json.loads, bodies)
        assert request == {"DeliveryStreamName": "clicks", "Records": [{"Data": "AGE="}, {"Data": "Yg=="}]}
