"""The fake SQS behaves as AWS's does: where moto knows it too, one suite runs against both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import boto3
import pytest
import time_machine
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.fakes.clock import VirtualClock
from tests.fakes.sqs import FakeSqs

MIB = 1024 * 1024


@dataclass
class Sqs:
    """SQS as a client sees it, and the clock that it lives by."""

    client: Any
    clock: VirtualClock

    def queue(self, name: str = "events", **attributes: str) -> str:
        return str(self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def arn(self, url: str) -> str:
        answer = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def receive(self, url: str, limit: int = 10, **request: Any) -> list[dict[str, Any]]:
        answer = self.client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=limit,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
            **request,
        )
        return list(answer.get("Messages", []))

    def bodies(self, url: str, limit: int = 10) -> list[str]:
        return [message["Body"] for message in self.receive(url, limit)]

    def pass_time(self, seconds: float) -> None:
        """Let a moment more pass than is asked for: moto counts a timeout's last millisecond in."""
        self.clock.advance(timedelta(seconds=seconds, milliseconds=5))


@pytest.fixture(params=["fake", "moto"])
def sqs(request: pytest.FixtureRequest) -> Iterator[Sqs]:
    clock = VirtualClock()
    if request.param == "fake":
        yield Sqs(FakeSqs(clock), clock)
        return
    with mock_aws(), time_machine.travel(clock.now(), tick=False) as traveller:
        clock.follow(traveller.move_to)
        yield Sqs(boto3.client("sqs", region_name="eu-west-1"), clock)


@pytest.fixture
def fake() -> Sqs:
    clock = VirtualClock()
    return Sqs(FakeSqs(clock), clock)


def entries(*bodies: str, **more: Any) -> list[dict[str, Any]]:
    return [{"Id": str(number), "MessageBody": body, **more} for number, body in enumerate(bodies)]


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"].rpartition(".")[2]


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

    def test_fifo_keeps_the_order_of_a_group(self, sqs: Sqs) -> None:
        url = fifo(sqs)
        send_in_group(sqs, url, "a", "1", "2", "3")
        assert sqs.bodies(url) == ["1", "2", "3"]

    def test_fifo_hands_out_no_more_of_a_group_while_one_is_in_flight(self, sqs: Sqs) -> None:
        url = fifo(sqs)
        send_in_group(sqs, url, "a", "a1", "a2")
        send_in_group(sqs, url, "b", "b1")
        [head] = sqs.receive(url, limit=1)
        assert sqs.bodies(url) == ["b1"]
        sqs.client.delete_message(QueueUrl=url, ReceiptHandle=head["ReceiptHandle"])
        assert sqs.bodies(url) == ["a2"]

    def test_fifo_drops_a_duplicate_within_5_minutes_and_takes_it_later(self, sqs: Sqs) -> None:
        url = fifo(sqs)
        same = {"QueueUrl": url, "MessageGroupId": "a", "MessageDeduplicationId": "same"}
        sqs.client.send_message(MessageBody="first", **same)
        sqs.pass_time(290)
        sqs.client.send_message(MessageBody="second", **same)
        sqs.pass_time(20)
        sqs.client.send_message(MessageBody="third", **same)
        assert sqs.bodies(url) == ["first", "third"]

    def test_fifo_tells_duplicates_by_their_content_where_it_is_told_to(self, sqs: Sqs) -> None:
        url = sqs.queue("orders.fifo", FifoQueue="true", ContentBasedDeduplication="true")
        for body in ("same", "same", "other"):
            sqs.client.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="a")
        assert sqs.bodies(url) == ["same", "other"]

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            pytest.param({"MessageDeduplicationId": "1"}, "MissingParameter", id="no group"),
            pytest.param({"MessageGroupId": "a"}, "InvalidParameterValue", id="no deduplication id"),
            pytest.param(
                {"MessageGroupId": "a", "MessageDeduplicationId": "1", "DelaySeconds": 5},
                "InvalidParameterValue",
                id="a delay of its own",
            ),
        ],
    )
    def test_fifo_refuses(self, sqs: Sqs, more: dict[str, Any], code: str) -> None:
        url = fifo(sqs)
        with pytest.raises(ClientError) as error:
            sqs.client.send_message(QueueUrl=url, MessageBody="x", **more)
        assert code_of(error) == code


def fifo(sqs: Sqs) -> str:
    return sqs.queue("orders.fifo", FifoQueue="true", VisibilityTimeout="60")


def send_in_group(sqs: Sqs, url: str, group: str, *bodies: str) -> None:
    for body in bodies:
        sqs.client.send_message(
            QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=f"{group}-{body}"
        )


class TestWhatMotoDoesNotKnow:
    def test_fifo_remembers_a_duplicate_although_the_first_was_deleted(self, fake: Sqs) -> None:
        url = fifo(fake)
        send_in_group(fake, url, "a", "x")
        [message] = fake.receive(url)
        fake.client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        send_in_group(fake, url, "a", "x")
        assert fake.bodies(url) == []

    def test_an_older_handle_of_a_message_does_not_delete_it(self, fake: Sqs) -> None:
        url = fake.queue()
        fake.client.send_message(QueueUrl=url, MessageBody="x")
        [first] = fake.receive(url)
        fake.pass_time(30)
        fake.receive(url)
        fake.client.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
        fake.pass_time(30)
        assert fake.bodies(url) == ["x"]

    def test_the_visibility_of_what_nobody_holds_cannot_be_changed(self, fake: Sqs) -> None:
        url = fake.queue()
        fake.client.send_message(QueueUrl=url, MessageBody="x")
        [message] = fake.receive(url)
        fake.pass_time(30)
        with pytest.raises(ClientError) as error:
            fake.client.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        assert code_of(error) == "MessageNotInflight"

    def test_a_standard_dead_letter_keeps_its_age(self, fake: Sqs) -> None:
        dead = fake.queue("dead", MessageRetentionPeriod="3600")
        policy = json.dumps({"deadLetterTargetArn": fake.arn(dead), "maxReceiveCount": 1})
        url = fake.queue(VisibilityTimeout="1800", RedrivePolicy=policy)
        fake.client.send_message(QueueUrl=url, MessageBody="x")
        fake.receive(url)
        fake.pass_time(1800)
        fake.receive(url)
        assert fake.client.queue("dead").messages[0].system["DeadLetterQueueSourceArn"] == fake.arn(url)
        fake.pass_time(1800)
        assert fake.bodies(dead) == []

    def test_a_message_takes_ten_attributes_and_counts_them_in_its_size(self, fake: Sqs) -> None:
        url = fake.queue()
        ten = {f"a{number}": {"DataType": "String", "StringValue": "x"} for number in range(10)}
        eleven = ten | {"one more": {"DataType": "String", "StringValue": "x"}}
        batch = [*entries("ten", MessageAttributes=ten), {"Id": "11", "MessageBody": "y", "MessageAttributes": eleven}]
        answer = fake.client.send_message_batch(QueueUrl=url, Entries=batch)
        assert [entry["Id"] for entry in answer["Failed"]] == ["11"]
        with pytest.raises(ClientError) as error:
            fake.client.send_message(QueueUrl=url, MessageBody="x" * (MIB - 10), MessageAttributes=ten)
        assert code_of(error) == "InvalidParameterValue"

    @pytest.mark.parametrize("body", ["\x00", "\x1f", "\ud800", "￾"], ids=ascii)
    def test_characters_that_xml_forbids_are_refused(self, fake: Sqs, body: str) -> None:
        url = fake.queue()
        with pytest.raises(ClientError) as error:
            fake.client.send_message(QueueUrl=url, MessageBody=body)
        assert code_of(error) == "InvalidMessageContents"

    def test_a_moved_dead_letter_is_a_new_message_with_the_old_content(self, fake: Sqs) -> None:
        dead = fake.queue("dead")
        policy = json.dumps({"deadLetterTargetArn": fake.arn(dead), "maxReceiveCount": 5})
        url = fake.queue(RedrivePolicy=policy)
        attributes = {"shop": {"DataType": "String", "StringValue": "north"}}
        sent = fake.client.send_message(
            QueueUrl=dead, MessageBody="x", MessageAttributes=attributes, MessageGroupId="tenant"
        )
        fake.pass_time(60)
        fake.client.start_message_move_task(SourceArn=fake.arn(dead), DestinationArn=fake.arn(url))
        [moved] = fake.receive(url)
        assert (moved["Body"], moved["MessageAttributes"]) == ("x", attributes)
        assert moved["MessageId"] != sent["MessageId"]
        assert moved["Attributes"]["ApproximateReceiveCount"] == "1"
        assert moved["Attributes"]["SentTimestamp"] == str(fake.clock.epoch_millis())
        assert moved["Attributes"]["MessageGroupId"] == "tenant"
        assert fake.bodies(dead) == []

    def test_only_dead_letters_can_be_moved(self, fake: Sqs) -> None:
        one, other = fake.queue("one"), fake.queue("other")
        with pytest.raises(ClientError) as error:
            fake.client.start_message_move_task(SourceArn=fake.arn(one), DestinationArn=fake.arn(other))
        assert code_of(error) == "InvalidParameterValue"
