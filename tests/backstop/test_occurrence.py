"""What counts as a failure, how urgent it is, and how a batch's failures are counted by group."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.kinds import Kind
from backstop.occurrence import Occurrence, Severity, tallies
from tests.backstop import NOW

A_SECOND = timedelta(seconds=1)
FAILED = Occurrence("line", NOW, "a")


def failed(group: str = "a", seconds: int = 0, **details: Any) -> Occurrence:
    return replace(FAILED, group=group, at=NOW + seconds * A_SECOND, **details)


class TestOccurrence:
    @pytest.mark.parametrize("verdict", ["Retry", "Dead", "Park", "ProcessingFailed", ""])
    def test_is_a_failure_whatever_becomes_of_it(self, verdict: str) -> None:
        assert failed(verdict=verdict).is_failure

    @pytest.mark.parametrize("verdict", ["Done", "Redriven"])
    def test_is_none_where_its_event_is_done_or_sent_back(self, verdict: str) -> None:
        assert not failed(verdict=verdict).is_failure

    @pytest.mark.parametrize(
        ("details", "severity"),
        [
            pytest.param({"kind": Kind.SYSTEM, "verdict": "Retry"}, Severity.CRITICAL, id="a fault of ours"),
            pytest.param({"is_crash": True}, Severity.CRITICAL, id="a worker that died"),
            pytest.param({"is_crash": True, "verdict": "Retry"}, Severity.CRITICAL, id="a worker that died, retried"),
            pytest.param(
                {"verdict": "Dead", "source_queue": "ordered.fifo"}, Severity.CRITICAL, id="a dead head of its key"
            ),
            pytest.param({"error_type": "CircuitOpen"}, Severity.CRITICAL, id="a circuit that opened"),
            pytest.param({"error_type": "CircuitOpen", "verdict": "Retry"}, Severity.CRITICAL, id="what waits for it"),
            pytest.param({"verdict": "Dead", "source_queue": "events"}, Severity.ERROR, id="a dead letter"),
            pytest.param({"verdict": "Dead", "source_queue": "fifo"}, Severity.ERROR, id="a queue that is called fifo"),
            pytest.param({"verdict": "ProcessingFailed"}, Severity.ERROR, id="a record that was not transformed"),
            pytest.param({"verdict": ""}, Severity.ERROR, id="an ERROR line"),
            pytest.param({"verdict": "Retry", "kind": Kind.TRANSIENT}, Severity.WARNING, id="tried again"),
            pytest.param({"verdict": "Park", "source_queue": "ordered.fifo"}, Severity.WARNING, id="parked"),
        ],
    )
    def test_is_as_urgent_as_what_stands_still(self, details: dict[str, Any], severity: Severity) -> None:
        assert failed(**details).severity is severity

    def test_is_told_of_in_the_order_of_urgency(self) -> None:
        severities = sorted(Severity, key=lambda severity: severity.urgency)
        assert severities == [Severity.CRITICAL, Severity.ERROR, Severity.WARNING, Severity.INFO]


class TestTallies:
    def test_are_none_of_nothing(self) -> None:
        assert tallies([], "batch") == []
        assert tallies([failed(verdict="Done"), failed(verdict="Redriven")], "batch") == []

    def test_count_each_group_by_itself(self) -> None:
        found = tallies(
            [failed("a", 1), failed("b", 2), failed("a", 5), failed("a", 3), failed("b", verdict="Done")], "b1"
        )
        assert [(one.group, one.count, one.batch) for one in found] == [("a", 3, "b1"), ("b", 1, "b1")]
        assert (found[0].first_at, found[0].last_at) == (NOW + A_SECOND, NOW + 5 * A_SECOND)

    def test_have_the_most_urgent_of_their_group_as_their_sample(self) -> None:
        retried, dead, later = (
            failed(seconds=9, verdict="Retry"),
            failed(verdict="Dead"),
            failed(seconds=1, verdict="Dead"),
        )
        [found] = tallies([retried, later, dead], "batch")
        assert (found.sample, found.severity) == (later, Severity.ERROR)

    def test_have_the_most_urgent_group_first_and_the_earlier_of_equals(self) -> None:
        found = tallies(
            [
                failed("a", 1, verdict="Retry"),
                failed("b", 3, verdict="Dead"),
                failed("c", 2, verdict="Dead"),
                failed("d", 9, kind=Kind.SYSTEM),
            ],
            "batch",
        )
        assert [one.group for one in found] == ["d", "c", "b", "a"]

    @given(
        st.lists(
            st.builds(
                failed,
                st.sampled_from("abc"),
                st.integers(0, 99),
                verdict=st.sampled_from(["Retry", "Dead", "Park", "Done", "Redriven", ""]),
                is_crash=st.booleans(),
            )
        )
    )
    def test_leave_no_failure_out_and_count_none_twice(self, occurrences: list[Occurrence]) -> None:
        failures = [one for one in occurrences if one.is_failure]
        found = tallies(occurrences, "batch")
        assert sum(one.count for one in found) == len(failures)
        assert {one.group for one in found} == {one.group for one in failures}
        for one in found:
            assert one.sample in failures
            assert one.first_at <= one.sample.at <= one.last_at
            assert one.severity is min(
                (other.severity for other in failures if other.group == one.group), key=lambda each: each.urgency
            )
