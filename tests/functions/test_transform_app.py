"""The sample event of the stream, as `sam local invoke` sends it, through the real app.py and handler.py."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

from backstop.aws.metrics import NAMESPACE
from tests.fakes.source import FakeContext
from tests.stream_lane import FUNCTION, STREAM, TIMEOUT, StreamLane, change_key

EVENT = json.loads((Path(__file__).parents[2] / "events" / "transform.json").read_text())
CUT_OFF = EVENT["records"][4]


def stored_by(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the lines that an answer puts into data/."""
    *lines, end = b64decode(answer["data"], validate=True).split(b"\n")
    assert end == b""
    return [json.loads(line) for line in lines]


def visitor_of(clicks: StreamLane) -> str:
    first, *_ = clicks.answer(EVENT)
    [stored] = stored_by(first)
    visitor: str = stored["visitor"]
    return visitor


class TestTheSampleEvent:
    def test_has_an_answer_for_each_record_once_and_in_order(self, clicks: StreamLane) -> None:
        answers = clicks.answer(EVENT)
        assert [answer["recordId"] for answer in answers] == [record["recordId"] for record in EVENT["records"]]
        assert [answer["result"] for answer in answers] == ["Ok", "Dropped", "Ok", "Ok", "ProcessingFailed"]

    def test_becomes_clicks_without_what_nobody_asked_for(self, clicks: StreamLane) -> None:
        first, _, third, fourth, _ = clicks.answer(EVENT)
        [click] = stored_by(first)
        assert len(click.pop("visitor")) == 64
        assert click == {
            "id": "click-1",
            "at": "2026-11-21T09:00:00.000+00:00",
            "host": "shop.example",
            "path": "/tea/earl-grey",
            "referrer": "search.example",
        }
        assert [one["path"] for one in stored_by(third)] == ["/basket"]
        assert [(one["id"], one["path"]) for one in stored_by(fourth)] == [
            ("click-4", "/tea/earl-grey"),
            ("click-5", "/"),
        ]

    def test_keeps_the_record_that_was_cut_off_as_it_came(self, clicks: StreamLane) -> None:
        *_, last = clicks.answer(EVENT)
        assert last["data"] == CUT_OFF["data"]

    def test_is_answered_alike_each_time(self, clicks: StreamLane) -> None:
        assert clicks.answer(EVENT) == clicks.answer(EVENT)


class TestAVisitor:
    def test_is_the_same_where_the_address_is_spelt_in_another_case(self, clicks: StreamLane) -> None:
        clicks.put(clicks.click(email="ADA@Example.com"), clicks.click(email="bob@example.com"))
        clicks.run()
        ada, bob = clicks.stored()
        assert ada["visitor"] == visitor_of(clicks) != bob["visitor"]

    def test_is_another_one_under_another_key(self, clicks: StreamLane) -> None:
        before = visitor_of(clicks)
        change_key("another key")
        clicks.worker.restart()
        assert visitor_of(clicks) != before

    def test_is_the_same_to_the_next_worker(self, clicks: StreamLane) -> None:
        before = visitor_of(clicks)
        clicks.worker.restart()
        assert visitor_of(clicks) == before


class TestWhatIsPrintedOfTheSampleEvent:
    def test_is_one_pipeline_event_for_the_record_that_failed(self, clicks: StreamLane) -> None:
        context = FakeContext(clicks.clock, FUNCTION, TIMEOUT)
        clicks.worker.invoke(EVENT, context)
        [report] = clicks.worker.reports()
        expected = {
            "level": "ERROR",
            "pipeline_event": "failed",
            "verdict": "ProcessingFailed",
            "kind": "permanent",
            "error_type": "MalformedEvent",
            "attempt": 1,
            "stream": STREAM,
            "record_id": CUT_OFF["recordId"],
            "function": FUNCTION,
            "stage": "test",
            "release": "r1",
            "request_id": context.aws_request_id,
        }
        assert {name: report.get(name) for name in expected} == expected
        assert report["error"].startswith("not JSON")
        assert len(report["group"]) == 16
        assert "event_id" not in report

    def test_is_a_count_by_error_and_one_by_verdict_and_nothing_else(self, clicks: StreamLane) -> None:
        clicks.answer(EVENT)
        _, errors, verdicts = clicks.worker.lines()
        assert (errors["ErrorType"], errors["ErrorCount"]) == ("MalformedEvent", [1.0])
        assert (verdicts["Verdict"], verdicts["Function"], verdicts["VerdictCount"]) == (
            "ProcessingFailed",
            FUNCTION,
            [1.0],
        )
        definitions = [line["_aws"]["CloudWatchMetrics"] for line in (errors, verdicts)]
        assert [(one["Namespace"], one["Dimensions"]) for [one] in definitions] == [
            (NAMESPACE, [["ErrorType"]]),
            (NAMESPACE, [["Verdict", "Function"]]),
        ]

    def test_is_no_line_at_all_for_the_records_that_went_well(self, clicks: StreamLane) -> None:
        clicks.answer(EVENT | {"records": EVENT["records"][:4]})
        assert clicks.worker.printed() == ""


def test_a_batch_of_no_records_has_no_answers(clicks: StreamLane) -> None:
    assert clicks.answer(EVENT | {"records": []}) == []
