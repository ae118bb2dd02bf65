from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from backstop.aws.logs import PipelineLog
from backstop.circuits.report import CircuitReport
from backstop.errors import StoreUnavailable
from backstop.report import Report
from tests.backstop import MARKER, message, string

FAILED = Report(
    pipeline_event="failed",
    verdict="Retry",
    event_id="order-1",
    attempt=1,
    max_attempts=6,
    queue="events",
    source_queue="events",
    kind="transient",
    error="line one\nline two",
)


@pytest.fixture(autouse=True)
def no_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget Powertools' logger: there is one a service, bound to the standard output of its first use."""
    monkeypatch.setattr(logging.Logger.manager, "loggerDict", {})


def begun(request_id: str) -> PipelineLog:
    log = PipelineLog(function="shop-process", stage="prod", release="1.2.3")
    log.begin(request_id)
    return log


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_pipeline_event_is_one_line_with_its_circumstances(capsys: pytest.CaptureFixture[str]) -> None:
    begun("request-1").write(FAILED)
    (line,) = written(capsys)
    assert FAILED.fields().items() <= line.items()
    assert line["message"] == "failed: Retry"
    assert (line["function"], line["stage"], line["release"]) == ("shop-process", "prod", "1.2.3")
    assert line["request_id"] == "request-1"
    assert line.keys().isdisjoint({"next_at", "redrive_id", "key"})


@pytest.mark.parametrize(
    ("verdict", "level"),
    [("Done", "INFO"), ("Retry", "WARNING"), ("Park", "WARNING"), ("Dead", "ERROR"), ("ProcessingFailed", "ERROR")],
)
def test_its_level_is_that_of_the_verdict(capsys: pytest.CaptureFixture[str], verdict: str, level: str) -> None:
    begun("request-1").write(Report("failed", verdict, "a", 1))
    assert written(capsys)[0]["level"] == level


def test_each_line_names_its_own_invocation(capsys: pytest.CaptureFixture[str]) -> None:
    log = begun("request-0")
    for request_id in ("request-1", "request-2"):
        log.begin(request_id)
        log.write(FAILED)
    assert [line["request_id"] for line in written(capsys)] == ["request-1", "request-2"]


def test_one_event_leaves_nothing_in_the_next_ones_line(capsys: pytest.CaptureFixture[str]) -> None:
    log = begun("request-1")
    log.write(FAILED)
    log.write(Report("recovered", "Done", "order-2", 2))
    assert written(capsys)[1].keys().isdisjoint({"error", "kind", "source_queue"})


def test_a_message_that_stays_is_told_without_its_payload(capsys: pytest.CaptureFixture[str]) -> None:
    begun("request-1").left_to_sqs(message("a", body=MARKER, attributes={"shop": string(MARKER)}), "no room")
    (line,) = written(capsys)
    told = {"level": "ERROR", "message_id": "m-a", "queue": "events", "why": "no room", "request_id": "request-1"}
    assert told.items() <= line.items()
    assert MARKER not in json.dumps(line)


def test_records_put_back_are_a_warning_that_says_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    """No failure, and so no pipeline event: nobody is to be woken by it."""
    begun("request-1").put_back("clicks", 470)
    (line,) = written(capsys)
    told = {"level": "WARNING", "stream": "clicks", "records": 470, "request_id": "request-1", "stage": "prod"}
    assert told.items() <= line.items()
    assert "pipeline_event" not in line


def test_keys_that_were_not_woken_are_a_warning_that_says_how_many_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    begun("request-1").not_woken(10, "AccessDenied")
    (line,) = written(capsys)
    told = {"level": "WARNING", "keys": 10, "why": "AccessDenied", "request_id": "request-1"}
    assert told.items() <= line.items()
    assert "pipeline_event" not in line


@pytest.mark.parametrize(("after", "level"), [("OPEN", "ERROR"), ("HALF_OPEN", "INFO"), ("CLOSED", "INFO")])
def test_a_circuit_that_turns_is_one_line(capsys: pytest.CaptureFixture[str], after: str, level: str) -> None:
    report = CircuitReport("payments", "CLOSED", after, 3, "5 calls in a row failed")
    begun("request-1").write_circuit(report)
    (line,) = written(capsys)
    assert report.fields().items() <= line.items()
    assert (line["level"], line["message"]) == (level, f"circuit: payments is {after}")
    assert (line["function"], line["request_id"]) == ("shop-process", "request-1")


def test_that_circuits_are_not_known_is_said_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    begun("request-1").not_counted(StoreUnavailable("no answer: token=abc123"))
    (line,) = written(capsys)
    assert (line["level"], line["why"]) == ("WARNING", "no answer: token=[redacted]")
