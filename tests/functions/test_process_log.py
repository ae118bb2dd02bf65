"""What the function prints, through the real app.py: a pipeline event a failure, metrics, and never a payload."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest

from backstop import PermanentError, SystemFault, TransientError
from tests.fakes.handler import Event
from tests.lane import ProcessLane

MARKER = "Zyxwvut"
"""What nobody may read in a log line: it stands in payloads only."""


class TestTheLog:
    def test_has_exactly_one_pipeline_event_for_each_failed_message_and_none_for_the_others(
        self, lane: ProcessLane
    ) -> None:
        errors = [TransientError("t"), PermanentError("p"), SystemFault("s"), RuntimeError("u"), None, None]
        orders = [lane.order() for _ in errors]
        for order, error in zip(orders, errors, strict=True):
            lane.handler.will(order["id"], error)
        lane.send(*orders, "not JSON")
        lane.deliver()
        reports = lane.reports()
        assert [report["pipeline_event"] for report in reports] == ["failed"] * 5
        ids = [order["id"] for order in orders[:4]]
        assert sorted(report.get("event_id", "") for report in reports) == ["", *sorted(ids)]
        kinds = {report.get("event_id", ""): (report["kind"], report["verdict"]) for report in reports}
        assert kinds == {
            ids[0]: ("transient", "Retry"),
            ids[1]: ("permanent", "Dead"),
            ids[2]: ("system", "Retry"),
            ids[3]: ("unknown", "Retry"),
            "": ("permanent", "Dead"),
        }

    def test_says_of_a_failure_what_a_person_needs(self, lane: ProcessLane) -> None:
        lane.handler.will("a", TransientError("no price for 'tea'"))
        lane.send(lane.order("a"), MessageGroupId="tenant-7")
        delivery = lane.deliver()
        [report] = lane.reports()
        assert delivery.error is None
        expected = {
            "level": "WARNING",
            "pipeline_event": "failed",
            "verdict": "Retry",
            "kind": "transient",
            "error_type": "TransientError",
            "error": "no price for <quoted>",
            "event_id": "a",
            "key": "tenant-7",
            "attempt": 1,
            "max_attempts": 6,
            "queue": "shop-events",
            "function": "shop-process",
            "stage": "test",
            "release": "r1",
        }
        assert {name: report[name] for name in expected} == expected
        assert report["next_at"] >= lane.clock.now().isoformat(timespec="milliseconds")
        assert report["group"] == lane.trails(lane.retries)[0]["group"]
        assert report["request_id"]

    def test_names_the_groups_of_like_failures_alike(self, lane: ProcessLane) -> None:
        for number, text in enumerate(["no price for 'tea'", "no price for 'rice'", "the shop is closed"]):
            lane.handler.will(f"e{number}", TransientError(text))
            lane.send(lane.order(f"e{number}"))
        lane.deliver()
        groups = {report["event_id"]: report["group"] for report in lane.reports()}
        assert groups["e0"] == groups["e1"] != groups["e2"]

    @pytest.mark.parametrize(
        ("error", "most"), [(TransientError("later"), 6), (RuntimeError("who knows"), 3)], ids=["transient", "unknown"]
    )
    def test_says_how_many_attempts_a_failure_of_its_kind_is_given(
        self, lane: ProcessLane, error: Exception, most: int
    ) -> None:
        lane.handler.will("a", error)
        lane.send(lane.order("a"))
        lane.deliver()
        [failed] = lane.reports()
        assert failed["max_attempts"] == most

    def test_says_once_that_a_message_has_recovered(self, lane: ProcessLane) -> None:
        lane.handler.will("a", TransientError("not now"), None)
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        failed, recovered = lane.reports()
        assert (failed["pipeline_event"], recovered["pipeline_event"]) == ("failed", "recovered")
        assert (recovered["event_id"], recovered["attempt"], recovered["verdict"]) == ("a", 2, "Done")
        assert recovered["group"] == failed["group"]

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda order: "{" + MARKER, id="not JSON"),
            pytest.param(lambda order: json.dumps(order | {"customer": [MARKER]}), id="a wrong type"),
            pytest.param(lambda order: json.dumps(order | {MARKER: 1}), id="a key that the schema does not know"),
            pytest.param(lambda order: json.dumps(order | {"currency": MARKER}), id="a pattern that does not match"),
            pytest.param(lambda order: json.dumps(order | {"id": {MARKER: 1}}), id="an id that is none"),
            pytest.param(lambda order: json.dumps(MARKER), id="a string"),
            pytest.param(lambda order: json.dumps(order | {"customer": MARKER + "\ud800"}), id="a lone surrogate"),
        ],
    )
    def test_never_quotes_a_body_that_is_no_event(self, lane: ProcessLane, spoil: Callable[[Event], str]) -> None:
        lane.send(spoil(lane.order()))
        lane.deliver()
        [report] = lane.reports()
        assert report["error"]
        assert MARKER not in lane.printed()
        assert MARKER not in json.dumps(lane.trails(lane.dead_letters))

    @pytest.mark.parametrize(
        "error",
        [
            pytest.param(lambda order: KeyError(order["customer"]), id="KeyError"),
            pytest.param(lambda order: ValueError(f"bad customer {order['customer']!r}"), id="quoted with repr"),
            pytest.param(lambda order: ValueError(f"cannot place {order}"), id="the whole event in the text"),
            pytest.param(lambda order: RuntimeError(json.dumps(order)), id="the whole event as JSON"),
        ],
    )
    def test_never_quotes_what_an_error_quotes(self, lane: ProcessLane, error: Callable[[Event], Exception]) -> None:
        order = lane.order(customer=MARKER, items=[{"sku": MARKER, "quantity": 1}])
        lane.handler.will(order["id"], error(order))
        lane.send(order, MessageAttributes={"shop": {"DataType": "String", "StringValue": MARKER}})
        lane.deliver()
        assert len(lane.reports()) == 1
        assert MARKER not in lane.printed()


class TestMetrics:
    def test_count_errors_by_type_and_messages_by_verdict(self, lane: ProcessLane) -> None:
        orders = [lane.order() for _ in range(4)]
        errors = [TransientError("t"), TransientError("u"), PermanentError("p")]
        for order, error in zip(orders, errors, strict=False):
            lane.handler.will(order["id"], error, None)
        lane.send(*orders)
        lane.deliver()
        assert counts(lane) == {
            ("ErrorCount", "TransientError"): 2,
            ("ErrorCount", "PermanentError"): 1,
            ("VerdictCount", "Retry"): 2,
            ("VerdictCount", "Dead"): 1,
        }
        lane.run_until_quiet()
        assert counts(lane)["VerdictCount", "Recovered"] == 2

    def test_never_carry_an_event_or_a_group_as_a_dimension(self, lane: ProcessLane) -> None:
        lane.handler.will("a", TransientError("t"))
        lane.send(lane.order("a"), "not JSON", MessageGroupId="tenant-7")
        lane.deliver()
        definitions = [metric["_aws"]["CloudWatchMetrics"] for metric in lane.metrics()]
        dimensions = {tuple(sorted(keys)) for [definition] in definitions for keys in definition["Dimensions"]}
        assert dimensions == {("ErrorType",), ("Function", "Verdict")}
        assert {definition["Namespace"] for [definition] in definitions} == {"DataPipeline/Errors"}
        hidden = {"a", "tenant-7"} | {report["group"] for report in lane.reports()}
        assert not hidden & {str(value) for metric in lane.metrics() for value in metric.values()}


def counts(lane: ProcessLane) -> Counter[tuple[str, str]]:
    """Return the metrics' sums by their name and what they count."""
    sums: Counter[tuple[str, str]] = Counter()
    for metric in lane.metrics():
        [name] = [key for key in ("ErrorCount", "VerdictCount") if key in metric]
        sums[name, metric.get("ErrorType") or metric["Verdict"]] += int(metric[name][0])
    return sums
