"""The table of recovery: who remembers first is right; a deed is written with the memory, once, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws

from backstop.aws.recovery_log import MAX_ENTRIES, RecoveryLog
from backstop.errors import StoreUnavailable
from backstop.recovery.state import (
    Cause,
    CauseKind,
    CauseMemory,
    Entry,
    IntakeMemory,
    Memory,
    Pause,
    Strategy,
    SwitchMemory,
    Tell,
)
from tests.fakes.faults import Fault, Faults
from tests.template.tables import make_table

TABLE: Final = "recovery"
NOW: Final = datetime(2026, 1, 5, 9, 0, 0, 123_000, tzinfo=UTC)
PAYMENTS: Final = Cause(CauseKind.CIRCUIT, "payments")
ENTRY: Final = Entry(Strategy.PAUSE, "events", PAYMENTS, "it is open")
MEMORY: Final = Memory(
    intakes={"events": IntakeMemory(Pause(PAYMENTS, NOW, NOW + timedelta(hours=1)), paused_at=(NOW,))},
    switches={"payments": SwitchMemory(to_backup=True, since=NOW)},
    causes={str(PAYMENTS): CauseMemory(since=NOW, tried=("pause events",))},
    restarts={"shop-process": NOW},
    untold=(Tell("circuit payments", "It is down", "It was paused"),),
)


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        client: Any = boto3.client("dynamodb", region_name="eu-west-1")
        make_table(client, TABLE, "RecoveryLogTable")
        yield client


@pytest.fixture
def log(client: Any) -> RecoveryLog:
    return RecoveryLog(client, TABLE)


@pytest.fixture
def faults(client: Any) -> Iterator[Faults]:
    faults = Faults()
    with faults.installed(client):
        yield faults


def entry(number: int) -> Entry:
    return ENTRY._replace(target=f"intake {number}")


def targets(log: RecoveryLog, since: datetime, most: int = 100) -> list[str]:
    return [written.entry.target for written in log.entries(since, most, until=NOW + timedelta(days=1))]


class TestAMemory:
    def test_that_nobody_wrote_is_empty(self, log: RecoveryLog) -> None:
        assert log.memory() == Memory()

    def test_comes_back_as_the_next_version(self, log: RecoveryLog) -> None:
        assert log.remember(MEMORY)
        assert log.memory() == replace(MEMORY, version=1)
        assert log.remember(replace(MEMORY, version=1, untold=()))
        assert log.memory() == replace(MEMORY, version=2, untold=())

    @pytest.mark.parametrize("seen", [0, 1, 3], ids=["nothing", "an older one", "one that never was"])
    def test_is_kept_only_by_who_saw_the_last_one(self, log: RecoveryLog, seen: int) -> None:
        for version in range(2):
            log.remember(Memory(version=version))
        assert not log.remember(replace(MEMORY, version=seen), [ENTRY], NOW)
        assert log.memory() == Memory(version=2)
        assert targets(log, NOW) == []

    def test_is_written_together_with_what_was_done(self, log: RecoveryLog) -> None:
        assert log.remember(MEMORY, [ENTRY], NOW)
        [written] = log.entries(NOW - timedelta(hours=1), 10, until=NOW)
        assert (written.at, written.entry) == (NOW, ENTRY)

    def test_is_not_written_where_what_was_done_is_not(self, log: RecoveryLog, faults: Faults) -> None:
        faults.fail("TransactWriteItems", Fault.THROTTLED)
        with pytest.raises(StoreUnavailable, match="the table of recovery did not answer"):
            log.remember(MEMORY, [ENTRY], NOW)
        assert (log.memory(), targets(log, NOW)) == (Memory(), [])

    def test_is_written_with_as_many_deeds_as_a_transaction_takes(self, log: RecoveryLog) -> None:
        assert log.remember(MEMORY, [entry(number) for number in range(MAX_ENTRIES + 1)], NOW)
        assert len(targets(log, NOW, 200)) == MAX_ENTRIES

    def test_without_an_answer_is_in_doubt(self, log: RecoveryLog, faults: Faults) -> None:
        faults.fail("TransactWriteItems", Fault.ANSWER_LOST)
        with pytest.raises(StoreUnavailable):
            log.remember(MEMORY)
        assert log.memory().version == 1
        faults.fail_always("GetItem", Fault.UNREACHABLE)
        with pytest.raises(StoreUnavailable):
            log.memory()

    def test_whose_document_says_nothing_has_its_version_all_the_same(self, client: Any, log: RecoveryLog) -> None:
        log.remember(MEMORY)
        item = client.get_item(TableName=TABLE, Key={"of": {"S": "memory"}, "at": {"S": "now"}})["Item"]
        client.put_item(TableName=TABLE, Item={**item, "document": {"S": "{"}})
        assert log.memory() == Memory(version=1)
        assert log.remember(log.memory())


class TestTheLog:
    def test_tells_the_newest_first(self, log: RecoveryLog) -> None:
        for number in range(3):
            log.write([entry(number)], NOW + timedelta(seconds=number))
        assert targets(log, NOW) == ["intake 2", "intake 1", "intake 0"]
        assert targets(log, NOW + timedelta(seconds=1)) == ["intake 2", "intake 1"]
        assert targets(log, NOW, most=1) == ["intake 2"]

    def test_reaches_over_months_and_years(self, log: RecoveryLog) -> None:
        for number, moment in enumerate((NOW - timedelta(days=40), NOW - timedelta(days=6), NOW)):
            log.write([entry(number)], moment)
        assert targets(log, NOW - timedelta(days=50)) == ["intake 2", "intake 1", "intake 0"]
        assert targets(log, NOW - timedelta(days=30)) == ["intake 2", "intake 1"]

    def test_asks_no_month_that_is_not_asked_for(self, log: RecoveryLog, faults: Faults) -> None:
        log.entries(NOW - timedelta(days=1), 10, until=NOW)
        assert faults.calls["Query"] == 1

    def test_has_a_line_once_that_is_written_twice(self, log: RecoveryLog) -> None:
        for _ in range(2):
            log.write([entry(1), entry(2)], NOW)
        assert sorted(targets(log, NOW)) == ["intake 1", "intake 2"]

    def test_has_both_of_two_runs_in_the_same_moment(self, log: RecoveryLog) -> None:
        assert log.remember(Memory(), [ENTRY], NOW)
        assert log.remember(Memory(version=1), [ENTRY], NOW)
        assert targets(log, NOW) == ["events", "events"]

    def test_keeps_what_was_only_suggested_apart(self, log: RecoveryLog) -> None:
        log.write([ENTRY._replace(is_suggested=True)], NOW)
        [written] = log.entries(NOW, 1, until=NOW)
        assert written.entry.is_suggested

    def test_forgets_a_line_after_400_days(self, client: Any, log: RecoveryLog) -> None:
        log.write([ENTRY], NOW)
        [item] = client.scan(TableName=TABLE)["Items"]
        assert int(item["expires"]["N"]) == int((NOW + timedelta(days=400)).timestamp())

    def test_has_keys_of_its_month_and_moment(self, client: Any, log: RecoveryLog) -> None:
        log.write([ENTRY], NOW)
        [item] = client.scan(TableName=TABLE)["Items"]
        assert item["of"]["S"] == "2026-01"
        moment, mark = item["at"]["S"].split("#")
        assert (moment, len(mark)) == ("2026-01-05T09:00:00.123+00:00", 4)

    def test_that_does_not_answer_is_a_fault(self, log: RecoveryLog, faults: Faults) -> None:
        faults.fail("PutItem", Fault.DENIED)
        with pytest.raises(StoreUnavailable):
            log.write([ENTRY], NOW)
        faults.fail("Query", Fault.DENIED)
        with pytest.raises(StoreUnavailable):
            log.entries(NOW, 1, until=NOW)
