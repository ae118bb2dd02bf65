"""Calls fail as a test tells them to, before or after they have taken effect, as botocore reports it."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from moto import mock_aws

from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.fakes.sqs import FakeSqs


@pytest.fixture
def sqs() -> FakeSqs:
    return FakeSqs(VirtualClock())


def bodies(sqs: FakeSqs) -> list[str]:
    """Receive what is in the queue `events`."""
    return [message.body for message in sqs.queue("events").receive(10)]


class TestCallsThatFail:
    @pytest.mark.parametrize(
        ("fault", "error", "is_sent"),
        [
            pytest.param(Fault.THROTTLED, ClientError, False, id="throttled"),
            pytest.param(Fault.DENIED, ClientError, False, id="access denied"),
            pytest.param(Fault.UNREACHABLE, EndpointConnectionError, False, id="no connection"),
            pytest.param(Fault.ANSWER_LOST, ReadTimeoutError, True, id="the connection breaks after the send"),
        ],
    )
    def test_a_call_to_sqs_fails_as_it_is_told(
        self, sqs: FakeSqs, fault: Fault, error: type[Exception], is_sent: bool
    ) -> None:
        url = sqs.create_queue(QueueName="events")["QueueUrl"]
        sqs.faults.fail("SendMessageBatch", fault)
        with pytest.raises(error):
            sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "0", "MessageBody": "x"}])
        assert bodies(sqs) == (["x"] if is_sent else [])
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "0", "MessageBody": "y"}])
        assert bodies(sqs) == ["y"]

    def test_sqs_refuses_the_entries_that_it_is_told_to(self, sqs: FakeSqs) -> None:
        url = sqs.create_queue(QueueName="events")["QueueUrl"]
        sqs.refuses = lambda operation, entry: entry["MessageBody"] == "b"
        answer = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": body, "MessageBody": body} for body in "abc"])
        assert [(entry["Id"], entry["SenderFault"]) for entry in answer["Failed"]] == [("b", False)]
        assert bodies(sqs) == ["a", "c"]

    @pytest.mark.parametrize(
        ("fault", "error", "is_put"),
        [
            pytest.param(Fault.THROTTLED, ClientError, False, id="throttled"),
            pytest.param(Fault.DENIED, ClientError, False, id="access denied"),
            pytest.param(Fault.UNREACHABLE, EndpointConnectionError, False, id="no connection"),
            pytest.param(Fault.ANSWER_LOST, ReadTimeoutError, True, id="the connection breaks after the put"),
        ],
    )
    def test_a_call_to_a_real_client_fails_as_it_is_told(
        self, fault: Fault, error: type[Exception], is_put: bool
    ) -> None:
        with mock_aws():
            client = boto3.client("dynamodb", region_name="eu-west-1")
            client.create_table(
                TableName="things",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
            faults = Faults()
            faults.fail("PutItem", None, fault)
            with faults.installed(client):
                client.put_item(TableName="things", Item={"id": {"S": "1"}})
                with pytest.raises(error):
                    client.put_item(TableName="things", Item={"id": {"S": "2"}})
            assert client.scan(TableName="things")["Count"] == 1 + is_put
            assert faults.calls["PutItem"] == 2

    def test_a_rule_may_concern_some_requests_only_and_ends_when_it_is_cleared(self, sqs: FakeSqs) -> None:
        url, other = sqs.create_queue(QueueName="events")["QueueUrl"], sqs.create_queue(QueueName="other")["QueueUrl"]
        sqs.faults.fail_always("SendMessage", Fault.DENIED, when=lambda request: request["QueueUrl"] == url)
        sqs.send_message(QueueUrl=other, MessageBody="x")
        for _ in range(2):
            with pytest.raises(ClientError):
                sqs.send_message(QueueUrl=url, MessageBody="x")
        sqs.faults.clear()
        sqs.send_message(QueueUrl=url, MessageBody="x")
        assert bodies(sqs) == ["x"]
