"""What the fake SQS knows and moto does not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.fakes.contract import Sqs, code_of, entries, fifo, send_in_group, sqs_of

MIB = 1024 * 1024


@pytest.fixture
def fake() -> Iterator[Sqs]:
    with sqs_of("fake") as fake:
        yield fake


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
