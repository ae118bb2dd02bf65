from __future__ import annotations

import json
import re
import string
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.delivery import Delivery, LogLine
from backstop.fingerprint import Surroundings, fingerprint
from backstop.kinds import Kind
from backstop.lines import FAILURES, PIPELINE_EVENTS, read
from backstop.occurrence import Occurrence, Severity
from backstop.tracebacks import HEADER
from tests.backstop import MARKER, NOW

STREAM = "2026/01/01/shop-process[$LATEST]0a1b2c"
REQUEST = "5c1b2c1e-8d5e-4b7a-9a51-0a1b2c3d4e5f"
ANOTHER = "6c1b2c1e-8d5e-4b7a-9a51-0a1b2c3d4e5f"
TRACEBACK = """Traceback (most recent call last):
  File "/var/task/app.py", line 3, in handler
    place(order)
  File "/var/task/shop/place.py", line 8, in place
    raise ValueError(order)
ValueError: no price for 'tea'"""
EVENT = {
    "level": "WARNING",
    "message": "failed: Retry",
    "function": "shop-place",
    "stage": "prod",
    "release": "r1",
    "request_id": REQUEST,
    "pipeline_event": "failed",
    "verdict": "Retry",
    "event_id": "order-1",
    "attempt": 2,
    "max_attempts": 6,
    "key": "tenant-7",
    "queue": "shop-retry",
    "source_queue": "shop-events",
    "redrive_id": "r-1",
    "kind": "transient",
    "group": "0123456789abcdef",
    "error_type": "NoPrice",
    "error": "no price for <quoted>",
    "where": "shop.place:place",
    "next_at": "2026-01-01T12:00:05.000+00:00",
    "fingerprint": [["version", "2"], ["type", "NoPrice"], ["frame", "shop.place:place"]],
}
LOGGED = {"level": "ERROR", "message": "it failed", "function_request_id": REQUEST, "exception_name": "ValueError"} | {
    "exception": TRACEBACK
}
UNHANDLED = {
    "log_level": "ERROR",
    "errorType": "ValueError",
    "errorMessage": "no price for 'tea'",
    "requestId": REQUEST,
    "stackTrace": [
        '  File "/var/task/app.py", line 3, in handler\n    place(order)\n',
        '  File "/var/task/shop/place.py", line 8, in place\n    raise ValueError(order)\n',
    ],
}
UNHANDLED_TEXT = (
    "[ERROR] ValueError: no price for 'tea'\rTraceback (most recent call last):\r"
    '\u00a0\u00a0File "/var/task/app.py", line 3, in handler\r\u00a0\u00a0\u00a0\u00a0place(order)\n'
)
LOGGED_TEXT = f"[ERROR]\t2026-01-01T12:00:00.123Z\t{REQUEST}\tit failed\n{TRACEBACK}\n"
TIMED_OUT = f"2026-01-01T12:00:00.123Z {REQUEST} Task timed out after 3.00 seconds\n\n"
KILLED = f"RequestId: {REQUEST} Error: Runtime exited with error: signal: killed\nRuntime.ExitError"


def delivery(*lines: object, filters: Sequence[str] = (), stream: str = STREAM, group: str = "shop-logs") -> Delivery:
    """Return a delivery of lines: a text as it is, anything else as JSON."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    found = tuple(LogLine(str(number), NOW, text) for number, text in enumerate(texts))
    return Delivery(group, stream, tuple(filters), found, "b")


def told(*lines: object, **details: Any) -> list[Occurrence]:
    return read(delivery(*lines, **details), "test")


def of(line: object) -> Occurrence:
    """Return what one line tells of."""
    [occurrence] = told(line)
    return occurrence


def report(**record: object) -> dict[str, object]:
    return {"time": "2026-01-01T12:00:00Z", "type": "platform.report", "record": {"requestId": REQUEST} | record}


class TestPipelineEvents:
    def test_are_read_as_they_were_written(self) -> None:
        assert of(EVENT) == Occurrence(
            line="0",
            at=NOW,
            group="0123456789abcdef",
            kind=Kind.TRANSIENT,
            error_type="NoPrice",
            error="no price for <quoted>",
            where="shop.place:place",
            function="shop-place",
            stage="prod",
            release="r1",
            verdict="Retry",
            event_id="order-1",
            key="tenant-7",
            queue="shop-retry",
            source_queue="shop-events",
            attempt=2,
            max_attempts=6,
            next_at="2026-01-01T12:00:05.000+00:00",
            request_id=REQUEST,
            redrive_id="r-1",
            parts=(("version", "2"), ("type", "NoPrice"), ("frame", "shop.place:place")),
        )

    @pytest.mark.parametrize("verdict", ["Retry", "Park", "Dead", "ProcessingFailed"])
    def test_of_each_verdict_are_failures(self, verdict: str) -> None:
        found = of(EVENT | {"verdict": verdict, "dead_because": "exhausted"})
        assert (found.verdict, found.dead_because, found.is_failure) == (verdict, "exhausted", True)

    @pytest.mark.parametrize(("name", "verdict"), [("recovered", "Done"), ("redriven", "Redriven")])
    def test_that_tell_of_the_end_of_a_failure_are_none(self, name: str, verdict: str) -> None:
        found = of(EVENT | {"pipeline_event": name, "verdict": "Dead"})
        assert (found.verdict, found.is_failure, found.event_id) == (verdict, False, "order-1")

    @pytest.mark.parametrize("verdict", ["Done", "Redriven", "", None, 5, ["Retry"]], ids=str)
    def test_that_failed_are_failures_whatever_verdict_they_name(self, verdict: object) -> None:
        found = of(EVENT | {"verdict": verdict})
        assert (found.verdict, found.is_failure) == ("", True)

    @pytest.mark.parametrize("name", ["circuit", "", "other", None, 5, ["failed"]], ids=str)
    def test_of_other_names_tell_of_nothing(self, name: object) -> None:
        assert told(EVENT | {"pipeline_event": name, "level": "ERROR"}) == []

    @pytest.mark.parametrize("group", [None, "", "g123", "0123456789ABCDEF", "0123456789abcdef0", 5, ["x"]], ids=str)
    def test_that_failed_without_a_group_are_given_one(self, group: object) -> None:
        found = [of(EVENT | {"group": group, "error": error}) for error in ("a", "a", "b")]
        assert all(re.fullmatch("[0-9a-f]{16}", one.group) for one in found)
        assert found[0].group == found[1].group != found[2].group
        assert ("message", "a") in found[0].parts

    def test_that_recovered_without_a_group_have_none(self) -> None:
        assert of({"pipeline_event": "recovered", "event_id": "a"}).group == ""

    @pytest.mark.parametrize("value", [None, 5, True, ["a"], {"a": 1}, "\ud800", "a\nb", "x" * 100_000], ids=ascii)
    @pytest.mark.parametrize("name", sorted(EVENT.keys() - {"pipeline_event"}))
    def test_are_read_whatever_a_field_holds(self, name: str, value: object) -> None:
        found = of(EVENT | {name: value})
        assert (found.line, found.at) == ("0", NOW)
        assert_bounded(found)

    @pytest.mark.parametrize(("given", "kept"), [(-1, 0), (10**12, 1_000_000), (True, 0), (2.5, 0), ("2", 0)])
    def test_count_what_can_be_counted(self, given: object, kept: int) -> None:
        assert of(EVENT | {"attempt": given}).attempt == kept

    @pytest.mark.parametrize(
        "parts",
        [{}, "x", [5], [["a"]], [["a", 5]], [["a", "b", "c"]], [["a", "b"], None], [["a b", "c"]]],
        ids=str,
    )
    def test_with_strange_parts_have_none(self, parts: object) -> None:
        assert of(EVENT | {"fingerprint": parts}).parts == ()

    def test_of_a_line_without_circumstances_are_of_the_log_stream_and_the_watchers_stage(self) -> None:
        found = of({"pipeline_event": "failed"})
        assert (found.function, found.stage) == ("shop-process", "test")


class TestErrorLines:
    def test_with_a_traceback_tell_of_what_was_raised(self) -> None:
        found = of(LOGGED)
        assert (found.error_type, found.error) == ("ValueError", "no price for <quoted>")
        assert (found.where, found.kind, found.request_id) == ("shop.place:place", Kind.PERMANENT, REQUEST)
        assert (found.verdict, found.severity, found.is_crash) == ("", Severity.ERROR, False)

    def test_are_in_the_group_that_the_error_itself_would_be_in(self) -> None:
        known = Surroundings(kind="permanent", function="shop-process", stage="test")
        frames = ["app:handler", "shop.place:place"]
        assert of(LOGGED).group == fingerprint(ValueError(), "", frames, known).group

    @pytest.mark.parametrize(
        ("line", "error_type", "error"),
        [
            pytest.param(UNHANDLED, "ValueError", "no price for <quoted>", id="Lambda's own, in JSON"),
            pytest.param(UNHANDLED_TEXT, "ValueError", "no price for <quoted>", id="Lambda's own, in text"),
            pytest.param(LOGGED_TEXT, "ValueError", "no price for <quoted>", id="a logger's, in text"),
            pytest.param(TRACEBACK, "ValueError", "no price for <quoted>", id="a traceback by itself"),
            pytest.param(f"{HEADER}:\n", "", HEADER, id="the start of one"),
            pytest.param({"level": "CRITICAL", "message": "no disk"}, "", "no disk", id="critical"),
            pytest.param({"severity": "FATAL", "msg": "no disk"}, "", "no disk", id="fatal"),
            pytest.param({"level": "error", "event": "no disk"}, "", "no disk", id="structlog"),
            pytest.param({"level": 50, "msg": "no disk"}, "", "no disk", id="pino"),
            pytest.param(
                {"level": "error", "msg": "m", "err": {"type": "TypeError", "message": "x is 5", "stack": "at f"}},
                "TypeError", "x is <number>", id="an error within",
            ),
            pytest.param(
                {"level": "ERROR", "message": {"errorType": "TypeError", "errorMessage": "x is 5", "stackTrace": []}},
                "TypeError", "x is <number>", id="Lambda's own for Node",
            ),
            pytest.param(
                {"level": "error", "event": "e", "exception": [{"exc_type": "OSError", "exc_value": "no disk"}]},
                "OSError", "no disk", id="structlog's errors as lists",
            ),
            pytest.param({"errorType": "Odd", "errorMessage": "m", "stackTrace": []}, "Odd", "m", id="without a level"),
            pytest.param(f"[ERROR]\t2026-01-01T12:00:00.123Z\t{REQUEST}\tno disk\n", "", "no disk", id="an ERROR line"),
            pytest.param("2026-01-01 12:00:00 [ERROR] shop: no disk", "", "shop: no disk", id="of another form"),
            pytest.param(
                f"[ERROR] Runtime.ImportModuleError: Unable to import module 'app': x\r{HEADER}:",
                "ImportModuleError", "Unable to import module <quoted>: x", id="that did not start",
            ),
            pytest.param(
                {"level": "ERROR", "message": "left to SQS", "service": "backstop", "why": "AccessDenied"},
                "", "left to SQS: AccessDenied", id="our own",
            ),
        ],
    )  # fmt: skip
    def test_of_many_forms_are_understood(self, line: object, error_type: str, error: str) -> None:
        found = of(line)
        assert (found.error_type, found.error) == (error_type, error)
        assert (found.function, found.stage, found.is_failure) == ("shop-process", "test", True)
        assert re.fullmatch("[0-9a-f]{16}", found.group)

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param("START RequestId: x Version: $LATEST", id="plain text"),
            pytest.param("", id="empty"),
            pytest.param({"level": "INFO", "message": "Traceback (most recent call last)"}, id="INFO"),
            pytest.param({"level": "WARNING", "exception": TRACEBACK}, id="a warning"),
            pytest.param(f"[WARNING]\t2026-01-01T12:00:00.123Z\t{REQUEST}\tm\n{TRACEBACK}", id="a warning in text"),
            pytest.param("[INFO] the level [ERROR] is read", id="a level that is spoken of"),
            pytest.param({"level": ["ERROR"]}, id="a level that is none"),
            pytest.param({"message": "ERROR"}, id="no level"),
            pytest.param([{"level": "ERROR"}], id="a list"),
            pytest.param({"_aws": {}, "ErrorCount": 5}, id="a metric"),
            pytest.param({"type": "platform.start", "record": {}}, id="a start"),
            pytest.param(
                "the job: Task timed out after 3.00 seconds of waiting for it", id="a timeout that is spoken of"
            ),
        ],
    )
    def test_are_not_what_tells_of_no_failure(self, line: object) -> None:
        assert told(line) == []

    @pytest.mark.parametrize(
        ("error_type", "message", "kind"),
        [
            ("ModuleNotFoundError", "", Kind.SYSTEM),
            ("JSONDecodeError", "", Kind.PERMANENT),
            ("ConnectionResetError", "", Kind.TRANSIENT),
            ("StoreUnavailable", "", Kind.SYSTEM),
            ("MalformedEvent", "", Kind.PERMANENT),
            ("NotPutBack", "", Kind.TRANSIENT),
            ("Runtime.HandlerNotFound", "", Kind.SYSTEM),
            ("botocore.errorfactory.ResourceNotFoundException", "", Kind.SYSTEM),
            ("ClientError", "An error occurred (SlowDown) when calling the GetObject operation", Kind.TRANSIENT),
            ("Exception", "", Kind.UNKNOWN),
            ("OutOfStock", "", Kind.UNKNOWN),
            ("print", "", Kind.UNKNOWN),
        ],
    )
    def test_have_the_kind_that_the_name_of_their_type_says(self, error_type: str, message: str, kind: Kind) -> None:
        assert of(UNHANDLED | {"errorType": error_type, "errorMessage": message}).kind is kind

    def test_of_one_way_through_own_code_are_told_of_with_one_text(self) -> None:
        first, second = told(LOGGED, LOGGED | {"exception": TRACEBACK.replace("no price", "no stock")})
        assert (first.group, first.error) == (second.group, second.error)

    @pytest.mark.parametrize(
        ("stream", "group", "function"),
        [
            (STREAM, "shop-logs", "shop-process"),
            ("2026/01/01/[$LATEST]0a1b2c", "/aws/lambda/shop-mail", "shop-mail"),
            ("2026/01/01/[$LATEST]0a1b2c", "shop-logs", ""),
            ("", "", ""),
        ],
    )
    def test_are_of_the_function_whose_log_it_is(self, stream: str, group: str, function: str) -> None:
        [found] = told(TRACEBACK, stream=stream, group=group)
        assert found.function == function

    @pytest.mark.parametrize("name", ["function", "function_name"])
    def test_are_of_the_function_that_they_name(self, name: str) -> None:
        assert of(LOGGED | {name: "shop-mail"}).function == "shop-mail"


class TestCrashes:
    @pytest.mark.parametrize(
        ("line", "error_type"),
        [
            pytest.param(TIMED_OUT, "Timeout", id="timeout, in text"),
            pytest.param("Task timed out after 3.00 seconds", "Timeout", id="timeout, nothing else"),
            pytest.param(KILLED, "Exit", id="killed"),
            pytest.param(KILLED.replace("signal: killed", "exit status 1"), "Exit", id="exit"),
            pytest.param(KILLED.replace("ExitError", "OutOfMemory"), "OutOfMemory", id="out of memory, in text"),
            pytest.param("REPORT RequestId: x\tDuration: 3 ms\tStatus: timeout", "Timeout", id="timeout, in a report"),
            pytest.param(
                "REPORT RequestId: x\tDuration: 3 ms\tStatus: error\tError Type: Runtime.OutOfMemory",
                "OutOfMemory", id="out of memory, in a report",
            ),
            pytest.param(report(status="timeout"), "Timeout", id="timeout, in JSON"),
            pytest.param(
                report(status="error", errorType="Runtime.OutOfMemory"), "OutOfMemory", id="out of memory, in JSON"
            ),
            pytest.param(report(status="error", errorType="Runtime.ExitError"), "Exit", id="exit, in JSON"),
            pytest.param(UNHANDLED | {"errorType": "Runtime.ExitError"}, "Exit", id="exit, in an ERROR line"),
        ],
    )  # fmt: skip
    def test_are_failures_of_the_system(self, line: object, error_type: str) -> None:
        found = of(line)
        assert (found.error_type, found.is_crash, found.kind) == (error_type, True, Kind.SYSTEM)
        assert found.severity is Severity.CRITICAL
        assert found.error

    @pytest.mark.parametrize(
        "record",
        [
            {"status": "success"},
            {"status": "error", "errorType": "ValueError"},
            {"status": "failure"},
            {"status": ["timeout"]},
            {},
        ],
        ids=str,
    )
    def test_are_not_what_the_function_raised_itself(self, record: dict[str, object]) -> None:
        assert told(report(**record)) == []

    def test_of_one_sort_are_one_group_whichever_line_tells_of_them(self) -> None:
        assert len({of(line).group for line in (TIMED_OUT, report(status="timeout"))}) == 1
        assert len({of(line).group for line in (KILLED, KILLED.replace("signal: killed", "exit status 1"))}) == 1

    def test_are_told_of_once_a_request(self) -> None:
        lines = [TIMED_OUT, report(status="timeout"), report(status="timeout", requestId=ANOTHER)]
        assert [found.request_id for found in told(*lines)] == [REQUEST, ANOTHER]

    def test_of_nobody_knows_which_request_are_each_told_of(self) -> None:
        assert len(told(*["Task timed out after 3.00 seconds"] * 2)) == 2


class TestNothingIsToldOfTwice:
    @pytest.mark.parametrize(
        "lines",
        [
            pytest.param([LOGGED, UNHANDLED], id="in JSON"),
            pytest.param([LOGGED_TEXT, UNHANDLED_TEXT], id="in text"),
            pytest.param([LOGGED, UNHANDLED_TEXT], id="in both"),
            pytest.param([LOGGED | {"function_request_id": ""}, UNHANDLED], id="by a logger that knows no request"),
        ],
    )
    def test_by_the_function_and_by_lambda(self, lines: list[object]) -> None:
        assert [found.line for found in told(*lines)] == ["0"]

    @pytest.mark.parametrize(
        "lines",
        [
            pytest.param([LOGGED, LOGGED], id="a function tells of two messages of a batch"),
            pytest.param([UNHANDLED, UNHANDLED], id="Lambda tells of two attempts"),
            pytest.param([LOGGED, UNHANDLED | {"requestId": ANOTHER}], id="of two requests"),
            pytest.param([LOGGED, UNHANDLED | {"errorType": "KeyError"}], id="of two types"),
            pytest.param([LOGGED, UNHANDLED_TEXT.replace("tea", "tea'").replace("price", "stock")], id="of two texts"),
            pytest.param([UNHANDLED, LOGGED], id="the function goes on in the next call"),
        ],
    )
    def test_but_two_failures_are(self, lines: list[object]) -> None:
        assert len(told(*lines)) == 2

    def test_and_what_lambda_tells_of_later_is_of_another_call(self) -> None:
        assert len(told(LOGGED, UNHANDLED, UNHANDLED)) == 2

    LINES = (EVENT, LOGGED, report(status="timeout", requestId=ANOTHER), TRACEBACK, KILLED)

    def test_by_two_filters(self) -> None:
        """What both filters let through of one log is told of once in all."""
        by_filter = [
            [found.line for found in told(*self.LINES, filters=[name])] for name in (PIPELINE_EVENTS, FAILURES)
        ]
        assert by_filter[0] == ["0", "3", "4"]
        assert by_filter[1][:2] == ["1", "2"]

    def test_and_a_filter_of_any_other_name_tells_of_everything(self) -> None:
        for filters in ([], ["all"], [PIPELINE_EVENTS, FAILURES]):
            assert len(told(*self.LINES, filters=filters)) == len(self.LINES)


WRITER = """
from aws_lambda_powertools import Logger
from backstop.aws.logs import PipelineLog
from backstop.kinds import Kind
from backstop.report import Report, describe
from tests.backstop import message

def refuse():
    raise ValueError("no price for 'tea'")

log = PipelineLog(function="shop-transform", stage="prod", release="r1")
log.begin("5c1b2c1e-8d5e-4b7a-9a51-0a1b2c3d4e5f")
try:
    refuse()
except ValueError as error:
    described = describe(error, {root!r})
    log.write(Report.unprocessed("49546", "click-1", 2, "clicks", Kind.PERMANENT, described))
    Logger(service="shop").exception("it failed")
log.left_to_sqs(message("a"), "it cannot be sent")
log.not_woken(3, "they will be")
log.put_back("clicks", 3)
print(described.group)
"""


def test_what_is_really_written_is_really_read() -> None:
    """The lines are Powertools' own, so that no form is only imagined here."""
    run = subprocess.run([sys.executable, "-c", WRITER.format(root="/")], capture_output=True, text=True, check=True)
    *lines, group = run.stdout.splitlines()
    failed, logged, left = told(*lines)
    assert (failed.verdict, failed.event_id, failed.attempt) == ("ProcessingFailed", "click-1", 2)
    assert (failed.function, failed.stage, failed.release, failed.request_id) == (
        "shop-transform",
        "prod",
        "r1",
        REQUEST,
    )
    assert (failed.error_type, failed.error, failed.kind) == ("ValueError", "no price for <quoted>", Kind.PERMANENT)
    assert (failed.group, failed.parts[1]) == (group, ("type", "ValueError"))
    assert (logged.error_type, logged.error, logged.function) == ("ValueError", "no price for <quoted>", "shop-process")
    assert (left.error, left.function) == ("left to SQS: it cannot be sent", "shop-transform")


MOST = {"event_id": 256, "key": 256, "request_id": 256, "error": 512, "where": 257} | dict.fromkeys(
    ("group", "error_type", "next_at", "verdict"), 64
)
"""Characters that a text may have; any other one 140."""


def assert_bounded(occurrence: Occurrence) -> None:
    for field in fields(occurrence):
        value = getattr(occurrence, field.name)
        if isinstance(value, str):
            assert len(value) <= MOST.get(field.name, 140), field.name
    assert len(occurrence.parts) <= 20
    assert all(len(name) <= 140 and len(value) <= 200 for name, value in occurrence.parts)


WORDS = st.text(string.ascii_letters + string.digits, min_size=12, max_size=24)
FORMS = ["password={0}", "{0}@example.com", "Bearer {0}{0}", "sk_live_{0}", "https://user:{0}@example.com/"]


def secrets(*forms: str) -> st.SearchStrategy[tuple[str, str]]:
    """Return secrets, each with a text that has it."""
    return st.tuples(WORDS, st.sampled_from(forms)).map(lambda found: (found[0], found[1].format(found[0])))


TEXTS = st.sampled_from(
    [
        "{}",
        "[ERROR] {}",
        f"[ERROR]\t2026-01-01T12:00:00.123Z\t{REQUEST}\tno price: {{}}",
        "[ERROR] ValueError: {}\rTraceback (most recent call last):\r",
        TRACEBACK.replace("no price for 'tea'", "{}"),
        "RequestId: x Error: Runtime exited with error: {}",
    ]
)
FIELDS = st.sampled_from(
    ["error", "event_id", "key", "message", "errorMessage", "errorType", "exception", "msg", "err", "why", "error_type",
     "release", "queue", "request_id", "requestId", "function", "stage", "group", "verdict", "next_at", "redrive_id"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(), inner, max_size=3),
    max_leaves=8,
)
BASES = st.sampled_from([EVENT, LOGGED, UNHANDLED, report(status="timeout"), {"level": "error"}])


@given(st.lists(st.text() | VALUES | st.builds(lambda base, more: base | more, BASES, st.dictionaries(FIELDS, VALUES))))
def test_any_lines_are_read(lines: list[object]) -> None:
    for found in told(*lines):
        assert_bounded(found)


@given(secrets(*FORMS, "it is '{0}'", 'it is "{0}"'), TEXTS)
def test_no_secret_of_a_text_is_told(secret: tuple[str, str], text: str) -> None:
    word, quoted = secret
    assert word.lower() not in str(told(text.replace("{}", quoted))).lower()


@settings(max_examples=1000)  # of each form in each field of each line
@given(secrets(*FORMS), BASES, FIELDS)
def test_no_secret_of_a_field_is_told(secret: tuple[str, str], base: dict[str, object], name: str) -> None:
    word, quoted = secret
    assert word.lower() not in str(told(base | {name: quoted})).lower()
    assert word.lower() not in str(told(base | {name: {"message": quoted, "name": quoted}})).lower()


@pytest.mark.parametrize("name", ["message", "type", "fingerprint"])
def test_no_secret_of_a_part_is_told(name: str) -> None:
    parts = [[name, f"password={MARKER}"]]
    assert MARKER not in str(of(EVENT | {"fingerprint": parts}))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("{" * 250_000, id="JSON that is nested too deep"),
        pytest.param('{"a":' * 50_000, id="objects"),
        pytest.param("[ERROR]\t" + "a" * 250_000, id="a word"),
        pytest.param("[" * 250_000, id="brackets"),
        pytest.param("REPORT RequestId: x\t" + "\tStatus: " * 25_000, id="a report"),
        pytest.param("RequestId: " * 20_000, id="requests"),
        pytest.param("2026-01-01 " * 20_000, id="moments"),
        pytest.param('{"level":"ERROR","message":"' + "'" * 250_000 + '"}', id="quotation marks"),
    ],
)
def test_a_hostile_line_costs_the_others_nothing(line: str) -> None:
    assert of_the_last(line).error_type == "ValueError"


def of_the_last(line: str) -> Occurrence:
    return told(line, TRACEBACK)[-1]
