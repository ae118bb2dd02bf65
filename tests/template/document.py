"""The template as data, and how its parts refer to each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from samtranslator.yaml_helper import yaml_parse

ROOT: Final = Path(__file__).parents[2]
TEMPLATE: Final[dict[str, Any]] = yaml_parse((ROOT / "template.yaml").read_text())
RESOURCES: Final[dict[str, dict[str, Any]]] = TEMPLATE["Resources"]
PARAMETERS: Final[dict[str, dict[str, Any]]] = TEMPLATE["Parameters"]
OUTPUTS: Final[dict[str, dict[str, Any]]] = TEMPLATE["Outputs"]
GLOBALS: Final[dict[str, Any]] = TEMPLATE["Globals"]["Function"]
DAY: Final = 24 * 60 * 60


def properties_of(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the resources of a type, by name."""
    return {name: one.get("Properties", {}) for name, one in RESOURCES.items() if one["Type"] == kind}


QUEUES: Final = properties_of("AWS::SQS::Queue")
FUNCTIONS: Final = properties_of("AWS::Serverless::Function")
ROLES: Final = properties_of("AWS::IAM::Role")
BUCKETS: Final = properties_of("AWS::S3::Bucket")
ALARMS: Final = properties_of("AWS::CloudWatch::Alarm")
SOURCES: Final = {
    f"{name}.{event}": (function, source["Properties"])
    for name, function in FUNCTIONS.items()
    for event, source in function.get("Events", {}).items()
    if source["Type"] == "SQS"
}
MAPPINGS: Final = {name.replace(".", ""): source for name, (_, source) in SOURCES.items()}
"""What SAM makes of them, by the names that it gives them."""


def log_group_of(function: str) -> str:
    """Return the name of the log group that a function writes to: its own, or what all are given."""
    return target(FUNCTIONS[function].get("LoggingConfig", GLOBALS["LoggingConfig"])["LogGroup"])


def each(names: Iterable[str]) -> pytest.MarkDecorator:
    """Run a test for each name; it is the test's argument `name`."""
    return pytest.mark.parametrize("name", names)


def as_list(value: Any) -> list[Any]:
    """Return what may stand alone or in a list as a list."""
    return value if isinstance(value, list) else [value]


def walk(node: Any) -> Iterator[Any]:
    """Yield a node and all that is below it."""
    yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from walk(child)


def target(reference: Any) -> str:
    """Return the name of what `!Ref` or `!GetAtt` refers to."""
    if "Ref" in reference:
        return str(reference["Ref"])
    return str(reference["Fn::GetAtt"][0])


def text_of(value: Any) -> str:
    """Return a value as `!Sub` would write it: the same for the same value, whichever function names it."""
    match value:
        case str(text) | {"Fn::Sub": str(text)}:
            return text
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"${{{name}.{attribute}}}"
        case _:
            raise AssertionError(f"{value} is neither text nor a reference")


def placeholders(text: str) -> set[str]:
    """Return what a text of `!Sub` refers to, pseudo parameters left out."""
    return {name for name in re.findall(r"\$\{([^}!]+)\}", text) if not name.startswith("AWS::")}


def names_in(text: str) -> set[str]:
    """Return the names of the resources and parameters that a text of `!Sub` refers to."""
    return {name.partition(".")[0] for name in placeholders(text)}


def references(node: Any) -> set[str]:
    """Return the names that `!Ref`, `!GetAtt` and `!Sub` use below a node, pseudo parameters left out."""
    found: set[str] = set()
    for one in walk(node):
        match one:
            case {"Ref": str(name)}:
                found.add(name)
            case {"Fn::GetAtt": [str(name), *_]}:
                found.add(name)
            case {"Fn::Sub": str(text)}:
                found |= names_in(text)
            case _:
                pass
    return {name for name in found if not name.startswith("AWS::")}
