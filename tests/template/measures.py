"""A metric's name in, the dimensions that it is found by out: those of AWS's services, and those of our own metrics."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from typing import Any, Final, NamedTuple

from backstop.aws.metrics import count_transition, measure, publish
from backstop.circuits.report import CircuitReport
from backstop.circuits.state import CircuitState
from backstop.kinds import Kind
from backstop.letter import letter
from backstop.report import Description, Report
from tests.fakes.clock import START
from tests.template.document import FUNCTIONS, ROOT, properties_of, text_of

Dimensions = dict[str, str]

RECORD_FAILED: Final = Report.unprocessed(
    "record-1", "click-1", 1, "clicks", Kind.PERMANENT, Description("KeyError", "", "", "g")
)
LETTER: Final = {"messageId": "1", "body": "{}", "attributes": {}, "eventSourceARN": "arn:aws:sqs:::dead-letters"}
LETTER_REDRIVEN: Final = Report.redriven(letter(LETTER, frozenset(), START), "r20260105-090000-0000", "events")
OPENED: Final = CircuitReport("payments", CircuitState.CLOSED, CircuitState.OPEN, 1, "5 failures in a row")


class Metric(NamedTuple):
    """A metric, with its dimensions as `!Sub` would write them. All of them tell it from others, not some."""

    namespace: str
    name: str
    dimensions: Dimensions


class Service(NamedTuple):
    """What a service of AWS measures, and how its one dimension is filled: an URL or an ARN would find nothing."""

    kind: str
    dimension: str
    value: str


SERVICES: Final = {
    "AWS/SQS": Service("AWS::SQS::Queue", "QueueName", "${%s.QueueName}"),
    "AWS/Lambda": Service("AWS::Serverless::Function", "FunctionName", "${%s}"),
    "AWS/SNS": Service("AWS::SNS::Topic", "TopicName", "${%s.TopicName}"),
    "AWS/States": Service("AWS::Serverless::StateMachine", "StateMachineArn", "${%s}"),
    "AWS/Firehose": Service("AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName", "${%s}"),
}


def published(report: Report, function: str) -> list[Metric]:
    """Return the metrics that a function publishes of a report, read off its lines as CloudWatch reads them."""
    return _read_off(lambda: publish([report], text_of({"Ref": function})))


def measured(function: str, names: Iterable[str]) -> list[Metric]:
    """Return what a function measures besides, by the names that it gives it."""
    return _read_off(lambda: measure(dict.fromkeys(names, 1.0), text_of({"Ref": function})))


def _names_measured() -> Iterator[str]:
    """Yield what the ordered lane's flows name in a call of `measure`."""
    for path in sorted((ROOT / "layers" / "backstop" / "backstop").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "measure":
                yield from (keyword.arg for keyword in node.keywords if keyword.arg)


def _names_measured_by(function: str) -> Iterator[str]:
    """Yield what a function's wiring measures itself: the names in what it gives `metrics.measure`."""
    wiring = ROOT / "layers" / "backstop" / "backstop" / "wiring" / f"{function}.py"
    for node in ast.walk(ast.parse(wiring.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(attr="measure"), args=[ast.Dict(keys=keys), *_]):
                yield from (str(ast.literal_eval(key)) for key in keys if key)
            case _:
                pass


def _names_returned_by(flow: str, function: str) -> Iterator[str]:
    """Yield the names of what a flow's function returns as one dictionary."""
    tree = ast.parse((ROOT / "layers" / "backstop" / "backstop" / f"{flow}.py").read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function]
    for node in ast.walk(*found):
        match node:
            case ast.Return(value=ast.Dict(keys=keys)):
                yield from (str(ast.literal_eval(key)) for key in keys if key)
            case _:
                pass


def _read_off(act: Callable[[], None]) -> list[Metric]:
    lines = io.StringIO()
    with redirect_stdout(lines):
        act()
    return [_metric(json.loads(line)) for line in lines.getvalue().splitlines()]


def _metric(line: dict[str, Any]) -> Metric:
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    (names,) = directive["Dimensions"]
    (metric,) = directive["Metrics"]
    return Metric(directive["Namespace"], metric["Name"], {name: line[name] for name in names})


OURS: Final = [
    *(metric for function in FUNCTIONS for metric in published(RECORD_FAILED, function)),
    *_read_off(lambda: count_transition(OPENED)),
]
MEASURED: Final = measured("ProcessOrderedFunction", _names_measured())
REDRIVEN: Final = [
    *published(LETTER_REDRIVEN, "RedriveFunction"),
    *measured("RedriveFunction", _names_measured_by("redrive")),
]

RECOVERED: Final = measured("RecoverFunction", _names_returned_by("recovery/recovering", "_measures"))


def is_measured(metric: Metric) -> bool:
    """Say whether somebody measures what is looked for: a service of AWS of a resource, or we ourselves."""
    if metric.namespace not in SERVICES:
        return metric in (*OURS, *MEASURED, *REDRIVEN, *RECOVERED)
    service = SERVICES[metric.namespace]
    of_service = [{service.dimension: service.value % name} for name in properties_of(service.kind)]
    return metric.dimensions in of_service
