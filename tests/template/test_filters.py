from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest

from backstop.aws.logs import PipelineLog
from backstop.delivery import Delivery, LogLine
from backstop.lines import FAILURES, PIPELINE_EVENTS, read
from backstop.occurrence import Occurrence
from tests.template.document import RESOURCES, each, target
from tests.template.filters import MAX_PATTERN, lets_through
from tests.template.measures import RECORD_FAILED
from tests.template.watch import FILTERS, LOCAL_PATTERN, PATTERNS

TRACEBACK = 'Traceback (most recent call last):\n  File "/var/task/handler.py", line 3, in handle\nValueError: no price'
OUT_OF_MEMORY = {"requestId": "r-1", "status": "error", "errorType": "Runtime.OutOfMemory"}
UNHANDLED = {"errorMessage": "no price", "errorType": "ValueError", "requestId": "r-1", "stackTrace": ["  File …\n"]}

IN_JSON = {
    "an ERROR line": {"level": "ERROR", "message": "no price"},
    "an ERROR line with a traceback": {"level": "ERROR", "message": "it failed", "exception": TRACEBACK},
    "an ERROR line that quotes Lambda": {"level": "ERROR", "message": "[ERROR] Task timed out after 3.00 seconds"},
    "what Python's runtime tells of an exception": {"log_level": "ERROR", **UNHANDLED},
    "what a runtime tells of an exception without a level": UNHANDLED,
    "a timeout": {"type": "platform.report", "record": {"requestId": "r-1", "status": "timeout"}},
    "out of memory": {"type": "platform.report", "record": OUT_OF_MEMORY},
} | {
    f"{field} {level}": {field: level, "msg": "no price"}
    for field in ("level", "log_level", "severity", "levelname")
    for level in ("ERROR", "CRITICAL", "FATAL", "error", "critical", "fatal")
}
IN_JSON |= {f"level {level}, as pino writes it": {"level": level, "msg": "no price"} for level in (50, 60)}
IN_TEXT = {
    "an ERROR line": "[ERROR]\t2026-11-21T08:00:00.000Z\tr-1\tno price",
    "a CRITICAL line": "[CRITICAL]\t2026-11-21T08:00:00.000Z\tr-1\tno price",
    "a traceback": TRACEBACK,
    "a timeout": "2026-11-21T08:00:00.000Z r-1 Task timed out after 3.00 seconds",
    "a crash": "RequestId: r-1 Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
}
TELL_OF_NOTHING = {
    "a start": "START RequestId: r-1 Version: $LATEST",
    "a report": "REPORT RequestId: r-1\tDuration: 3.00 ms\tBilled Duration: 4 ms",
    "a report in JSON": '{"type": "platform.report", "record": {"requestId": "r-1", "status": "success"}}',
    "a start in JSON": '{"type": "platform.start", "record": {"requestId": "r-1"}}',
    "an INFO line": '{"level": "INFO", "message": "an order is placed"}',
    "a WARNING line": '{"level": "WARNING", "message": "an error, but handled"}',
    "a metric": '{"_aws": {"CloudWatchMetrics": []}, "ErrorType": "ValueError", "ErrorCount": 1}',
    "a level that is an object": '{"level": {"name": "ERROR"}}',
    "text that is nearly JSON": '{"level": "ERROR"',
}


def filters_of(line: str) -> list[str]:
    """Return the names of the filters that let a line through."""
    return [name for name, pattern in PATTERNS.items() if lets_through(pattern, line)]


def told(line: str) -> list[Occurrence]:
    """Return what a watcher reads of a line, in all deliveries of it."""
    lines = (LogLine("1", datetime(2026, 11, 21, tzinfo=UTC), line),)
    deliveries = [Delivery("group", "stream", (name,), lines, f"batch of {name}") for name in filters_of(line)]
    return [occurrence for delivery in deliveries for occurrence in read(delivery, "prod")]


@pytest.fixture
def pipeline_event(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a worker writes of a failure, which is of the level ERROR."""
    monkeypatch.setattr(logging.Logger.manager, "loggerDict", {})
    PipelineLog(function="shop-transform", stage="prod", release="1").write(RECORD_FAILED)
    line = capsys.readouterr().out.rstrip()
    assert json.loads(line)["level"] == "ERROR"
    return line


def test_the_pipeline_log_has_two_which_is_as_many_as_it_can_have() -> None:
    assert {target(one["LogGroupName"]) for one in FILTERS.values()} == {"PipelineLogs"}
    assert {target(one["DestinationArn"]) for one in FILTERS.values()} == {"WatchFunction"}
    assert len(FILTERS) == 2


def test_each_has_the_name_by_which_a_watcher_knows_it() -> None:
    names = {name: one["FilterName"] for name, one in FILTERS.items()}
    assert names == {"PipelineEventsFilter": PIPELINE_EVENTS, "FailuresFilter": FAILURES}
    assert PATTERNS.keys() == {PIPELINE_EVENTS, FAILURES}


@each(PATTERNS)
def test_a_pattern_is_not_too_long(name: str) -> None:
    assert len(PATTERNS[name]) <= MAX_PATTERN


def test_a_pipeline_event_is_let_through_by_one_of_them(pipeline_event: str) -> None:
    """Its level is that of an error, and still it is no failure besides."""
    assert filters_of(pipeline_event) == [PIPELINE_EVENTS]
    assert len(told(pipeline_event)) == 1


@each(IN_JSON)
def test_a_failure_in_json_is_told_of_once(name: str) -> None:
    """Where its text quotes what the other filter looks for, both let it through."""
    line = json.dumps(IN_JSON[name])
    assert FAILURES in filters_of(line)
    assert len(told(line)) == 1


@each(IN_TEXT)
def test_a_failure_in_text_is_told_of_once(name: str) -> None:
    assert filters_of(IN_TEXT[name]) == [PIPELINE_EVENTS]
    assert len(told(IN_TEXT[name])) == 1


@each(TELL_OF_NOTHING)
def test_what_tells_of_no_failure_is_let_through_by_none(name: str) -> None:
    assert filters_of(TELL_OF_NOTHING[name]) == []


def test_the_local_aws_is_given_one_term() -> None:
    """It wants all terms to be in a line, where AWS wants any of those with a question mark."""
    assert LOCAL_PATTERN == '"pipeline_event"'
    assert FILTERS["PipelineEventsFilter"]["FilterPattern"]["Fn::If"][0] == "IsLocal"


@each(FILTERS)
def test_each_may_invoke_the_watcher_before_it_is_made(name: str) -> None:
    """CloudWatch Logs tries, and takes no filter that it may not deliver by."""
    assert RESOURCES[name]["DependsOn"] == "WatchPermission"
    assert RESOURCES["WatchPermission"]["Properties"] == {
        "FunctionName": {"Ref": "WatchFunction"},
        "Action": "lambda:InvokeFunction",
        "Principal": "logs.amazonaws.com",
        "SourceArn": {"Fn::GetAtt": ["PipelineLogs", "Arn"]},
        "SourceAccount": {"Ref": "AWS::AccountId"},
    }
