from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backstop.aws import parked
from backstop.aws.parked import INDEX
from backstop.aws.parked_items import TOTALS, aside_item, lock_item
from backstop.aws.parked_record import PREFIX
from backstop.parking import Lock, OnDeadHead, State
from backstop.sequence import wanted
from tests.fakes.clock import START
from tests.template.document import DAY, FUNCTIONS, PARAMETERS, QUEUES, RESOURCES, SOURCES, each, target, text_of
from tests.template.permissions import Grant, actions_on, grants, grants_of, trust

FUNCTION: dict[str, Any] = FUNCTIONS["ProcessOrderedFunction"]
VARIABLES: dict[str, Any] = FUNCTION["Environment"]["Variables"]
PARKED: dict[str, Any] = RESOURCES["ParkedTable"]["Properties"]
ROLE = "ProcessOrderedRole"
ADAPTER = Path(parked.__file__).parent
LOCK = lock_item(Lock("k", State.WAITING, 1, "a", 1, START, START))
"""A lock as it is kept."""


def source_of(queue: str) -> dict[str, Any]:
    """Return the one event source that reads a queue."""
    ((function, source),) = [one for one in SOURCES.values() if target(one[1]["Queue"]) == queue]
    assert function is FUNCTION
    return dict(source)


def keys_of(schema: list[dict[str, str]]) -> list[str]:
    """Return the names of a table's keys: what it is found by, then what it is sorted by."""
    assert [one["KeyType"] for one in schema] == ["HASH", "RANGE"]
    return [one["AttributeName"] for one in schema]


class TestOrderedQueue:
    QUEUE = QUEUES["OrderedQueue"]

    def test_keeps_the_order_of_each_key_for_itself(self) -> None:
        assert self.QUEUE["FifoQueue"] is True
        assert text_of(self.QUEUE["QueueName"]).endswith(".fifo")
        assert self.QUEUE["DeduplicationScope"] == "messageGroup"
        assert self.QUEUE["FifoThroughputLimit"] == "perMessageGroupId"

    def test_takes_what_its_sender_gave_no_deduplication_id(self) -> None:
        assert self.QUEUE["ContentBasedDeduplication"] is True

    def test_moves_a_head_away_as_late_as_it_can(self) -> None:
        """Those behind it would overtake it."""
        assert target(self.QUEUE["RedrivePolicy"]["deadLetterTargetArn"]) == "OrderedDeadLetterQueue"
        assert self.QUEUE["RedrivePolicy"]["maxReceiveCount"] == 1000

    def test_ends_in_a_queue_of_its_own_kind(self) -> None:
        net = QUEUES["OrderedDeadLetterQueue"]
        assert net["FifoQueue"] is True
        assert net["MessageRetentionPeriod"] == 14 * DAY

    def test_is_read_in_batches_that_sqs_allows(self) -> None:
        assert source_of("OrderedQueue")["BatchSize"] == 10
        assert "MaximumBatchingWindowInSeconds" not in source_of("OrderedQueue")


class TestDrainQueue:
    QUEUE = QUEUES["DrainQueue"]

    def test_wakes_one_key_at_a_time(self) -> None:
        assert source_of("DrainQueue")["BatchSize"] == 1

    def test_delays_each_message_for_itself(self) -> None:
        """FIFO queues cannot."""
        assert "FifoQueue" not in self.QUEUE

    def test_is_no_source_of_events(self) -> None:
        """What is read from a queue that the settings name is run; what is read from this one wakes."""
        assert text_of(VARIABLES["SOURCE_QUEUE_URLS"]) == "${OrderedQueue}"
        assert text_of(VARIABLES["DRAIN_QUEUE_URL"]) == "${DrainQueue}"

    def test_has_nothing_in_it_that_would_be_missed(self) -> None:
        """So nothing is below it, and a sweep's worth of time is enough to keep a message."""
        assert "RedrivePolicy" not in self.QUEUE
        assert 900 < self.QUEUE["MessageRetentionPeriod"] < DAY

    def test_nobody_sends_to_it_but_the_function_the_sweep_and_who_puts_events_back(self) -> None:
        roles = [name for name, one in RESOURCES.items() if one["Type"] == "AWS::IAM::Role"]
        senders = {role for role in roles if "sqs:SendMessage" in actions_on(role, "DrainQueue")}
        assert senders == {ROLE, "SweepRole", "RedriveRole"}


class TestTable:
    def test_is_keyed_as_items_are(self) -> None:
        assert keys_of(PARKED["KeySchema"]) == list(TOTALS)

    def test_finds_locks_by_when_they_are_due(self) -> None:
        (index,) = PARKED["GlobalSecondaryIndexes"]
        assert index["IndexName"] == INDEX
        assert keys_of(index["KeySchema"]) == ["sort", "due"]
        assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}

    def test_has_the_types_that_items_have(self) -> None:
        types = {one["AttributeName"]: one["AttributeType"] for one in PARKED["AttributeDefinitions"]}
        assert types == {name: next(iter(LOCK[name])) for name in ("key", "sort", "due")}

    def test_keeps_events_until_somebody_removes_them(self) -> None:
        """What expires is only the marks of events that were put aside: no lock and no event has that attribute."""
        expires = PARKED["TimeToLiveSpecification"]["AttributeName"]
        assert expires in aside_item("k", "1", START)
        assert expires not in LOCK
        assert all(f'"{expires}"' not in (ADAPTER / name).read_text() for name in ("parked.py", "parked_record.py"))

    @each(["ParkedTable", "AuditTable"])
    def test_outlives_the_stack_and_can_be_set_back(self, name: str) -> None:
        assert RESOURCES[name]["DeletionPolicy"].startswith("Retain")
        assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"
        assert RESOURCES[name]["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


class TestRole:
    @each(["DeadLetterQueue", "OrderedDeadLetterQueue"])
    def test_it_reads_no_dead_letters(self, name: str) -> None:
        allowed = {"sqs:SendMessage", "sqs:SendMessageBatch"} if name == "DeadLetterQueue" else set()
        assert actions_on(ROLE, name) == allowed

    def test_it_reads_the_two_queues_and_no_other(self) -> None:
        read = {grant.resource for grant in grants(ROLE) if grant.action == "sqs:ReceiveMessage"}
        assert read == {"${OrderedQueue.Arn}", "${DrainQueue.Arn}"}

    def test_it_asks_the_table_and_its_index_and_scans_neither(self) -> None:
        asked = {grant.resource for grant in grants(ROLE) if grant.action == "dynamodb:Query"}
        assert asked == {"${ParkedTable.Arn}", f"${{ParkedTable.Arn}}/index/{INDEX}"}
        assert "dynamodb:Scan" not in {grant.action for grant in grants(ROLE)}

    def test_it_keeps_large_events_in_their_folder_and_reaches_no_other(self) -> None:
        objects = {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}
        assert grants_of(ROLE, "s3") == {Grant(action, f"${{DataBucket.Arn}}/{PREFIX}*") for action in objects}
        assert target(VARIABLES["PARKED_BUCKET"]) == "DataBucket"

    def test_it_is_denied_what_operators_wrote(self) -> None:
        assert actions_on(ROLE, "AuditTable") == set()


class TestSweep:
    SCHEDULE = RESOURCES["SweepSchedule"]["Properties"]

    def test_is_asked_for_each_minute(self) -> None:
        assert self.SCHEDULE["ScheduleExpression"] == "rate(1 minute)"
        assert self.SCHEDULE["FlexibleTimeWindow"] == {"Mode": "OFF"}
        assert self.SCHEDULE.get("State", "ENABLED") == "ENABLED"

    def test_is_asked_for_in_words_that_the_function_knows(self) -> None:
        assert target(self.SCHEDULE["Target"]["Arn"]) == "DrainQueue"
        assert wanted(self.SCHEDULE["Target"]["Input"]) is None
        assert json.loads(self.SCHEDULE["Target"]["Input"]) == {"sweep": True}

    def test_its_role_sends_to_the_drain_queue_and_does_nothing_else(self) -> None:
        assert target(self.SCHEDULE["Target"]["RoleArn"]) == "SweepRole"
        assert grants("SweepRole") == {Grant("sqs:SendMessage", "${DrainQueue.Arn}")}

    def test_its_role_is_the_schedulers_of_this_account(self) -> None:
        assert trust("SweepRole")["Principal"] == {"Service": "scheduler.amazonaws.com"}
        assert trust("SweepRole")["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


class TestParameters:
    def test_what_becomes_of_a_dead_head_is_held_unless_somebody_says_otherwise(self) -> None:
        assert PARAMETERS["OnDeadHead"]["AllowedValues"] == list(OnDeadHead)
        assert PARAMETERS["OnDeadHead"]["Default"] == OnDeadHead.HOLD

    @pytest.mark.parametrize(("parameter", "default"), [("MaxParkedEvents", 1000), ("MaxParkedKeys", 10_000)])
    def test_so_much_may_be_parked(self, parameter: str, default: int) -> None:
        assert PARAMETERS[parameter]["Default"] == default

    @pytest.mark.parametrize(
        ("variable", "parameter"),
        [
            ("ON_DEAD_HEAD", "OnDeadHead"),
            ("MAX_PARKED_EVENTS", "MaxParkedEvents"),
            ("MAX_PARKED_KEYS", "MaxParkedKeys"),
        ],
    )
    def test_each_reaches_the_function(self, variable: str, parameter: str) -> None:
        assert VARIABLES[variable] == {"Ref": parameter}
