"""Where one failed event is now, and what befell it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command, Ran
from tests.ops.groups.ground import HOSTILE, A, B, Ground, is_harmless
from tests.ops.keys.conftest import Rows

NINE = "2026-01-05T09:00:00.000+00:00"


def told(ran: Ran) -> Any:
    return json.loads(ran.out)


@pytest.fixture
def befallen(ground: Ground, clock: VirtualClock) -> None:
    """Let an event fail twice, once in another way, and be done then."""
    ground.fail(A, next_at="2026-01-05T09:00:42.000+00:00")
    clock.advance(timedelta(minutes=1))
    ground.fail(B, verdict="Dead", dead_because="exhausted", attempt=2, error_type="Timeout", key="k-1")
    ground.fail(A, event="another")
    clock.advance(timedelta(minutes=1))


@pytest.mark.usefixtures("befallen")
class TestAnEvent:
    def test_is_where_it_was_last_and_its_history_is_told_the_newest_first(self, backstop: Command) -> None:
        ran = backstop("events", "show", "e-1", "--json")
        found = told(ran)
        assert (ran.exit_code, ran.err) == (0, "")
        assert (found["event"], found["state"], found["has_more"]) == ("e-1", "dead", False)
        newest, oldest = found["history"]
        assert (newest["at"], newest["group"], newest["attempt"]) == ("2026-01-05T09:01:00.000+00:00", f"g{B}", 2)
        assert oldest == {
            "event_id": "e-1",
            "at": NINE,
            "state": "retrying",
            "group": f"g{A}",
            "verdict": "Retry",
            "dead_because": "",
            "kind": "transient",
            "error_type": "PriceNotPublished",
            "error": "no price of <sku> yet",
            "where": "prices:find",
            "function": "shop-process",
            "stage": "prod",
            "release": "1.4.0",
            "queue": "shop-events",
            "source_queue": "",
            "key": "",
            "attempt": 1,
            "next_at": "2026-01-05T09:00:42.000+00:00",
            "redrive_id": "",
        }

    def test_is_told_to_a_person(self, backstop: Command, rows: Rows) -> None:
        found = rows(backstop("events", "show", "e-1"))
        facts = dict(row for row in found if len(row) == 2)
        assert (facts["state"], facts["dead because"], facts["group"]) == ("dead", "exhausted", f"g{B}")
        assert facts["since"] == "2026-01-05T09:01:00.000+00:00 (60 s ago)"
        assert (facts["error"], facts["key"]) == ("Timeout: no price of <sku> yet", "k-1")
        assert "next try" not in facts
        assert [row[1:4] for row in found if len(row) == 7] == [
            ["state", "attempt", "group"],
            ["dead", "2", f"g{B}"],
            ["retrying", "1", f"g{A}"],
        ]

    @pytest.mark.parametrize(("verdict", "state"), [("Done", "recovered"), ("Redriven", "redriven")])
    def test_that_is_well_again_says_so(self, verdict: str, state: str, ground: Ground, backstop: Command) -> None:
        ground.fail(A, verdict=verdict)
        assert told(backstop("events", "show", "e-1", "--json"))["state"] == state

    def test_of_which_much_is_known_says_that_there_is_more(self, backstop: Command) -> None:
        ran = backstop("events", "show", "e-1", "--limit", "1")
        assert "The last 1; --limit shows more.\n" in ran.out
        assert told(backstop("events", "show", "e-1", "--limit", "1", "--json"))["has_more"] is True
        assert "--limit" not in backstop("events", "show", "e-1", "--limit", "2").out


class TestAnId:
    def test_is_found_as_the_logs_tell_it(self, ground: Ground, backstop: Command) -> None:
        """Whose id is an e-mail address stands there without it."""
        ground.fail(A, event="[email]")
        assert backstop("events", "show", "ann@example.com").exit_code == 0

    @pytest.mark.parametrize("event", ["-x", "--json", "a b", "[red]", "show", "é" * 200])
    def test_can_be_any(self, event: str, ground: Ground, backstop: Command) -> None:
        ground.fail(A, event=event)
        assert told(backstop("events", "show", "--json", "--", event))["state"] == "retrying"

    @pytest.mark.parametrize("event", ["nobody", "", "\udcff", "x" * 3000, "\x1b[2J"])
    def test_that_nobody_knows_is_a_sentence_and_a_no(self, event: str, backstop: Command) -> None:
        ran = backstop("events", "show", event)
        assert (ran.exit_code, ran.out) == (1, "")
        assert ran.err.startswith("backstop: nothing is known of event ")
        assert "done the first time it leaves no trace" in ran.err
        assert is_harmless(ran)
        ran = backstop("events", "show", "--json", event)
        assert (ran.exit_code, told(ran)) == (1, {"event": event, "state": None, "history": [], "has_more": False})


class TestHostile:
    def test_what_a_terminal_would_obey_is_spelled_out(self, ground: Ground, backstop: Command) -> None:
        names = ("error_type", "error", "where", "function", "stage", "release", "queue", "key", "next_at")
        hostile: dict[str, Any] = dict.fromkeys(names, HOSTILE)
        ground.fail(A, **hostile)
        ran = backstop("events", "show", "e-1")
        assert ran.out.count(r"x\u001b[2J\u202e\u000d[red]") > 8
        assert is_harmless(ran)

    def test_a_row_that_is_not_as_it_was_written_is_told_as_far_as_it_can_be(
        self, ground: Ground, backstop: Command
    ) -> None:
        row = {"event_id": {"S": "e-1"}, "at": {"S": "soon"}, "attempt": {"S": "many"}, "error": {"N": "3"}}
        ground.client.put_item(TableName="events", Item=row)
        ran = backstop("events", "show", "e-1")
        assert (ran.exit_code, "soon" in ran.out) == (0, True)

    @pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.UNREACHABLE])
    def test_a_table_that_does_not_answer_is_a_sentence(self, fault: Fault, faults: Faults, backstop: Command) -> None:
        faults.fail("Query", fault)
        ran = backstop("events", "show", "e-1")
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err.startswith("backstop: AWS ")

    def test_a_stack_that_watches_nothing_is_named(self, stack: Stack, backstop: Command) -> None:
        del stack._outputs["FailedEventsTableName"]
        assert "no output FailedEventsTableName" in backstop("events", "show", "e-1").err
