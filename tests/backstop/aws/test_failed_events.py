"""Where each failed event is can be told: by its id, and by its group in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from backstop import invocation
from backstop.aws.failed_events import SPREADS, FailedEvents, spread
from backstop.errors import StoreUnavailable
from backstop.kinds import Kind
from backstop.occurrence import Occurrence

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
GROUP = "0123456789abcdef"
FAILED = Occurrence("0" * 44 + "line-0000001", AT, GROUP, Kind.TRANSIENT, "Timeout", event_id="e-1", verdict="Retry")


@pytest.fixture(autouse=True)
def no_time_to_wait() -> Iterator[None]:
    with invocation.running(lambda: 200):
        yield


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="failed",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("event_id", "at", "spread")
            ],
            KeySchema=[{"AttributeName": "event_id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_group",
                    "KeySchema": [
                        {"AttributeName": "spread", "KeyType": "HASH"},
                        {"AttributeName": "at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        yield client


def history(client: Any, event_id: str) -> list[dict[str, Any]]:
    answer = client.query(
        TableName="failed", KeyConditionExpression="event_id = :id", ExpressionAttributeValues={":id": {"S": event_id}}
    )
    return list(answer["Items"])


def table(client: Any) -> FailedEvents:
    return FailedEvents(client, "failed", timedelta(days=35))


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        ("Retry", "retrying"),
        ("Park", "parked"),
        ("Dead", "dead"),
        ("Done", "recovered"),
        ("Redriven", "redriven"),
        ("ProcessingFailed", "unprocessed"),
    ],
)
def test_a_verdict_says_where_an_event_is(dynamodb: Any, verdict: str, state: str) -> None:
    table(dynamodb).record([replace(FAILED, verdict=verdict)])
    (row,) = history(dynamodb, "e-1")
    assert row["state"] == {"S": state}
    assert row["expires"] == {"N": str(int((AT + timedelta(days=35)).timestamp()))}


def test_the_newest_row_is_right_whichever_batch_arrives_first(dynamodb: Any) -> None:
    later = replace(FAILED, line="line-0000002", at=AT + timedelta(seconds=9), verdict="Done")
    table(dynamodb).record([later])
    table(dynamodb).record([FAILED])
    assert [row["state"]["S"] for row in history(dynamodb, "e-1")] == ["retrying", "recovered"]


def test_a_line_that_is_delivered_twice_is_one_row(dynamodb: Any) -> None:
    table(dynamodb).record([FAILED, FAILED])
    table(dynamodb).record([FAILED])
    assert len(history(dynamodb, "e-1")) == 1


def test_two_lines_of_one_millisecond_are_two_rows(dynamodb: Any) -> None:
    table(dynamodb).record([FAILED, replace(FAILED, line="line-0000002", verdict="Dead")])
    assert len(history(dynamodb, "e-1")) == 2


def test_a_failure_that_no_event_had_leaves_no_row(dynamodb: Any) -> None:
    table(dynamodb).record([replace(FAILED, event_id=""), replace(FAILED, verdict="")])
    assert dynamodb.scan(TableName="failed")["Count"] == 0


def test_a_group_is_spread_over_partitions_and_found_again(dynamodb: Any) -> None:
    table(dynamodb).record([replace(FAILED, event_id=f"e-{number}", line=f"l{number}") for number in range(200)])
    found: set[str] = set()
    for part in range(SPREADS):
        answer = dynamodb.query(
            TableName="failed",
            IndexName="by_group",
            KeyConditionExpression="spread = :spread",
            ExpressionAttributeValues={":spread": {"S": f"{GROUP}#{part}"}},
        )
        assert answer["Items"], "each takes its share"
        found |= {item["event_id"]["S"] for item in answer["Items"]}
    assert found == {f"e-{number}" for number in range(200)}
    assert spread(GROUP, "e-1") == spread(GROUP, "e-1")


class Throttled:
    """Takes all but one row of a call, `times` times; then all."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.taken: list[str] = []

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803  # boto3's name
        ((name, requests),) = RequestItems.items()
        left = requests[-1:] if self.times else []
        self.times -= bool(self.times)
        self.taken += [one["PutRequest"]["Item"]["event_id"]["S"] for one in requests[: len(requests) - len(left)]]
        return {"UnprocessedItems": {name: left} if left else {}}


def test_rows_that_dynamodb_did_not_take_are_sent_again(dynamodb: Any) -> None:
    client = Throttled(3)
    table(client).record([replace(FAILED, event_id=f"e-{number}") for number in range(60)])
    assert sorted(client.taken) == sorted(f"e-{number}" for number in range(60))


def test_rows_that_it_never_takes_are_said() -> None:
    with pytest.raises(StoreUnavailable, match="throttled"):
        table(Throttled(99)).record([FAILED])


def test_a_table_that_does_not_answer_is_said() -> None:
    class Denied:
        def batch_write_item(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "BatchWriteItem")

    with pytest.raises(StoreUnavailable, match="AccessDenied"):
        table(Denied()).record([FAILED])
