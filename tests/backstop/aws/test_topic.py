"""Alerts are published once: what surely failed is tried again and said, what is in doubt is neither."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from backstop import invocation
from backstop.aws.topic import Topic
from backstop.errors import NotPublished
from backstop.publication import Publication

PUBLICATION = Publication(
    "[prod] ERROR: ValueError", "ValueError\nin handler", {"backstop": 1, "title": "é"}, {"severity": "error"}
)


class Sns:
    """Publishes, or raises what it is told to, in turn."""

    def __init__(self, *answers: ClientError | BotoCoreError | None) -> None:
        self.answers = list(answers)
        self.calls: list[dict[str, Any]] = []

    def publish(self, **call: Any) -> dict[str, str]:
        self.calls.append(call)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        return {"MessageId": "m-1"}


@pytest.fixture(autouse=True)
def no_time_to_wait() -> object:
    with invocation.running(lambda: 200):
        yield


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "Publish")


SURE: list[Callable[[], ClientError | BotoCoreError]] = [
    lambda: refusal("Throttled"),
    lambda: refusal("InternalError"),
    lambda: refusal("KMSThrottling"),
    lambda: refusal("AuthorizationError"),
    lambda: EndpointConnectionError(endpoint_url="https://sns"),
    lambda: ConnectTimeoutError(endpoint_url="https://sns"),
    lambda: NoCredentialsError(),
]
DOUBTFUL: list[Callable[[], BotoCoreError]] = [
    lambda: ReadTimeoutError(endpoint_url="https://sns"),
    lambda: ConnectionClosedError(endpoint_url="https://sns"),
]


def topic(sns: Sns) -> Topic:
    return Topic(sns, "arn:aws:sns:us-east-1:123456789012:alerts")  # type: ignore[arg-type]  # what it calls of one


def test_people_get_text_and_machines_a_document() -> None:
    sns = Sns()
    assert topic(sns).publish(PUBLICATION)
    (call,) = sns.calls
    message = json.loads(call["Message"])
    assert call["MessageStructure"] == "json"
    assert message["email"] == "ValueError\nin handler"
    assert json.loads(message["default"]) == {"backstop": 1, "title": "é"}
    assert call["Subject"] == "[prod] ERROR: ValueError"
    assert call["MessageAttributes"]["severity"] == {"DataType": "String", "StringValue": "error"}


@pytest.mark.parametrize("failure", SURE, ids=lambda failure: type(failure()).__name__)
def test_what_surely_failed_is_tried_again(failure: Callable[[], ClientError | BotoCoreError]) -> None:
    sns = Sns(failure(), failure())
    assert topic(sns).publish(PUBLICATION)
    assert len(sns.calls) == 3


@pytest.mark.parametrize("failure", SURE, ids=lambda failure: type(failure()).__name__)
def test_what_surely_failed_three_times_is_said(failure: Callable[[], ClientError | BotoCoreError]) -> None:
    sns = Sns(*[failure() for _ in range(9)])
    with pytest.raises(NotPublished, match="did not take an alert"):
        topic(sns).publish(PUBLICATION)
    assert len(sns.calls) == 3


@pytest.mark.parametrize("failure", DOUBTFUL, ids=lambda failure: type(failure()).__name__)
def test_what_may_have_been_published_is_not_published_again(failure: Callable[[], BotoCoreError]) -> None:
    sns = Sns(failure())
    assert not topic(sns).publish(PUBLICATION)
    assert len(sns.calls) == 1
