"""The fake's FIFO queues behave as AWS's do: where moto knows them too, one suite runs against both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.fakes.contract import Sqs, code_of, fifo, send_in_group, sqs_of

MIB = 1024 * 1024


@pytest.fixture(params=["fake", "moto"])
def sqs(request: pytest.FixtureRequest) -> Iterator[Sqs]:
    with sqs_of(request.param) as sqs:
        yield sqs


class TestFifo:
    def test_keeps_the_order_of_a_group(self, sqs: Sqs) -> None:
        url = fifo(sqs)
        send_in_group(sqs, url, "a", "1", "2", "3")
        assert sqs.bodies(url) == ["1", "2", "3"]

    def test_hands_out_no_more_of_a_group_while_one_is_in_flight(self, sqs: Sqs) -> None:
        url = fifo(sqs)
        send_in_group(sqs, url, "a", "a1", "a2")
        send_in_group(sqs, url, "b", "b1")
        [head] = sqs.receive(url, limit=1)
        assert sqs.bodies(url) == ["b1"]
        sqs.client.delete_message(QueueUrl=url, ReceiptHandle=head["ReceiptHandle"])
        assert sqs.bodies(url) == ["a2"]

    def test_drops_a_duplicate_within_5_minutes_and_takes_it_later(self, sqs: Sqs) -> None:
        url = fifo(sqs)
        same = {"QueueUrl": url, "MessageGroupId": "a", "MessageDeduplicationId": "same"}
        sqs.client.send_message(MessageBody="first", **same)
        sqs.pass_time(290)
        sqs.client.send_message(MessageBody="second", **same)
        sqs.pass_time(20)
        sqs.client.send_message(MessageBody="third", **same)
        assert sqs.bodies(url) == ["first", "third"]

    def test_tells_duplicates_by_their_content_where_it_is_told_to(self, sqs: Sqs) -> None:
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
    def test_refuses(self, sqs: Sqs, more: dict[str, Any], code: str) -> None:
        url = fifo(sqs)
        with pytest.raises(ClientError) as error:
            sqs.client.send_message(QueueUrl=url, MessageBody="x", **more)
        assert code_of(error) == code
