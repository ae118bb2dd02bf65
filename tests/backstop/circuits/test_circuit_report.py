"""What is told of circuits and held releases, and what becomes of it on the watchers' side."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from backstop.circuits.report import CircuitReport
from backstop.circuits.state import CircuitState, Transition
from backstop.delivery import Delivery, LogLine
from backstop.errors import CircuitOpen
from backstop.fingerprint import Surroundings
from backstop.kinds import Kind
from backstop.lines import read
from backstop.occurrence import Occurrence, Severity
from backstop.release_counts import Hold
from backstop.report import describe
from tests.backstop import NOW

NOTHING = timedelta(0)
HERE = Surroundings(function="shop-process", stage="prod")
CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
OPENED = Transition("payments", CLOSED, OPEN, 7, NOW, "5 calls in a row failed")
HOLD = Hold("shop-process", "r2", "a" * 16, 14, 20, NOW)


def line(report: CircuitReport, **circumstances: str) -> str:
    return json.dumps(report.fields() | {"function": "shop-process", "stage": "prod"} | circumstances)


def watched(*lines: str) -> list[Occurrence]:
    """Return what the watchers read."""
    read_lines = tuple(LogLine(str(number), NOW, text) for number, text in enumerate(lines))
    return read(Delivery("shop-logs", "stream", (), read_lines, "batch"), "prod")


def refusal_group(name: str) -> str:
    """Return the group of a message that the circuit refused, as its function tells of it."""
    refusal = CircuitOpen(name, retry_after=NOTHING, open_for=NOTHING)
    return describe(refusal, "/var/task", HERE._replace(kind=Kind.TRANSIENT)).group


class TestACircuitThatOpens:
    def test_says_what_happened_and_why(self) -> None:
        told = CircuitReport.turned(OPENED, HERE).fields()
        assert told["pipeline_event"] == "circuit"
        assert (told["circuit"], told["before"], told["after"], told["generation"]) == ("payments", "CLOSED", "OPEN", 7)
        assert told["why"] == "5 calls in a row failed"

    def test_is_a_failure_of_the_refusals_group(self) -> None:
        [opened] = watched(line(CircuitReport.turned(OPENED, HERE)))
        assert opened.is_failure
        assert opened.group == refusal_group("payments") != refusal_group("orders")
        assert (opened.kind, opened.error_type) == (Kind.TRANSIENT, "CircuitOpen")

    @pytest.mark.parametrize("before", [CLOSED, HALF_OPEN])
    def test_is_urgent(self, before: CircuitState) -> None:
        [opened] = watched(line(CircuitReport.turned(OPENED._replace(before=before), HERE)))
        assert opened.severity is Severity.CRITICAL

    def test_tells_of_no_event(self) -> None:
        [opened] = watched(line(CircuitReport.turned(OPENED, HERE), event_id="order-1", key="c-1"))
        assert (opened.event_id, opened.key, opened.verdict) == ("", "", "")

    def test_quotes_no_secret(self) -> None:
        opened = OPENED._replace(why="it failed: password=hunter2")
        assert "hunter2" not in line(CircuitReport.turned(opened, HERE))

    def test_is_grouped_by_its_text_where_the_line_names_no_group(self) -> None:
        fields: dict[str, Any] = CircuitReport.turned(OPENED, HERE).fields()
        del fields["group"]
        [opened] = watched(json.dumps(fields))
        assert opened.group


@pytest.mark.parametrize("after", [CLOSED, HALF_OPEN])
def test_other_transitions_are_told_of_and_are_no_failures(after: CircuitState) -> None:
    told = CircuitReport.turned(OPENED._replace(after=after), HERE)
    assert told.fields().keys().isdisjoint({"group", "error", "error_type", "kind"})
    assert watched(line(told)) == []


@pytest.mark.parametrize("after", ["open", 1, None, ["OPEN"], {"OPEN": 1}, ""])
def test_a_line_that_is_not_as_it_is_written_here_tells_of_nothing(after: object) -> None:
    fields = CircuitReport.turned(OPENED, HERE).fields() | {"after": after}
    assert watched(json.dumps(fields)) == []


class TestAReleaseThatIsHeld:
    def test_says_which_failures_hold_it(self) -> None:
        told = CircuitReport.held(HOLD).fields()
        assert (told["circuit"], told["before"], told["after"]) == ("release shop-process", "CLOSED", "OPEN")
        assert told["why"] == f"14 of 20 messages of release r2 fail alike: group g{'a' * 16}"

    def test_is_no_failure_as_recovery_tells_people_of_it_and_of_its_end(self) -> None:
        assert watched(line(CircuitReport.held(HOLD), release="r2")) == []
