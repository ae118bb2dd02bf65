"""Who did what, when, and what came of it: written down before it is done, and found again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

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
