from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from backstop.aws.metrics import count_transition, measure, publish
from backstop.circuits.report import CircuitReport
from backstop.report import Report


def report(verdict: str, error_type: str = "", *, pipeline_event: str = "failed") -> Report:
    return Report(pipeline_event, verdict, "order-1", 1, 6, "customer-1", "events", error_type=error_type, group="g")


RECOVERED = report("Done", "TimeoutError", pipeline_event="recovered")
SOME = [
    report("Retry", "TimeoutError"),
    report("Retry", "TimeoutError"),
    report("Dead", "TimeoutError"),
    report("Dead", "KeyError"),
    RECOVERED,
]


def published(capsys: pytest.CaptureFixture[str], reports: Sequence[Report], put_back: int = 0) -> list[dict[str, Any]]:
    publish(reports, "shop-process", put_back)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def dimensions(line: dict[str, Any]) -> dict[str, str]:
    """Return the dimensions of a line's metrics, as CloudWatch reads them."""
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    (names,) = directive["Dimensions"]
    return {name: line[name] for name in names}


def values(lines: Sequence[dict[str, Any]], metric: str) -> list[tuple[dict[str, str], float]]:
    return [(dimensions(line), sum(line[metric])) for line in lines if metric in line]


def test_failures_are_counted_by_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert values(published(capsys, SOME), "ErrorCount") == [
        ({"ErrorType": "TimeoutError"}, 3),
        ({"ErrorType": "KeyError"}, 1),
    ]


def test_messages_are_counted_by_verdict_and_function(capsys: pytest.CaptureFixture[str]) -> None:
    assert values(published(capsys, SOME), "VerdictCount") == [
        ({"Verdict": "Retry", "Function": "shop-process"}, 2),
        ({"Verdict": "Dead", "Function": "shop-process"}, 2),
        ({"Verdict": "Recovered", "Function": "shop-process"}, 1),
    ]


def test_records_that_failed_and_those_put_back_are_counted_by_verdict_and_function(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = published(capsys, [report("ProcessingFailed", "KeyError"), report("ProcessingFailed", "NotPutBack")], 470)
    assert values(lines, "VerdictCount") == [
        ({"Verdict": "ProcessingFailed", "Function": "shop-process"}, 2),
        ({"Verdict": "PutBack", "Function": "shop-process"}, 470),
    ]
    assert values(lines, "ErrorCount") == [({"ErrorType": "KeyError"}, 1), ({"ErrorType": "NotPutBack"}, 1)]


def test_records_put_back_are_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    lines = published(capsys, [], 3)
    assert values(lines, "VerdictCount") == [({"Verdict": "PutBack", "Function": "shop-process"}, 3)]
    assert values(lines, "ErrorCount") == []


def test_they_are_counts_in_our_namespace(capsys: pytest.CaptureFixture[str]) -> None:
    for line in published(capsys, SOME, 1):
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "DataPipeline/Errors"
        assert [metric["Unit"] for metric in directive["Metrics"]] == ["Count"]


def test_a_recovery_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert values(published(capsys, [RECOVERED]), "ErrorCount") == []


def test_nothing_reported_is_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert published(capsys, []) == []


@pytest.mark.parametrize("name", ["POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_FUNCTION_NAME"])
def test_no_setting_of_powertools_adds_a_dimension(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A dimension more is another metric: dashboards and alarms would see none of it."""
    monkeypatch.setenv(name, "shop")
    lines = published(capsys, SOME, 1)
    assert {tuple(dimensions(line)) for line in lines} == {("ErrorType",), ("Verdict", "Function")}


def test_neither_events_nor_groups_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.dumps(published(capsys, SOME))
    assert "order-1" not in told
    assert "customer-1" not in told


def test_measurements_are_told_by_function_and_without_a_unit(capsys: pytest.CaptureFixture[str]) -> None:
    measure({"HeldKeys": 2, "ParkedKeysPercent": 0.5}, "shop-ordered")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert values(lines, "HeldKeys") == [({"Function": "shop-ordered"}, 2)]
    assert values(lines, "ParkedKeysPercent") == [({"Function": "shop-ordered"}, 0.5)]
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "DataPipeline/Errors"
        assert [metric["Unit"] for metric in directive["Metrics"]] == ["None"]


def test_a_measurement_of_nothing_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    """No data would mean that nobody measures."""
    measure({"HeldKeys": 0}, "shop-ordered")
    assert json.loads(capsys.readouterr().out)["HeldKeys"] == [0.0]


def test_transitions_are_counted_by_circuit_and_state(capsys: pytest.CaptureFixture[str]) -> None:
    count_transition(CircuitReport("payments", "CLOSED", "OPEN", 3, "5 calls in a row failed"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert values(lines, "CircuitTransitions") == [({"Circuit": "payments", "State": "OPEN"}, 1)]
