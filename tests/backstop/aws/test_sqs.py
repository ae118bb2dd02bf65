from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from backstop.aws.sqs import give_back, let_go, send, send_bodies
from backstop.message import Outgoing, Record, outgoing
from backstop.trail import Trail
from tests.backstop import message, record, string

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

TRAIL = Trail(attempt=1, event_id="a", reason="boom")


SESSION = boto3.Session(region_name="eu-west-1")  # of all tests here: reading a service's model takes its time


@pytest.fixture
def client() -> Iterator[SQSClient]:
    with mock_aws():
        yield SESSION.client("sqs")


@pytest.fixture
def urls(client: SQSClient) -> dict[str, str]:
    return {name: client.create_queue(QueueName=name)["QueueUrl"] for name in ("events", "retry")}


def sendable(event_id: str, **details: Any) -> Outgoing:
    sent = outgoing(message(event_id, **details), TRAIL, delay_seconds=0)
    assert sent is not None
    return sent


def on(client: SQSClient, event: str, act: Any) -> None:
    """Let `act` see what the client does, and change it: whatever it returns goes on in its place."""
    client.meta.events.register(event, act)


def calls_of(client: SQSClient, operation: str) -> list[dict[str, Any]]:
    """Return the parameters of the calls of an operation, those to come: one each."""
    calls: list[dict[str, Any]] = []
    on(client, f"provide-client-params.sqs.{operation}", lambda params, **_: calls.append(params))
    return calls


def received(client: SQSClient, url: str) -> list[dict[str, Any]]:
    answer = client.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    )
    return [dict(one) for one in answer.get("Messages", [])]


def refuse(client: SQSClient, *entry_ids: str) -> None:
    """Let SQS take all of a batch but these entries."""

    def drop(params: dict[str, Any], **_: Any) -> dict[str, Any]:
        return params | {"Entries": [entry for entry in params["Entries"] if entry["Id"] not in entry_ids]}

    def tell(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Failed"] = [{"Id": one, "Code": "InternalError", "SenderFault": False} for one in entry_ids]

    on(client, "provide-client-params.sqs.SendMessageBatch", drop)
    on(client, "after-call.sqs.SendMessageBatch", tell)


def answer(client: SQSClient, operation: str, status: int, **body: Any) -> None:
    """Let SQS answer a call with this and do nothing."""
    parsed = {"ResponseMetadata": {"HTTPStatusCode": status}} | body
    on(client, f"before-call.sqs.{operation}", lambda **_: (SimpleNamespace(status_code=status), parsed))


def be_unreachable(client: SQSClient, operation: str) -> None:
    def fail(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://sqs.example")

    on(client, f"before-call.sqs.{operation}", fail)


def be_unavailable(client: SQSClient, operation: str) -> None:
    answer(client, operation, 503, Error={"Code": "ServiceUnavailable", "Message": "busy"})


def deny(client: SQSClient, operation: str) -> None:
    answer(client, operation, 403, Error={"Code": "AccessDenied", "Message": "no"})


Failing = Callable[["SQSClient", str], None]
FAILURES: Mapping[str, Failing] = {"unreachable": be_unreachable, "unavailable": be_unavailable, "denied": deny}


class TestSend:
    def test_a_message_arrives_as_it_was_with_its_history(self, client: SQSClient, urls: dict[str, str]) -> None:
        details = {"body": '{"id": "a", "é": 1}', "attributes": {"shop": string("berlin")}}
        assert send(client, urls["retry"], [sendable("a", MessageGroupId="customer-1", **details)]) == []
        (arrived,) = received(client, urls["retry"])
        assert arrived["Body"] == details["body"]
        assert arrived["Attributes"]["MessageGroupId"] == "customer-1"
        texts = {name: value["StringValue"] for name, value in arrived["MessageAttributes"].items()}
        assert texts == {"shop": "berlin", "backstop": TRAIL.serialise()}

    def test_k_failures_cost_a_call_for_ten_of_them(self, client: SQSClient, urls: dict[str, str]) -> None:
        calls = calls_of(client, "SendMessageBatch")
        assert send(client, urls["retry"], [sendable(str(number)) for number in range(21)]) == []
        assert [len(call["Entries"]) for call in calls] == [10, 10, 1]

    def test_nothing_to_send_costs_nothing(self, client: SQSClient, urls: dict[str, str]) -> None:
        calls = calls_of(client, "SendMessageBatch")
        assert send(client, urls["retry"], []) == []
        assert calls == []

    def test_what_sqs_did_not_take_of_a_batch_is_returned(self, client: SQSClient, urls: dict[str, str]) -> None:
        messages = [sendable(event_id) for event_id in "abcd"]
        refuse(client, "1", "3")
        refused = send(client, urls["retry"], messages)
        assert [one.outgoing for one in refused] == [messages[1], messages[3]]
        assert {one.why for one in refused} == {"InternalError"}
        assert [arrived["Body"] for arrived in received(client, urls["retry"])] == ['{"id": "a"}', '{"id": "c"}']

    @pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
    def test_a_call_that_failed_took_nothing(self, client: SQSClient, urls: dict[str, str], fail: Failing) -> None:
        fail(client, "SendMessageBatch")
        messages = [sendable(str(number)) for number in range(11)]
        refused = send(client, urls["retry"], messages)
        assert [one.outgoing for one in refused] == messages

    def test_a_queue_that_is_not_there_took_nothing(self, client: SQSClient, urls: dict[str, str]) -> None:
        (refused,) = send(client, urls["retry"] + "-gone", [sendable("a")])
        assert refused.outgoing.message.event_id == "a"

    def test_what_an_answer_does_not_name_was_not_taken(self, client: SQSClient, urls: dict[str, str]) -> None:
        answer(client, "SendMessageBatch", 200, Successful=[{"Id": "1"}])
        refused = send(client, urls["retry"], [sendable("a"), sendable("b"), sendable("c")])
        assert [one.outgoing.message.event_id for one in refused] == ["a", "c"]

    def test_one_batch_that_fails_keeps_no_other_from_being_sent(self, client: SQSClient, urls: dict[str, str]) -> None:
        def fail_the_first(params: dict[str, Any], **_: Any) -> None:
            if "m-0" in params["Entries"][0]["MessageBody"]:
                raise EndpointConnectionError(endpoint_url="https://sqs.example")

        on(client, "provide-client-params.sqs.SendMessageBatch", fail_the_first)
        messages = [sendable(f"m-{number}") for number in range(13)]
        refused = send(client, urls["retry"], messages)
        assert [one.outgoing for one in refused] == messages[:10]
        assert len(received(client, urls["retry"])) == 3


def delivered(client: SQSClient, urls: dict[str, str], name: str, *bodies: str) -> list[Record]:
    """Send messages, receive them and return their records: invisible from now on."""
    for body in bodies:
        client.send_message(QueueUrl=urls[name], MessageBody=body)
    return [
        record(arrived["Body"], queue=name, body=arrived["Body"]) | {"receiptHandle": arrived["ReceiptHandle"]}
        for arrived in received(client, urls[name])
    ]


def visible(client: SQSClient, urls: dict[str, str]) -> dict[str, list[str]]:
    return {name: sorted(arrived["Body"] for arrived in received(client, url)) for name, url in urls.items()}


class TestGiveBack:
    def test_what_was_not_started_is_visible_again_at_once(self, client: SQSClient, urls: dict[str, str]) -> None:
        records = [*delivered(client, urls, "events", "a", "b", "c"), *delivered(client, urls, "retry", "d")]
        give_back(client, urls, records[1:])
        assert visible(client, urls) == {"events": ["b", "c"], "retry": ["d"]}

    @pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
    def test_where_it_fails_they_stay_where_they_are(
        self, client: SQSClient, urls: dict[str, str], fail: Failing
    ) -> None:
        records = delivered(client, urls, "events", "a")
        fail(client, "ChangeMessageVisibilityBatch")
        give_back(client, urls, records)
        assert visible(client, urls) == {"events": [], "retry": []}


class TestLetGo:
    def test_records_are_deleted_from_their_queues(self, client: SQSClient, urls: dict[str, str]) -> None:
        records = [*delivered(client, urls, "events", "a", "b"), *delivered(client, urls, "retry", "c", "d")]
        let_go(client, urls, records[1:3])
        give_back(client, urls, records)
        assert visible(client, urls) == {"events": ["a"], "retry": ["d"]}

    @pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
    def test_where_it_fails_they_are_still_there(self, client: SQSClient, urls: dict[str, str], fail: Failing) -> None:
        records = delivered(client, urls, "events", "a")
        fail(client, "DeleteMessageBatch")
        let_go(client, urls, records)
        give_back(client, urls, records)
        assert visible(client, urls) == {"events": ["a"], "retry": []}


@pytest.mark.parametrize("act", [give_back, let_go])
class TestEither:
    def test_one_queue_that_fails_keeps_no_other_from_it(
        self, client: SQSClient, urls: dict[str, str], act: Callable[..., None]
    ) -> None:
        records = [*delivered(client, urls, "events", "a"), *delivered(client, urls, "retry", "b")]
        calls = calls_of(client, "*")
        act(client, urls | {"events": urls["events"] + "-gone"}, records)
        assert {call["QueueUrl"] for call in calls} == {urls["events"] + "-gone", urls["retry"]}

    def test_a_queue_that_nobody_knows_is_passed_over(
        self, client: SQSClient, urls: dict[str, str], act: Callable[..., None]
    ) -> None:
        """An event source that the environment does not name: what cannot be done is not worth the batch."""
        calls = calls_of(client, "*")
        act(client, urls, [record("a", queue="other"), record("b", queue="retry")])
        assert [call["QueueUrl"] for call in calls] == [urls["retry"]]

    def test_ten_are_named_in_a_call(self, client: SQSClient, urls: dict[str, str], act: Callable[..., None]) -> None:
        calls = calls_of(client, "*")
        act(client, urls, [record(str(number)) for number in range(21)])
        assert [len(call["Entries"]) for call in calls] == [10, 10, 1]

    def test_no_records_cost_no_call(self, client: SQSClient, urls: dict[str, str], act: Callable[..., None]) -> None:
        calls = calls_of(client, "*")
        act(client, urls, [])
        assert calls == []


class TestSendBodies:
    @pytest.mark.parametrize(("count", "batches"), [(0, []), (1, [1]), (10, [10]), (21, [10, 10, 1])])
    def test_takes_as_few_calls_as_sqs_allows(
        self, client: SQSClient, urls: dict[str, str], count: int, batches: list[int]
    ) -> None:
        calls = calls_of(client, "SendMessageBatch")
        bodies = [f"body-{number}" for number in range(count)]
        assert send_bodies(client, urls["events"], bodies, 0) == []
        assert [len(call["Entries"]) for call in calls] == batches
        found = {one["Body"] for _ in range(3) for one in received(client, urls["events"])}
        assert found == set(bodies)

    def test_delays_each(self, client: SQSClient, urls: dict[str, str]) -> None:
        calls = calls_of(client, "SendMessageBatch")
        send_bodies(client, urls["events"], ["a", "b"], 900)
        assert [entry["DelaySeconds"] for call in calls for entry in call["Entries"]] == [900, 900]
        assert received(client, urls["events"]) == []

    def test_says_why_an_entry_was_not_taken(self, client: SQSClient, urls: dict[str, str]) -> None:
        refuse(client, "1")
        assert send_bodies(client, urls["events"], ["a", "b"], 0) == ["InternalError"]
        assert [one["Body"] for one in received(client, urls["events"])] == ["a"]

    @pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
    def test_a_call_that_fails_says_so_and_the_next_is_tried(
        self, client: SQSClient, urls: dict[str, str], fail: Failing
    ) -> None:
        fail(client, "SendMessageBatch")
        assert len(send_bodies(client, urls["events"], ["a"] * 11, 0)) == 2
