"""How many dead letters there are, how old, and how long they are still kept."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from backstop.aws.parked import ParkedTable
from backstop.aws.parked_record import ParkedRecords
from backstop.parking import Lock, State, parked
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command
from tests.ops.dlq.ground import DEAD, ORDERED_DEAD, Ground
from tests.ops.keys.conftest import Rows

DAYS_14 = 14 * 86_400


def age(stack: Stack, clock: VirtualClock, seconds: int) -> None:
    """Let SQS tell CloudWatch how old the oldest dead letter is."""
    stack.cloudwatch.put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Dimensions": [{"Name": "QueueName", "Value": DEAD}],
                "Timestamp": clock.now() - timedelta(minutes=2),
                "Value": seconds,
            }
        ],
    )


def hold(stack: Stack, clock: VirtualClock, key: str, state: State) -> None:
    """Let a key wait."""
    record = {
        "messageId": "m",
        "body": "{}",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:shop-ordered.fifo",
        "attributes": {"SequenceNumber": "1", "SentTimestamp": str(clock.epoch_millis()), "MessageGroupId": key},
    }
    table = ParkedTable(stack.dynamodb, "parked", ParkedRecords(lambda: stack.s3, "data"), most=10)
    table.park_head(Lock(key, state, 1000, "e", 1, clock.now(), clock.now()), parked(record, "e"))


def test_queues_are_told_with_what_is_known_of_them(
    stack: Stack, ground: Ground, clock: VirtualClock, sqs: FakeSqs, dlq: Command, rows: Rows
) -> None:
    ground.die(*(f"e-{one}" for one in range(1234)))
    sqs.receive_message(QueueUrl=sqs.queue(DEAD).url, MaxNumberOfMessages=2)
    ground.move("x", queue=ORDERED_DEAD, key="k")
    age(stack, clock, 86_400 * 11)
    ran = dlq()
    assert (ran.exit_code, ran.err) == (0, "")
    assert rows(ran) == [
        ["queue", "letters", "in somebody's hands", "oldest", "deleted in", "kept for"],
        ["DeadLetterQueue", "1,232", "2", "11 d", "3 d", "14 d"],
        ["OrderedDeadLetterQueue", "1", "0", "-", "-", "14 d"],
    ]
    assert ran.out.endswith("Keys on hold: 0\n")


def test_keys_on_hold_are_counted_and_no_others(
    stack: Stack, ground: Ground, clock: VirtualClock, dlq: Command
) -> None:
    for key, state in (("a", State.HELD), ("b", State.WAITING), ("c", State.HELD)):
        hold(stack, clock, key, state)
    assert dlq().out.endswith("Keys on hold: 2; `backstop keys --state held` shows them.\n")


def test_it_is_told_to_programs(stack: Stack, ground: Ground, clock: VirtualClock, dlq: Command) -> None:
    ground.die("a")
    age(stack, clock, DAYS_14 + 5)
    hold(stack, clock, "k", State.HELD)
    ran = dlq("--json")
    unknown = {"oldest_seconds": None, "retention_seconds": DAYS_14, "left_seconds": None}
    assert (ran.exit_code, ran.err) == (0, "")
    assert json.loads(ran.out) == {
        "queues": [
            {
                "queue": "DeadLetterQueue",
                "waiting": 1,
                "in_flight": 0,
                "oldest_seconds": DAYS_14 + 5,
                "retention_seconds": DAYS_14,
                "left_seconds": 0,
            },
            {"queue": "OrderedDeadLetterQueue", "waiting": 0, "in_flight": 0, **unknown},
        ],
        "keys_on_hold": 1,
    }


def test_it_takes_no_letter(ground: Ground, sqs: FakeSqs, dlq: Command) -> None:
    ground.die("a")
    dlq()
    assert {call.operation for call in sqs.calls} == {"GetQueueAttributes"}


@pytest.mark.parametrize("operation", ["GetQueueAttributes", "Query"])
def test_what_aws_refuses_is_told_in_a_sentence(operation: str, faults: Faults, ground: Ground, dlq: Command) -> None:
    faults.fail_always(operation, Fault.DENIED)
    ran = dlq()
    assert (ran.exit_code, ran.out) == (2, "")
    assert ran.err.startswith("backstop: ")


def test_an_option_before_a_subcommand_is_about_the_wrong_command(dlq: Command) -> None:
    ran = dlq("--stack", "a", "discard", "--all")
    assert (ran.exit_code, "options stand behind 'discard'" in ran.err) == (2, True)
