"""The fake SQS behaves as AWS's does: one suite runs against it and against moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.fakes.clock import VirtualClock
from tests.fakes.contract import Sqs, code_of, entries, sqs_of
from tests.fakes.sqs import FakeSqs

MIB = 1024 * 1024


@pytest.fixture(params=["fake", "moto"])
def sqs(request: pytest.FixtureRequest) -> Iterator[Sqs]:
    with sqs_of(request.param) as sqs:
        yield sqs


class TestWhatTheFakeSharesWithMoto:
    def test_a_message_arrives_as_it_was_sent(self, sqs: Sqs) -> None:
        url = sqs.queue()
        attributes = {
            "shop": {"DataType": "String", "StringValue": "süd"},
            "weight": {"DataType": "Number", "StringValue": "1.50"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        }
        sent = sqs.client.send_message(QueueUrl=url, MessageBody="an order", MessageAttributes=attributes)
        [message] = sqs.receive(url)
        assert message["Body"] == "an order"
        assert message["MessageAttributes"] == attributes
        assert message["MessageId"] == sent["MessageId"]
        assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
        assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"
        assert message["Attributes"]["SentTimestamp"] == str(sqs.clock.epoch_millis())
        assert message["Attributes"]["ApproximateFirstReceiveTimestamp"] == str(sqs.clock.epoch_millis())

    def test_the_digest_of_attributes_is_the_one_that_moto_computes(self) -> None:
        attributes = {
            "b": {"DataType": "String", "StringValue": "ü"},
            "a": {"DataType": "Binary", "BinaryValue": b"\0"},
        }
        clock = VirtualClock()
        with mock_aws():
            clients = [FakeSqs(clock), boto3.client("sqs", region_name="eu-west-1")]
            digests = {
                client.send_message(  # type: ignore[attr-defined]
                    QueueUrl=Sqs(client, clock).queue(), MessageBody="x", MessageAttributes=attributes
                )["MD5OfMessageAttributes"]
                for client in clients
            }
        assert len(digests) == 1

    def test_only_the_attributes_that_were_asked_for_are_returned(self, sqs: Sqs) -> None:
        url = sqs.queue()
        attributes = {name: {"DataType": "String", "StringValue": name} for name in ("wanted", "unwanted")}
        sqs.client.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes)
        [message] = sqs.client.receive_message(QueueUrl=url, MessageAttributeNames=["wanted"])["Messages"]
        assert list(message["MessageAttributes"]) == ["wanted"]
        assert "Attributes" not in message

    def test_a_trace_header_travels_with_its_message(self, sqs: Sqs) -> None:
        url = sqs.queue()
        header = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5e3d83c1-e6a0db584850d61342823d4c"}}
        sqs.client.send_message(QueueUrl=url, MessageBody="x", MessageSystemAttributes=header)
        [message] = sqs.receive(url)
        assert message["Attributes"]["AWSTraceHeader"] == header["AWSTraceHeader"]["StringValue"]

    def test_a_received_message_is_hidden_until_its_visibility_timeout_ends(self, sqs: Sqs) -> None:
        url = sqs.queue(VisibilityTimeout="60")
        sqs.client.send_message(QueueUrl=url, MessageBody="x")
        [first] = sqs.receive(url)
        sqs.pass_time(59)
        assert sqs.receive(url) == []
        sqs.pass_time(1)
        [second] = sqs.receive(url)
        assert second["MessageId"] == first["MessageId"]
        assert second["ReceiptHandle"] != first["ReceiptHandle"]
        assert second["Attributes"]["ApproximateReceiveCount"] == "2"
        first_received_at = first["Attributes"]["ApproximateFirstReceiveTimestamp"]
        assert second["Attributes"]["ApproximateFirstReceiveTimestamp"] == first_received_at

    def test_a_receiver_may_choose_its_visibility_timeout(self, sqs: Sqs) -> None:
        url = sqs.queue(VisibilityTimeout="60")
        sqs.client.send_message(QueueUrl=url, MessageBody="x")
        sqs.receive(url, VisibilityTimeout=5)
        sqs.pass_time(5)
        assert sqs.bodies(url) == ["x"]

    def test_a_delayed_message_is_received_after_its_delay(self, sqs: Sqs) -> None:
        url = sqs.queue()
        sqs.client.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=900)
        sqs.client.send_message(QueueUrl=url, MessageBody="now", DelaySeconds=0)
        assert sqs.bodies(url) == ["now"]
        sqs.pass_time(899)
        assert "late" not in sqs.bodies(url)
        sqs.pass_time(1)
        assert "late" in sqs.bodies(url)

    def test_a_queue_may_delay_all_its_messages(self, sqs: Sqs) -> None:
        url = sqs.queue(DelaySeconds="10")
        sqs.client.send_message(QueueUrl=url, MessageBody="x")
        assert sqs.bodies(url) == []
        sqs.pass_time(10)
        assert sqs.bodies(url) == ["x"]

    def test_an_entry_that_is_delayed_too_long_fails_alone(self, sqs: Sqs) -> None:
        url = sqs.queue()
        answer = sqs.client.send_message_batch(
            QueueUrl=url, Entries=[*entries("good"), {"Id": "bad", "MessageBody": "bad", "DelaySeconds": 901}]
        )
        assert [entry["Id"] for entry in answer["Successful"]] == ["0"]
        assert [(entry["Id"], entry["SenderFault"]) for entry in answer["Failed"]] == [("bad", True)]
        assert sqs.bodies(url) == ["good"]

    @pytest.mark.parametrize(
        ("batch", "code"),
        [
            pytest.param([], "EmptyBatchRequest", id="no entry"),
            pytest.param(entries(*["x"] * 11), "TooManyEntriesInBatchRequest", id="eleven entries"),
            pytest.param(entries("x") + entries("y"), "BatchEntryIdsNotDistinct", id="an id twice"),
            pytest.param([{"Id": "a b", "MessageBody": "x"}], "InvalidBatchEntryId", id="a space in an id"),
            pytest.param(entries("x" * MIB, "y"), "BatchRequestTooLong", id="over 1 MiB in all"),
        ],
    )
    def test_a_batch_that_breaks_a_limit_is_refused_as_a_whole(
        self, sqs: Sqs, batch: list[dict[str, Any]], code: str
    ) -> None:
        url = sqs.queue()
        with pytest.raises(ClientError) as error:
            sqs.client.send_message_batch(QueueUrl=url, Entries=batch)
        assert code_of(error) == code
        assert sqs.bodies(url) == []

    def test_a_message_may_be_1_mib_and_no_more(self, sqs: Sqs) -> None:
        url = sqs.queue()
        sqs.client.send_message(QueueUrl=url, MessageBody="x" * MIB)
        with pytest.raises(ClientError) as error:
            sqs.client.send_message(QueueUrl=url, MessageBody="x" * (MIB + 1))
        assert code_of(error) == "InvalidParameterValue"

    def test_a_queue_that_does_not_exist_is_an_error(self, sqs: Sqs) -> None:
        url = sqs.queue()
        with pytest.raises(ClientError) as error:
            sqs.client.send_message(QueueUrl=f"{url}-not", MessageBody="x")
        assert code_of(error) == "NonExistentQueue"

    def test_a_deleted_message_is_gone_and_may_be_deleted_again(self, sqs: Sqs) -> None:
        url = sqs.queue()
        sqs.client.send_message(QueueUrl=url, MessageBody="x")
        [message] = sqs.receive(url)
        batch = [{"Id": "a", "ReceiptHandle": message["ReceiptHandle"]}]
        for _ in range(2):
            answer = sqs.client.delete_message_batch(QueueUrl=url, Entries=batch)
            assert [entry["Id"] for entry in answer["Successful"]] == ["a"]
            assert not answer.get("Failed")
        sqs.pass_time(3600)
        assert sqs.bodies(url) == []

    def test_a_handle_that_is_none_fails_alone(self, sqs: Sqs) -> None:
        url = sqs.queue()
        sqs.client.send_message(QueueUrl=url, MessageBody="x")
        [message] = sqs.receive(url)
        handles = [{"Id": "good", "ReceiptHandle": message["ReceiptHandle"]}, {"Id": "bad", "ReceiptHandle": "none"}]
        answer = sqs.client.delete_message_batch(QueueUrl=url, Entries=handles)
        assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
        assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [("bad", "ReceiptHandleIsInvalid")]

    def test_visibility_0_gives_a_message_back_at_once(self, sqs: Sqs) -> None:
        url = sqs.queue(VisibilityTimeout="60")
        sqs.client.send_message(QueueUrl=url, MessageBody="x")
        [message] = sqs.receive(url)
        entry = {"Id": "a", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
        answer = sqs.client.change_message_visibility_batch(QueueUrl=url, Entries=[entry])
        assert [entry["Id"] for entry in answer["Successful"]] == ["a"]
        sqs.pass_time(0)
        assert sqs.bodies(url) == ["x"]

    def test_what_was_received_too_often_moves_whole_to_the_dead_letters(self, sqs: Sqs) -> None:
        dead = sqs.queue("dead")
        policy = json.dumps({"deadLetterTargetArn": sqs.arn(dead), "maxReceiveCount": 2})
        url = sqs.queue(VisibilityTimeout="60", RedrivePolicy=policy)
        attributes = {"shop": {"DataType": "String", "StringValue": "north"}}
        sent = sqs.client.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes)
        for _ in range(2):
            assert sqs.bodies(url) == ["x"]
            sqs.pass_time(60)
        assert sqs.bodies(url) == []
        [letter] = sqs.receive(dead)
        assert (letter["MessageId"], letter["Body"]) == (sent["MessageId"], "x")
        assert letter["MessageAttributes"] == attributes
        assert letter["Attributes"]["ApproximateReceiveCount"] == "3"

    def test_what_is_older_than_the_retention_is_gone(self, sqs: Sqs) -> None:
        url = sqs.queue(MessageRetentionPeriod="3600")
        sqs.client.send_message(QueueUrl=url, MessageBody="x")
        sqs.pass_time(3600)
        assert sqs.bodies(url) == []

    def test_a_queue_counts_what_waits_what_is_delayed_and_what_is_in_flight(self, sqs: Sqs) -> None:
        url = sqs.queue()
        sqs.client.send_message_batch(QueueUrl=url, Entries=entries("a", "b", "c"))
        sqs.client.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=60)
        sqs.receive(url, limit=1)
        attributes = sqs.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert attributes["ApproximateNumberOfMessages"] == "2"
        assert attributes["ApproximateNumberOfMessagesNotVisible"] == "1"
        assert attributes["ApproximateNumberOfMessagesDelayed"] == "1"
