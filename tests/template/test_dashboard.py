from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from tests.template.document import ALARMS, FUNCTIONS, RESOURCES, names_in, placeholders, properties_of
from tests.template.measures import OURS, RECOVERED, REDRIVEN, Metric, is_measured

BODY = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]


def rows() -> list[list[Any]]:
    """Return the metrics of all widgets, as the dashboard writes them."""
    return [row for widget in json.loads(BODY)["widgets"] for row in widget["properties"].get("metrics", [])]


def shown() -> list[Metric]:
    """Return the metrics that are shown by name; those that are searched for are left out."""
    named = [[part for part in row if isinstance(part, str)] for row in rows()]
    return [
        Metric(namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True)))
        for namespace, name, *dimensions in filter(None, named)
    ]


def test_it_is_json() -> None:
    assert json.loads(re.sub(r"\$\{[^}]+\}", "x", BODY))["widgets"]


def test_it_names_only_what_is_there() -> None:
    assert names_in(BODY) <= RESOURCES.keys()


def always(names: Iterable[str]) -> set[str]:
    """Return those of some resources that are there whatever the parameters say."""
    return {name for name in names if "Condition" not in RESOURCES[name]}


def test_it_names_only_what_is_always_there() -> None:
    """What is under a condition would fail the deployment where the condition does not hold."""
    assert always(names_in(BODY)) == names_in(BODY)


def test_it_shows_all_alarms() -> None:
    found = {name.removesuffix(".Arn") for name in placeholders(BODY) if name.endswith("Alarm.Arn")}
    assert found == always(ALARMS)


def test_it_asks_each_service_for_what_it_measures() -> None:
    assert shown()
    assert not [metric for metric in shown() if not is_measured(metric)]


def test_it_shows_all_functions_streams_and_machines() -> None:
    told = {name for metric in shown() for value in metric.dimensions.values() for name in names_in(value)}
    assert told >= always(FUNCTIONS)
    assert told >= properties_of("AWS::KinesisFirehose::DeliveryStream").keys()
    assert told >= properties_of("AWS::Serverless::StateMachine").keys()


def test_it_shows_how_many_letters_went_back_and_how_many_were_rescued() -> None:
    assert {metric.name for metric in REDRIVEN} == {"VerdictCount", "LettersRescued"}
    assert not [metric for metric in REDRIVEN if metric not in shown()]


def test_it_shows_what_stands_still_and_for_how_long() -> None:
    assert {metric.name for metric in RECOVERED} == {"IntakesPaused", "CircuitsOpen", "PausedSeconds"}
    assert not [metric for metric in RECOVERED if metric not in shown()]


def test_it_looks_for_our_own_metrics_by_their_dimensions() -> None:
    expressions = "\n".join(row[0]["expression"] for row in rows() if isinstance(row[0], dict))
    searches = re.findall(r"SEARCH\('\{([^,}]+),([^}]+)\} MetricName=\"(\w+)\"'", expressions)
    found = {(namespace, name, frozenset(by.split(","))) for namespace, by, name in searches}
    assert found == {(metric.namespace, metric.name, frozenset(metric.dimensions)) for metric in OURS}
