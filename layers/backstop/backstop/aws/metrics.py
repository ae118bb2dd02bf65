"""Pipeline events in, CloudWatch metrics out: lines in the embedded metric format, so no call and no wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from backstop.circuits.report import CircuitReport
from backstop.report import Report

NAMESPACE: Final = "DataPipeline/Errors"


def publish(reports: Sequence[Report], function: str, put_back: int = 0) -> None:
    """Count failures by `ErrorType`, and messages and records by `Verdict` and `Function`.

    `put_back` is the number of records that went back to their stream.
    """
    errors = Counter(report.error_type for report in reports if report.pipeline_event == "failed")
    for error_type, count in errors.items():
        _publish("ErrorCount", count, MetricUnit.Count, ErrorType=error_type)
    verdicts = Counter("Recovered" if report.verdict == "Done" else report.verdict for report in reports)
    if put_back:
        verdicts["PutBack"] = put_back
    for verdict, count in verdicts.items():
        _publish("VerdictCount", count, MetricUnit.Count, Verdict=verdict, Function=function)


def count_transition(report: CircuitReport) -> None:
    """Count a transition by `Circuit` and the `State` that it led to."""
    _publish("CircuitTransitions", 1, MetricUnit.Count, Circuit=report.circuit, State=report.after)


def measure(values: Mapping[str, float], function: str) -> None:
    """Publish measurements of now, by their metrics' names and `Function`."""
    for name, value in values.items():
        _publish(name, value, MetricUnit.NoUnit, Function=function)


def _publish(name: str, value: float, unit: MetricUnit, **dimensions: str) -> None:
    with single_metric(name, unit, value, namespace=NAMESPACE) as metric:
        metric.service = ""  # else Powertools makes a dimension of an environment variable
        for dimension, its_value in dimensions.items():
            metric.add_dimension(dimension, its_value)
