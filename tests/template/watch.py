"""The template's watchers as data, for the tests of their filters, their roles and their alarms."""

from __future__ import annotations

from typing import Any, Final

from tests.template.document import FUNCTIONS, RESOURCES, properties_of

WATCHERS: Final = {"WatchFunction", "NotifyFunction"}
"""The functions that tell of others' failures, and whose own are told by alarms only."""

WATCH: Final[dict[str, Any]] = FUNCTIONS["WatchFunction"]
NOTIFY: Final[dict[str, Any]] = FUNCTIONS["NotifyFunction"]
VARIABLES: Final[dict[str, Any]] = WATCH["Environment"]["Variables"]
GROUPS: Final[dict[str, Any]] = RESOURCES["FailureGroupsTable"]["Properties"]
EVENTS: Final[dict[str, Any]] = RESOURCES["FailedEventsTable"]["Properties"]
FILTERS: Final = properties_of("AWS::Logs::SubscriptionFilter")
PATTERNS: Final[dict[str, str]] = {
    "pipeline-events": FILTERS["PipelineEventsFilter"]["FilterPattern"]["Fn::If"][2],
    "failures": FILTERS["FailuresFilter"]["FilterPattern"],
}
"""What each filter lets through on AWS, by the name that it gives what it delivers."""
LOCAL_PATTERN: Final = FILTERS["PipelineEventsFilter"]["FilterPattern"]["Fn::If"][1]
