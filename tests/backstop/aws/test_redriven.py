"""What the log tells of events since a redrive: an event's newest row of it decides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws

from backstop.aws.failed_events import FailedEvents
from backstop.aws.redriven import failed_again
from backstop.errors import StoreUnavailable
from backstop.occurrence import Occurrence
from backstop.redact import redact
from tests.backstop import NOW
from tests.fakes.faults import Fault, Faults
from tests.fakes.parking_contract import client_of
from tests.template.tables import make_table


class Heard:
    """The table of failed events, a minute after another."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._minutes = 0

    def row(self, event_id: str, verdict: str, redrive_id: str = "r1", error_type: str = "Unreachable") -> None:
        """Write that an event met a verdict."""
        self._minutes += 1
        at = NOW + timedelta(minutes=self._minutes)
        heard = Occurrence(
            f"{self._minutes:056}",
            at,
            "a" * 16,
            error_type=error_type,
            verdict=verdict,
            event_id=event_id,
            redrive_id=redrive_id,
        )
        FailedEvents(self.client, "events", timedelta(days=35)).record([heard])

    def of(self, *event_ids: str, redrive_id: str = "r1") -> Any:
        """Return what is known."""
        return failed_again(self.client, "events", event_ids, redrive_id)


@pytest.fixture
def heard() -> Iterator[Heard]:
    with mock_aws():
        client: Any = client_of("dynamodb")
        make_table(client, "events", "FailedEventsTable")
        yield Heard(client)


@pytest.mark.parametrize(("verdict", "has_failed"), [("Dead", True), ("Retry", True), ("Park", True), ("Done", False)])
def test_a_verdict_says_whether_it_failed_again(heard: Heard, verdict: str, has_failed: bool) -> None:
    heard.row("e-1", verdict)
    assert heard.of("e-1") == {"e-1": has_failed}


@pytest.mark.parametrize(("verdicts", "has_failed"), [(["Retry", "Done"], False), (["Retry", "Retry", "Dead"], True)])
def test_the_newest_row_decides(heard: Heard, verdicts: list[str], has_failed: bool) -> None:
    for verdict in verdicts:
        heard.row("e-1", verdict)
    assert heard.of("e-1") == {"e-1": has_failed}


def test_an_event_that_nothing_is_heard_of_is_left_out(heard: Heard) -> None:
    heard.row("e-1", "Done")
    assert heard.of("e-1", "e-2") == {"e-1": False}
    assert heard.of() == {}


def test_that_it_was_redriven_says_nothing_however_late_it_is_heard(heard: Heard) -> None:
    heard.row("e-1", "Redriven")
    assert heard.of("e-1") == {}
    heard.row("e-1", "Dead")
    heard.row("e-1", "Redriven")
    assert heard.of("e-1") == {"e-1": True}


def test_rows_of_other_redrives_and_of_none_say_nothing(heard: Heard) -> None:
    heard.row("e-1", "Dead", "r0")
    heard.row("e-1", "Dead", "")
    assert heard.of("e-1") == {}
    heard.row("e-1", "Done")
    heard.row("e-1", "Dead", "r2")
    assert heard.of("e-1") == {"e-1": False}


@pytest.mark.parametrize("verdict", ["Retry", "Park"])
def test_of_one_that_an_open_circuit_refused_it_is_known_that_it_arrived_and_no_more(
    heard: Heard, verdict: str
) -> None:
    heard.row("e-1", verdict, error_type="CircuitOpen")
    assert heard.of("e-1") == {"e-1": None}
    heard.row("e-1", "Done", error_type="CircuitOpen")  # it recovered from that
    assert heard.of("e-1") == {"e-1": False}


def test_an_event_whose_id_is_redacted_in_the_log_is_found_by_the_id_that_it_has(heard: Heard) -> None:
    event_id = "jane.roe@example.com"
    assert redact(event_id) != event_id
    heard.row(redact(event_id), "Dead")
    assert heard.of(event_id) == {event_id: True}


def test_a_table_that_does_not_answer_is_unavailable(heard: Heard) -> None:
    for fault in Fault:
        faults = Faults()
        faults.fail("Query", fault)
        with faults.installed(heard.client), pytest.raises(StoreUnavailable, match="failed events"):
            heard.of("e-1")
