from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backstop.settings import OrderedSettings, ProcessSettings, TransformSettings
from tests.backstop.test_settings import ENVIRONMENT, ORDERED_ENVIRONMENT
from tests.template.document import FUNCTIONS, GLOBALS, ROOT, each, properties_of

Settings = type[ProcessSettings] | type[OrderedSettings] | type[TransformSettings]

SETTINGS: dict[str, tuple[Settings, Mapping[str, str]]] = {
    "ProcessFunction": (ProcessSettings, ENVIRONMENT),
    "ProcessOrderedFunction": (OrderedSettings, ORDERED_ENVIRONMENT),
    "TransformFunction": (TransformSettings, {}),
}
"""What each function reads, and values for what does not take just any text."""

BY_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME", "LAMBDA_TASK_ROOT"}
LOG_GROUPS = properties_of("AWS::Logs::LogGroup")


def folder_of(function: str) -> Path:
    return ROOT / str(FUNCTIONS[function]["CodeUri"])


class TestFunctions:
    @each(FUNCTIONS)
    def test_each_has_a_folder_and_a_description(self, name: str) -> None:
        assert (folder_of(name) / "app.py").is_file()
        assert FUNCTIONS[name]["Description"]

    @each(FUNCTIONS)
    def test_each_has_a_sample_event_that_is_named_as_its_folder(self, name: str) -> None:
        assert json.loads((ROOT / "events" / f"{folder_of(name).name}.json").read_text())

    def test_all_folders_of_functions_and_all_sample_events_are_used(self) -> None:
        folders = {folder_of(name).name for name in FUNCTIONS}
        assert {path.parent.name for path in (ROOT / "functions").glob("*/app.py")} == folders
        assert {path.stem for path in (ROOT / "events").iterdir()} <= folders

    def test_all_write_to_a_log_that_ends(self) -> None:
        assert GLOBALS["LoggingConfig"]["LogGroup"] == {"Ref": "PipelineLogs"}
        assert not [name for name, function in FUNCTIONS.items() if "LoggingConfig" in function]

    def test_metrics_are_not_dropped_for_their_level(self) -> None:
        logging = GLOBALS["LoggingConfig"]
        assert (logging["LogFormat"], logging["ApplicationLogLevel"]) == ("JSON", "INFO")

    @each(LOG_GROUPS)
    def test_each_log_group_has_a_retention(self, name: str) -> None:
        assert LOG_GROUPS[name]["RetentionInDays"]


class Asked(dict[str, str]):
    """An environment that has whatever it is asked for, and remembers what that was."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, "some text")


def read_by_settings(function: str) -> set[str]:
    """Return the names of the variables that a function's settings read."""
    settings, variables = SETTINGS[function]
    environment = Asked(variables)
    settings.from_environment(environment)
    return environment.names


def read_by_handler(function: str) -> Iterator[str]:
    """Yield the names of the variables that the sample reads itself."""
    for node in ast.walk(ast.parse((folder_of(function) / "handler.py").read_text())):
        match node:
            case (
                ast.Subscript(value=mapping, slice=ast.Constant(value=str(name)))
                | ast.Call(func=ast.Attribute(value=mapping, attr="get"), args=[ast.Constant(value=str(name)), *_])
            ) if ast.unparse(mapping) == "os.environ":
                yield name
            case _:
                pass


@each(FUNCTIONS)
def test_each_is_given_what_it_reads_and_nothing_else(name: str) -> None:
    given = FUNCTIONS[name]["Environment"]["Variables"] | GLOBALS["Environment"]["Variables"]
    assert given.keys() == (read_by_settings(name) | set(read_by_handler(name))) - BY_LAMBDA
