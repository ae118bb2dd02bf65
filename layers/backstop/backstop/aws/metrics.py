"""Pipeline events in, CloudWatch metrics out: lines in the embedded metric format, so no call and no wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from backstop.report import Report

NAMESPACE: Final = "DataPipeline/Errors"


def publish(reports: Sequence[Report], function: str) -> None:
    """Count failures by `ErrorType`, and messages by `Verdict` and `Function`."""
    errors = Counter(report.error_type for report in reports if report.pipeline_event == "failed")
    for error_type, count in errors.items():
        with single_metric("ErrorCount", MetricUnit.Count, count, namespace=NAMESPACE) as metric:
            metric.service = ""  # else Powertools makes a dimension of an environment variable
            metric.add_dimension("ErrorType", error_type)
    verdicts = Counter("Recovered" if report.verdict == "Done" else report.verdict for report in reports)
    for verdict, count in verdicts.items():
        with single_metric("VerdictCount", MetricUnit.Count, count, namespace=NAMESPACE) as metric:
            metric.service = ""
            metric.add_dimension("Verdict", verdict)
            metric.add_dimension("Function", function)
