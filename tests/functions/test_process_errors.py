"""Errors that are hard to judge, through the real app.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backstop import Kind, SystemFault, TransientError
from tests.lane import ProcessLane, trail_of


class TestErrorsThatAreHardToJudge:
    """Whatever an author's library raises is a fact about its own message; its neighbours never pay for it."""

    @pytest.mark.parametrize(
        "error",
        [
            pytest.param(lambda: TransientError("x", retry_after=1e12), id="to be retried in 30,000 years"),
            pytest.param(lambda: SystemFault("x", retry_after=1e12), id="a system fault for 30,000 years"),
            pytest.param(lambda: TransientError("x", retry_after=-1e12), id="to be retried 30,000 years ago"),
            pytest.param(lambda: With(headers={"Retry-After": "999999999"}), id="Retry-After: 31 years"),
            pytest.param(lambda: With(headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 -0100"}), id="the year 10000"),
            pytest.param(
                lambda: With(headers={"Retry-After": "Mon, 01 Jan 2024 00:00:00 +99999999999999999999"}),
                id="a time zone beyond reason",
            ),
            pytest.param(lambda: With(headers={"Retry-After": "soon"}), id="Retry-After: soon"),
            pytest.param(lambda: With(response={"Error": "text"}), id="a response whose Error is text"),
            pytest.param(lambda: With(response={"Error": None}), id="a response whose Error is null"),
            pytest.param(lambda: With(response={"ResponseMetadata": None}), id="a response without metadata"),
            pytest.param(lambda: With(response={"CancellationReasons": "none"}), id="reasons that are text"),
            pytest.param(lambda: HasNoResponse(), id="a property that raises"),
            pytest.param(lambda: CannotBePrinted(), id="an error that cannot be printed"),
            pytest.param(lambda: ExceptionGroup("several", [ValueError("a")]), id="a group of errors"),
            pytest.param(lambda: Exception("\ud800"), id="a lone surrogate in the text"),
            pytest.param(lambda: Exception("{" * 1_000_000), id="a text of 1 MB"),
            pytest.param(lambda: ValueError(), id="no text"),
        ],
    )
    def test_fail_their_own_message_only(self, lane: ProcessLane, error: Callable[[], Exception]) -> None:
        lane.handler.will("bad", error())
        lane.send(lane.order("bad"), lane.order("good"))
        delivery = lane.deliver()
        assert delivery.error is None
        assert delivery.answer == {"batchItemFailures": []}
        assert lane.handler.finished == {"good": 1}
        [sent] = lane.retries.messages + lane.dead_letters.messages
        assert trail_of(sent)["event_id"] == "bad"
        assert len(lane.reports()) == 1

    def test_are_waited_for_no_longer_than_the_message_is_tried(self, lane: ProcessLane) -> None:
        lane.handler.will("a", TransientError("x", retry_after=25 * 3600))
        lane.send(lane.order("a"))
        lane.deliver()
        [trail] = lane.trails(lane.dead_letters)
        assert trail["dead_because"] == "exhausted"


class TestErrorsOfTheTeamsOwn:
    def test_are_of_the_kind_that_the_handler_says(self, lane: ProcessLane) -> None:
        lane.handler.kinds[TeapotError] = Kind.TRANSIENT
        lane.handler.will("a", TeapotError("short and stout"), None)
        lane.send(lane.order("a"))
        lane.run_until_quiet()
        assert [report.get("kind") for report in lane.reports()] == ["transient", "transient"]
        assert lane.handler.finished == {"a": 1}


class TeapotError(ValueError):
    """An error that would be permanent if its team did not know better."""


class With(Exception):
    """An error that carries what HTTP clients' errors carry."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__("a failure")
        vars(self).update(attributes)


class HasNoResponse(Exception):
    """An error that raises when it is asked for its response, as some HTTP clients' do."""

    @property
    def response(self) -> None:
        raise RuntimeError("the request was never sent")


class CannotBePrinted(Exception):
    """An error whose text raises."""

    def __str__(self) -> str:
        raise RuntimeError("no text")
