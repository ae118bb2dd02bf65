"""Letters that go back: what SQS surely did not take may be sent again, what it may have taken never is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from backstop.aws import clients
from backstop.aws.redrive_sends import send_back
from backstop.letter import Letter, letter, sent_back
from backstop.message import MAX_BYTES
from backstop.moving import Addressed, Answer
from tests.backstop import NOW

URL: Final = "https://sqs.eu-west-1.amazonaws.com/123456789012/shop-events"


class AnsweringSqs:
    """A client whose next call is answered so: by this answer, or this error; without one, all is taken."""

    def __init__(self, answer: Mapping[str, Any] | Exception | None = None) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self._answer = answer

    def send_message_batch(self, **request: Any) -> Mapping[str, Any]:
        """Answer."""
        self.calls.append(request["Entries"])
        answer, self._answer = self._answer, None
        if isinstance(answer, Exception):
            raise answer
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]]} if answer is None else answer


def letters(count: int, size: int = 0) -> list[Addressed]:
    return [addressed(f"m-{number}", json.dumps({"id": f"e-{number}", "note": "x" * size})) for number in range(count)]


def addressed(message_id: str, body: str) -> Addressed:
    found = a_letter(message_id, body)
    outgoing = sent_back(found, "r1", NOW)
    assert outgoing is not None
    return found, outgoing


def a_letter(message_id: str, body: str) -> Letter:
    record = {
        "messageId": message_id,
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"SentTimestamp": "1767603600000"},
        "messageAttributes": {},
        "eventSourceARN": "arn:aws:sqs:::shop-dead",
    }
    return letter(record, frozenset({"shop-events"}), NOW)


def send(sqs: AnsweringSqs, some: list[Addressed]) -> Answer:
    client: Any = sqs
    return send_back(client, URL, some)


def names(start: int, stop: int) -> list[str]:
    return [f"m-{number}" for number in range(start, stop)]


def failed_with(status: int, code: str) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "SendMessageBatch")


class TestLettersOfWhichAll:
    def test_are_taken_are_neither_refused_nor_in_doubt(self) -> None:
        assert send(AnsweringSqs(), letters(7)) == Answer({}, set())

    def test_are_none_make_no_call(self) -> None:
        sqs = AnsweringSqs()
        assert send(sqs, []) == Answer({}, set())
        assert sqs.calls == []


class TestACall:
    @pytest.mark.parametrize(("count", "sizes"), [(10, [10]), (11, [10, 1]), (25, [10, 10, 5])])
    def test_carries_ten_letters_at_most(self, count: int, sizes: list[int]) -> None:
        sqs = AnsweringSqs()
        send(sqs, letters(count))
        assert [len(call) for call in sqs.calls] == sizes

    def test_carries_a_mebibyte_at_most_attributes_included(self) -> None:
        sqs, some = AnsweringSqs(), letters(6, size=MAX_BYTES // 3)
        send(sqs, some)
        assert [len(call) for call in sqs.calls] == [2, 2, 2]
        assert [entry["MessageBody"] for call in sqs.calls for entry in call] == [one.record["body"] for one, _ in some]

    def test_is_filled_to_the_last_byte(self) -> None:
        room = MAX_BYTES - letters(1)[0][1].size * 2
        sqs = AnsweringSqs()
        send(sqs, [letters(1)[0], addressed("m-1", json.dumps({"id": "e-1", "note": "x" * room}))])
        assert [len(call) for call in sqs.calls] == [2]
        sqs = AnsweringSqs()
        send(sqs, [letters(1)[0], addressed("m-1", json.dumps({"id": "e-1", "note": "x" * (room + 1)}))])
        assert [len(call) for call in sqs.calls] == [1, 1]

    def test_names_each_letter_by_an_id_of_its_own(self) -> None:
        sqs = AnsweringSqs()
        send(sqs, letters(10))
        assert len({entry["Id"] for entry in sqs.calls[0]}) == 10


class TestACallThatFails:
    @pytest.mark.parametrize(
        "error",
        [
            failed_with(400, "AWS.SimpleQueueService.NonExistentQueue"),
            failed_with(403, "AccessDenied"),
            failed_with(400, "RequestThrottled"),
        ],
        ids=lambda error: error.response["Error"]["Code"],
    )
    def test_by_a_refusal_has_surely_sent_nothing(self, error: Exception) -> None:
        answer = send(AnsweringSqs(error), letters(3))
        assert [*answer.refused] == names(0, 3)
        assert set(answer.refused.values()) == {str(error)}
        assert answer.doubtful == set()

    @pytest.mark.parametrize(
        "error",
        [
            failed_with(500, "InternalError"),
            failed_with(503, "ServiceUnavailable"),
            ReadTimeoutError(endpoint_url=URL),
            ConnectionClosedError(endpoint_url=URL),
            EndpointConnectionError(endpoint_url=URL),
        ],
        ids=["500", "503", "timeout", "closed", "no connection"],
    )
    def test_otherwise_may_have_sent_all(self, error: Exception) -> None:
        answer = send(AnsweringSqs(error), letters(3))
        assert answer == Answer({}, {*names(0, 3)})

    def test_is_made_once_and_those_after_it_are_made_all_the_same(self) -> None:
        sqs = AnsweringSqs(ReadTimeoutError(endpoint_url=URL))
        assert send(sqs, letters(12)) == Answer({}, {*names(0, 10)})
        assert [len(call) for call in sqs.calls] == [10, 2]


class TestAnAnswerOfParts:
    def test_tells_those_that_were_refused_from_those_that_nothing_is_said_of(self) -> None:
        refused = {"Id": "1", "Code": "InternalError", "SenderFault": False, "Message": "try later"}
        answer = send(AnsweringSqs({"Successful": [{"Id": "0"}], "Failed": [refused]}), letters(3))
        assert answer == Answer({"m-1": "try later"}, {"m-2"})

    def test_gives_the_code_where_it_says_no_more(self) -> None:
        answer = send(
            AnsweringSqs({"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}]}), letters(1)
        )
        assert answer.refused == {"m-0": "InternalError"}

    def test_that_is_empty_leaves_all_in_doubt(self) -> None:
        assert send(AnsweringSqs({}), letters(2)) == Answer({}, {"m-0", "m-1"})


def test_the_client_for_it_makes_each_call_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    once: Any = clients.client_once
    once.cache_clear()
    try:
        assert once("sqs").meta.config.retries["total_max_attempts"] == 1
    finally:
        once.cache_clear()
