"""What the team's handler raises or returns, through the real app.py: a fact about its own record, and no other's."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from backstop import Kind, PermanentError, SystemFault, TransientError
from tests.fakes.handler import Event
from tests.stream_lane import StreamLane

MARKER = "Zyxwvut"
"""What nobody may read in a log line: it stands in payloads only."""


class CannotBePrinted(Exception):
    def __str__(self) -> NoReturn:
        raise RuntimeError("no text")


class TeamsOwn(Exception):
    pass


def denied() -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": MARKER}}, "GetItem")


def caused() -> TeamsOwn:
    error = TeamsOwn("x")
    error.__cause__ = ConnectionResetError("reset")
    return error


ERRORS = [
    pytest.param(TransientError("later"), "TransientError", "transient", id="TransientError"),
    pytest.param(TransientError("later", retry_after=1e12), "TransientError", "transient", id="in 30,000 years"),
    pytest.param(SystemFault("no table"), "SystemFault", "system", id="SystemFault"),
    pytest.param(PermanentError("never"), "PermanentError", "permanent", id="PermanentError"),
    pytest.param(KeyError("sku"), "KeyError", "permanent", id="KeyError"),
    pytest.param(ValueError(), "ValueError", "permanent", id="no text"),
    pytest.param(RuntimeError("what"), "RuntimeError", "unknown", id="an error of unknown kind"),
    pytest.param(TeamsOwn("what"), "TeamsOwn", "unknown", id="the team's own"),
    pytest.param(caused(), "TeamsOwn", "transient", id="the team's own with a cause that is known"),
    pytest.param(CannotBePrinted(), "CannotBePrinted", "unknown", id="an error that cannot be printed"),
    pytest.param(RecursionError("deep"), "RecursionError", "permanent", id="RecursionError"),
    pytest.param(MemoryError(), "MemoryError", "system", id="MemoryError"),
    pytest.param(StopIteration(), "StopIteration", "unknown", id="StopIteration"),
    pytest.param(TimeoutError("slow"), "TimeoutError", "transient", id="TimeoutError"),
    pytest.param(denied(), "ClientError", "system", id="AWS denies access"),
    pytest.param(EndpointConnectionError(endpoint_url="x"), "EndpointConnectionError", "transient", id="no connection"),
    pytest.param(ExceptionGroup("several", [ValueError("a")]), "ExceptionGroup", "unknown", id="a group of errors"),
    pytest.param(Exception("\ud800"), "Exception", "unknown", id="half a character in the text"),
    pytest.param(Exception("{" * 1_000_000), "Exception", "unknown", id="a text of 1 MB"),
]


class TestAnErrorOfTheHandler:
    @pytest.mark.parametrize(("error", "error_type", "kind"), ERRORS)
    def test_fails_its_own_record_only(self, stream: StreamLane, error: Exception, error_type: str, kind: str) -> None:
        stream.handler.will("bad", error)
        _, bad, _ = stream.put(stream.click("before"), stream.click("bad"), stream.click("after"))
        stream.run()
        assert [invocation.error for invocation in stream.invocations] == [None]
        assert stream.stored_ids() == ["before", "after"]
        assert stream.kept() == [bad]
        [report] = stream.worker.reports()
        assert (report["event_id"], report["error_type"], report["kind"]) == ("bad", error_type, kind)

    def test_of_every_sort_at_once_fails_no_neighbour(self, stream: StreamLane) -> None:
        errors = [param.values[0] for param in ERRORS]
        for number, error in enumerate(errors):
            stream.handler.will(f"bad-{number}", error)  # type: ignore[arg-type]  # of values nobody knows the types
            stream.put(stream.click(f"good-{number}"), stream.click(f"bad-{number}"))
        stream.run()
        assert stream.stored_ids() == [f"good-{number}" for number in range(len(errors))]
        assert [json.loads(kept)["id"] for kept in stream.kept()] == [f"bad-{number}" for number in range(len(errors))]

    def test_is_of_the_kind_that_the_handlers_own_table_says(self, stream: StreamLane) -> None:
        stream.handler.kinds[TeamsOwn] = Kind.SYSTEM
        stream.handler.will("a", TeamsOwn("x"))
        stream.put(stream.click("a"))
        stream.run()
        [report] = stream.worker.reports()
        assert report["kind"] == "system"

    def test_fails_a_record_as_a_whole_that_carries_more_clicks_than_one(self, stream: StreamLane) -> None:
        stream.handler.will("b", KeyError("sku"))
        record = "\n".join(json.dumps(stream.click(click_id)) for click_id in "abc").encode()
        stream.put(record, stream.click("d"))
        stream.run()
        assert stream.stored_ids() == ["d"]
        assert stream.kept() == [record]
        [report] = stream.worker.reports()
        assert report["event_id"] == "b"

    def test_is_not_tried_again(self, stream: StreamLane) -> None:
        """Firehose would have to try the whole batch; what is in the errors is replayed by a person."""
        stream.handler.will("a", TransientError("not now"), dict)
        stream.put(stream.click("a"))
        stream.run()
        assert stream.handler.runs == ["a"]
        assert len(stream.kept()) == 1


def circular(click: Event) -> Event:
    click["itself"] = click
    return click


def nested(click: Event) -> Any:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    return click | {"deep": deep}


class TestAResultThatCannotBeStored:
    @pytest.mark.parametrize(
        "act",
        [
            pytest.param(lambda click: [click], id="a list"),
            pytest.param(json.dumps, id="a text"),
            pytest.param(lambda click: json.dumps(click).encode(), id="bytes"),
            pytest.param(lambda click: True, id="true"),
            pytest.param(lambda click: False, id="false"),
            pytest.param(lambda click: 0, id="zero"),
            pytest.param(lambda click: "", id="an empty text"),
            pytest.param(lambda click: click | {"x": math.nan}, id="NaN"),
            pytest.param(lambda click: click | {"x": -math.inf}, id="infinity"),
            pytest.param(lambda click: click | {"x": 10**5000}, id="5,000 digits"),
            pytest.param(lambda click: click | {"x": "\ud800"}, id="half a character"),
            pytest.param(lambda click: click | {"\udfff": 1}, id="half a character in a name"),
            pytest.param(lambda click: click | {"x": {MARKER}}, id="a set"),
            pytest.param(lambda click: click | {"x": MARKER.encode()}, id="bytes in it"),
            pytest.param(lambda click: click | {"x": object()}, id="an object in it"),
            pytest.param(lambda click: click | {(1, 2): 1}, id="a pair for a name"),
            pytest.param(circular, id="itself in it"),
            pytest.param(nested, id="nested too deep"),
            pytest.param(lambda click: (part for part in [click]), id="a generator"),
        ],
    )
    def test_fails_its_own_record_only(self, stream: StreamLane, act: Callable[[Event], Any]) -> None:
        stream.handler.will("bad", act)
        _, bad, _ = stream.put(stream.click("before"), stream.click("bad"), stream.click("after"))
        stream.run()
        assert [invocation.error for invocation in stream.invocations] == [None]
        assert stream.stored_ids() == ["before", "after"]
        assert stream.kept() == [bad]
        [report] = stream.worker.reports()
        assert (report["event_id"], report["kind"]) == ("bad", "permanent")
        assert MARKER not in stream.worker.printed()

    def test_fails_where_it_is_more_than_an_answer_carries(self, stream: StreamLane) -> None:
        stream.handler.will("bad", lambda click: {"x": "x" * 6_000_000})
        _, bad, _ = stream.put(stream.click("before"), stream.click("bad"), stream.click("after"))
        stream.run()
        assert (stream.stored_ids(), stream.kept()) == (["before", "after"], [bad])
        [report] = stream.worker.reports()
        assert (report["event_id"], report["error_type"], report["kind"]) == ("bad", "AnswerTooLarge", "permanent")


class TestAResultThatIsStored:
    @pytest.mark.parametrize(
        "result",
        [
            pytest.param({}, id="no fields"),
            pytest.param({"a": None, "b": [1, 2.5, True], "c": {"d": ""}}, id="every sort of value"),
            pytest.param(
                {"a": "Käse \u2028 \u0085 \x00 \n \U0001f375"}, id="characters that end lines, or are many bytes"
            ),
            pytest.param({"a": 2**64 + 1}, id="more digits than a float holds"),
        ],
    )
    def test_is_one_line_of_json(self, stream: StreamLane, result: Event) -> None:
        stream.handler.will("a", lambda click: result)
        stream.put(stream.click("a"), stream.click("b"))
        stream.run()
        first, second = stream.stored()
        assert first == result
        assert second["id"] == "b"
        assert stream.worker.printed() == ""

    def test_is_a_line_for_each_click_of_a_record_that_is_not_dropped(self, stream: StreamLane) -> None:
        stream.handler.will("b", lambda click: None)
        stream.put("".join(json.dumps(stream.click(click_id)) for click_id in "abc").encode())
        stream.run()
        assert stream.stored_ids() == ["a", "c"]

    def test_is_nothing_where_every_click_of_a_record_is_dropped(self, stream: StreamLane) -> None:
        for click_id in "ab":
            stream.handler.will(click_id, lambda click: None)
        stream.put("".join(json.dumps(stream.click(click_id)) for click_id in "ab").encode())
        stream.run()
        assert stream.stream.objects == {}
        [entry] = stream.invocations[0].answer["records"]  # type: ignore[index]  # an answer is what a function likes
        assert entry["result"] == "Dropped"
        assert base64.b64decode(entry["data"]) == b""
