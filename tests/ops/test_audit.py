"""Who did what, when, and what came of it: written down before it is done, and found again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice

import boto3
import pytest
import time_machine
from moto import mock_aws

from ops import audit
from ops.stack import Stack
from tests.fakes.faults import Fault, Faults
from tests.template.document import RESOURCES

NOW = datetime(2026, 1, 5, 9, 0, 0, 7_999, tzinfo=UTC)
SESSION = boto3.Session("test", "test", region_name="eu-west-1")


@pytest.fixture
def stack() -> Iterator[Stack]:
    stack = Stack("shop", SESSION)
    vars(stack).update(_outputs={"AuditTableName": "audit"})
    properties = RESOURCES["AuditTable"]["Properties"]
    layout = {name: properties[name] for name in ("AttributeDefinitions", "KeySchema", "BillingMode")}
    with mock_aws(), time_machine.travel(NOW, tick=False):
        stack.dynamodb.create_table(TableName="audit", **layout)
        yield stack


def done(stack: Stack, subject: str, at: datetime) -> audit.Entry:
    with time_machine.travel(at, tick=False):
        return audit.record(stack, "a command", subject, 1)


def test_an_entry_says_who_did_what_to_how_many_and_when(stack: Stack) -> None:
    audit.record(stack, "keys skip k", "key k", 3)
    [entry] = audit.history(stack, "key k")
    assert entry.who == "arn:aws:sts::123456789012:user/moto"
    assert (entry.command, entry.subject, entry.count, entry.result) == ("keys skip k", "key k", 3, "begun")
    assert (entry.month, entry.moment) == ("2026-01", "2026-01-05T09:00:00.007Z")


@pytest.mark.parametrize(("failure", "result"), [("", "done"), ("no answer", "failed: no answer")], ids=["", "failed"])
def test_what_came_of_it_is_written_into_its_entry_and_no_other(failure: str, result: str, stack: Stack) -> None:
    first, second = (audit.record(stack, "c", "s", 1) for _ in range(2))
    assert audit.conclude(stack, first, failure) == ""
    results = {entry.at: entry.result for entry in audit.history(stack, "s")}
    assert results == {first.at: result, second.at: "begun"}


def test_entries_of_the_same_moment_are_kept_apart(stack: Stack) -> None:
    for _ in range(20):
        audit.record(stack, "c", "s", 1)
    assert len(audit.history(stack, "s")) == 20


def test_a_history_is_of_one_subject_the_newest_first_and_reaches_back_a_year(stack: Stack) -> None:
    moments = [
        datetime(2026, 1, 5, 8, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2025, 12, 31, 23, 59, tzinfo=UTC),
        datetime(2025, 1, 1, tzinfo=UTC),
        datetime(2024, 12, 31, tzinfo=UTC),
    ]
    entries = [done(stack, "s", moment) for moment in reversed(moments)]
    done(stack, "s2", moments[0])
    assert audit.history(stack, "s") == entries[:0:-1]


class TestEntries:
    MOMENTS = (
        datetime(2026, 1, 5, 8, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2025, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
        datetime(2025, 6, 1, tzinfo=UTC),
        datetime(2020, 2, 29, tzinfo=UTC),
    )

    @pytest.mark.parametrize(
        ("since", "found"),
        [
            (datetime(2026, 1, 5, 8, 30, tzinfo=UTC), 0),
            (datetime(2026, 1, 5, 8, tzinfo=UTC), 1),
            (datetime(2026, 1, 1, tzinfo=UTC), 2),
            (datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), 3),
            (datetime(2025, 7, 1, tzinfo=UTC), 3),
            (datetime(2020, 2, 1, tzinfo=UTC), 5),
            (datetime(1, 1, 1, tzinfo=UTC), 5),
        ],
        ids=["none", "to the moment", "a month", "a time elsewhere", "empty months", "years", "the beginning"],
    )
    def test_are_those_since_then_the_newest_first_over_all_months(
        self, since: datetime, found: int, stack: Stack
    ) -> None:
        entries = [done(stack, f"s{number}", moment) for number, moment in reversed([*enumerate(self.MOMENTS)])]
        assert list(audit.entries(stack, since)) == entries[::-1][:found]

    def test_are_asked_for_no_further_than_they_are_taken(self, stack: Stack) -> None:
        for moment in reversed(self.MOMENTS):
            done(stack, "s", moment)
        faults = Faults()
        with faults.installed(stack.dynamodb):
            assert len(list(islice(audit.entries(stack, datetime(2000, 1, 1, tzinfo=UTC)), 2))) == 2
        assert faults.calls["Query"] == 1

    def test_are_read_page_by_page(self, stack: Stack) -> None:
        for number in range(5):
            audit.record(stack, f"c{number}" + "x" * 300_000, "s", 1)
        faults = Faults()
        with faults.installed(stack.dynamodb):
            assert len(list(audit.entries(stack, NOW))) == 5
        assert faults.calls["Query"] > 1

    def test_are_told_whatever_stands_in_one(self, stack: Stack) -> None:
        item = {"month": {"S": "2026-01"}, "at": {"S": "2026-01-05T09:00:01.000Z#1"}, "count": {"N": "1.5"}}
        stack.dynamodb.put_item(TableName="audit", Item=item)
        [entry] = audit.entries(stack, NOW)
        assert (entry.who, entry.command, entry.count, entry.result) == ("", "", 0, "")


class TestNaming:
    @pytest.mark.parametrize(
        ("command", "subject"),
        [
            ("keys skip --event e-1 k", "key k"),
            ("keys skip --event=e-1 k", "key k"),
            ("dlq edit 'e-1'", "x"),
            ("c", "event e-1"),
            ("c", "e-1"),
            ("c 'x e-1", "x"),
        ],
        ids=["an option", "an option's value", "quoted", "the subject", "all of the subject", "a quote without an end"],
    )
    def test_finds_what_names_it(self, command: str, subject: str, stack: Stack) -> None:
        audit.record(stack, command, subject, 1)
        audit.record(stack, "keys skip --event e-10 k", "key k", 1)
        found = [entry.command for entry in audit.naming(stack, {"e-1", "other"})]
        assert found == [command]

    def test_finds_an_id_with_spaces(self, stack: Stack) -> None:
        audit.record(stack, "dlq edit 'a b'", "x", 1)
        audit.record(stack, "c", "event a b", 1)
        audit.record(stack, "c a b", "x", 1)
        assert len(audit.naming(stack, {"a b"})) == 2

    def test_takes_no_command_for_a_name(self, stack: Stack) -> None:
        audit.record(stack, "keys skip k", "key k", 1)
        assert audit.naming(stack, {"keys"}) == []


def test_how_many_is_written_down_once_it_is_known(stack: Stack) -> None:
    first, second = (audit.record(stack, "c", "s", count) for count in (0, 7))
    audit.conclude(stack, first, count=3)
    audit.conclude(stack, second, "no answer")
    counts = {entry.at: entry.count for entry in audit.history(stack, "s")}
    assert counts == {first.at: 3, second.at: 7}


def test_a_command_that_is_no_text_is_written_down_all_the_same(stack: Stack) -> None:
    assert audit.record(stack, "send \udcff.ndjson", "s", 1).command == r"send \udcff.ndjson"


@pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.ANSWER_LOST], ids=str)
def test_whom_aws_does_not_know_goes_by_the_name_that_the_system_knows(
    fault: Fault, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults()
    faults.fail_always("GetCallerIdentity", fault)
    monkeypatch.setenv("LOGNAME", "ann")
    with faults.installed(stack.sts):
        assert audit.record(stack, "c", "s", 1).who == "ann"


def test_whom_nobody_knows_is_unknown(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    faults = Faults()
    faults.fail_always("GetCallerIdentity", Fault.UNREACHABLE)
    monkeypatch.setattr("getpass.getuser", nobody)
    with faults.installed(stack.sts):
        assert audit.record(stack, "c", "s", 1).who == "unknown"


def test_what_cannot_be_concluded_says_why(stack: Stack) -> None:
    entry = audit.record(stack, "c", "s", 1)
    faults = Faults()
    faults.fail("UpdateItem", Fault.DENIED)
    with faults.installed(stack.dynamodb):
        assert "a test says: denied" in audit.conclude(stack, entry)
    assert [one.result for one in audit.history(stack, "s")] == ["begun"]
