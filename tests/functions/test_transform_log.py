"""What the stream's function prints, through the real app.py: a line a failure, metrics, and never a payload."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from backstop import PermanentError, SystemFault, TransientError
from tests.fakes.handler import Event
from tests.stream_lane import FUNCTION, STREAM, StreamLane, verdicts

MARKER = "Zyxwvut"
"""What nobody may read in a log line: it stands in payloads only."""


class TestTheLog:
    def test_has_no_line_for_a_batch_in_which_all_goes_well(self, stream: StreamLane) -> None:
        stream.handler.will("dropped", lambda click: None)
        stream.put(*[stream.click() for _ in range(100)], stream.click("dropped"))
        stream.run()
        assert len(stream.stored()) == 100
        assert stream.worker.printed() == ""

    def test_has_exactly_one_pipeline_event_for_each_record_that_failed(self, stream: StreamLane) -> None:
        errors = [TransientError("t"), PermanentError("p"), SystemFault("s"), RuntimeError("u")]
        for error in errors:
            stream.handler.will(type(error).__name__, error)
            stream.put(stream.click(), stream.click(type(error).__name__))
        stream.put(b"no JSON")
        stream.run()
        reports = stream.worker.reports()
        assert [(report["pipeline_event"], report["verdict"]) for report in reports] == [
            ("failed", "ProcessingFailed")
        ] * 5
        assert [(report.get("event_id"), report["kind"]) for report in reports] == [
            ("TransientError", "transient"),
            ("PermanentError", "permanent"),
            ("SystemFault", "system"),
            ("RuntimeError", "unknown"),
            (None, "permanent"),
        ]

    def test_says_of_a_failure_what_a_person_needs(self, stream: StreamLane) -> None:
        stream.handler.will("a", TransientError("no price for 'tea'"))
        stream.put(stream.click("a"))
        stream.run()
        [report] = stream.worker.reports()
        [record] = stream.invocations[0].event["records"]
        expected = {
            "level": "ERROR",
            "pipeline_event": "failed",
            "verdict": "ProcessingFailed",
            "kind": "transient",
            "error_type": "TransientError",
            "error": "no price for <quoted>",
            "event_id": "a",
            "attempt": 1,
            "stream": STREAM,
            "record_id": record["recordId"],
            "function": FUNCTION,
            "stage": "test",
            "release": "r1",
        }
        assert {name: report.get(name) for name in expected} == expected
        assert report["group"]
        assert report["request_id"]

    def test_says_where_in_the_teams_own_code_it_failed(self, clicks: StreamLane) -> None:
        clicks.put(clicks.click(at="0001-01-01T00:00:00+01:00"))
        clicks.run()
        [report] = clicks.worker.reports()
        assert (report["error_type"], report["where"]) == ("OverflowError", "handler:transform")

    def test_names_the_groups_of_like_failures_alike(self, stream: StreamLane) -> None:
        for number, text in enumerate(["no price for 'tea'", "no price for 'rice'", "the shop is closed"]):
            stream.handler.will(f"e{number}", TransientError(text))
            stream.put(stream.click(f"e{number}"))
        stream.run()
        groups = {report["event_id"]: report["group"] for report in stream.worker.reports()}
        assert groups["e0"] == groups["e1"] != groups["e2"]

    def test_names_the_invocation_that_it_comes_from(self, stream: StreamLane) -> None:
        for _ in range(2):
            stream.put(b"no JSON", b"no JSON")
            stream.run()
        first, second, third, fourth = [report["request_id"] for report in stream.worker.reports()]
        assert first == second != third == fourth

    @pytest.mark.parametrize(
        "error",
        [
            pytest.param(lambda click: KeyError(click["page"]), id="KeyError"),
            pytest.param(lambda click: ValueError(f"bad page {click['page']!r}"), id="quoted with repr"),
            pytest.param(lambda click: ValueError(f"cannot store {click}"), id="the whole click in the text"),
            pytest.param(lambda click: RuntimeError(json.dumps(click)), id="the whole click as JSON"),
            pytest.param(lambda click: RuntimeError(click), id="the click itself"),
            pytest.param(lambda click: RuntimeError(click["email"]), id="an address"),
            pytest.param(lambda click: RuntimeError(click["page"]), id="a page"),
        ],
    )
    def test_never_quotes_what_an_error_quotes(self, stream: StreamLane, error: Callable[[Event], Exception]) -> None:
        click = stream.click(page=f"https://shop.example/{MARKER}", email=f"{MARKER}@example.com", more=[MARKER])
        stream.handler.will(click["id"], error(click))
        stream.put(click)
        stream.run()
        assert len(stream.worker.reports()) == 1
        assert MARKER not in stream.worker.printed()


class TestWhatGoesBack:
    def test_is_told_with_its_number_and_counted_but_no_failure(self, stream: StreamLane) -> None:
        take_turns(stream, [stream.click() for _ in range(3)])
        stream.run()
        lines = [line for line in stream.worker.lines() if line.get("message") == "put back on the stream"]
        assert [(line["level"], line["stream"], line["records"]) for line in lines] == [
            ("WARNING", STREAM, 2),
            ("WARNING", STREAM, 1),
        ]
        assert stream.worker.reports() == []
        assert verdicts(stream) == {"PutBack": 3}

    def test_is_never_quoted(self, stream: StreamLane) -> None:
        take_turns(stream, [stream.click(page=f"https://shop.example/{MARKER}") for _ in range(3)])
        stream.stream.refuses = lambda data: True
        stream.run()
        assert len(stream.worker.reports()) == 2
        assert MARKER not in stream.worker.printed()


class TestMetrics:
    def test_count_errors_by_type_and_records_by_verdict(self, stream: StreamLane) -> None:
        for number, error in enumerate([TransientError("t"), TransientError("u"), PermanentError("p"), None]):
            click = stream.click(f"e{number}")
            if error is not None:
                stream.handler.will(click["id"], error)
            stream.put(click)
        stream.run()
        errors = Counter(
            {line["ErrorType"]: line["ErrorCount"][0] for line in stream.worker.metrics() if "ErrorType" in line}
        )
        assert errors == {"TransientError": 2, "PermanentError": 1}
        assert verdicts(stream) == {"ProcessingFailed": 3}

    def test_of_one_batch_say_nothing_of_the_one_before(self, stream: StreamLane) -> None:
        for _ in range(2):
            stream.put(b"no JSON")
            stream.run()
        assert verdicts(stream) == {"ProcessingFailed": 2}

    def test_name_the_function_and_never_a_record(self, stream: StreamLane) -> None:
        stream.handler.will("a", TransientError("t"))
        stream.put(stream.click("a"), b"no JSON")
        stream.run()
        metrics = stream.worker.metrics()
        names = {
            name for [one] in [line["_aws"]["CloudWatchMetrics"] for line in metrics] for name in one["Dimensions"][0]
        }
        assert names == {"ErrorType", "Verdict", "Function"}
        hidden = {report["record_id"] for report in stream.worker.reports()} | {"a"}
        assert not hidden & {str(value) for line in metrics for value in line.values()}


def take_turns(stream: StreamLane, clicks: list[Event]) -> None:
    """Put clicks on the stream of which each takes so long that the invocation has no time for another."""

    def slowly(click: Event) -> Event:
        stream.clock.advance(timedelta(seconds=50))
        return click

    for click in clicks:
        stream.handler.will(click["id"], slowly)
    stream.put(*clicks)
