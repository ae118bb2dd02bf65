from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from backstop.settings.recovery import RecoverySettings
from backstop.settings.watchers import NotifySettings, RedriveSettings, WatchSettings
from backstop.settings.workers import OrderedSettings, ProcessSettings, TransformSettings
from tests.backstop.test_settings import ENVIRONMENT, ORDERED_ENVIRONMENT
from tests.template.document import FUNCTIONS, GLOBALS, ROOT, each, log_group_of, properties_of
from tests.template.watch import WATCHERS

Settings = (
    type[ProcessSettings]
    | type[OrderedSettings]
    | type[TransformSettings]
    | type[WatchSettings]
    | type[NotifySettings]
    | type[RedriveSettings]
    | type[RecoverySettings]
)

REDRIVE_NUMBERS = ("CANARY_WATCH_SECONDS", "RESCUE_AFTER_DAYS", "MAX_PARKED_EVENTS", "IN_HAND_SECONDS")
WATCH_NUMBERS = ("FAILED_EVENT_DAYS", "ALERT_LIMIT", "ALERT_WINDOW_SECONDS", "ALERT_QUIET_SECONDS", "DIGEST_AFTER")
RECOVER_VARIABLES = {
    "RECOVERY_MODE": "act",
    "MAX_INTAKE_CONCURRENCY": "20",
    "MAX_PAUSE_MINUTES": "60",
    "EVENTS_INTAKE": "shop-process,12345678-mapping,10,shop-oldest",
    "ORDERED_INTAKE": "shop-ordered,87654321-mapping,10,shop-oldest-ordered",
    "SWITCHES": "payments=/shop/payments",
}

SETTINGS: dict[str, tuple[Settings, Mapping[str, str]]] = {
    "ProcessFunction": (ProcessSettings, ENVIRONMENT),
    "ProcessOrderedFunction": (OrderedSettings, ORDERED_ENVIRONMENT),
    "TransformFunction": (TransformSettings, {}),
    "WatchFunction": (WatchSettings, dict.fromkeys(WATCH_NUMBERS, "5")),
    "NotifyFunction": (NotifySettings, {}),
    "RedriveFunction": (RedriveSettings, dict.fromkeys(REDRIVE_NUMBERS, "5")),
    "RecoverFunction": (RecoverySettings, RECOVER_VARIABLES),
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

    @each(sorted(FUNCTIONS.keys() - WATCHERS - {"RecoverFunction"}))
    def test_each_worker_writes_to_the_log_that_is_watched(self, name: str) -> None:
        assert log_group_of(name) == "PipelineLogs"
        assert "LoggingConfig" not in FUNCTIONS[name]

    @each(FUNCTIONS)
    def test_each_writes_to_a_log_that_ends(self, name: str) -> None:
        assert log_group_of(name) in LOG_GROUPS

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


def read_by_code(function: str) -> Iterator[str]:
    """Yield the names of the variables that the code in a function's folder, such as the sample's, reads itself."""
    for node in chain.from_iterable(ast.walk(ast.parse(path.read_text())) for path in folder_of(function).glob("*.py")):
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
    assert given.keys() == (read_by_settings(name) | set(read_by_code(name))) - BY_LAMBDA
