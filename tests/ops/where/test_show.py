"""All that happened to one event: its history, what operators did, and what of it cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops import audit
from ops.stack import Stack
from tests.fakes.faults import Fault
from tests.ops.command import Command, Ran
from tests.ops.groups.ground import HOSTILE, WHO, A, B, is_harmless
from tests.ops.keys.conftest import Rows
from tests.ops.where.ground import Ground

NINE = "2026-01-05T09:00:00.000+00:00"


def told(ran: Ran) -> Any:
    return json.loads(ran.out)


@pytest.fixture
def befallen(ground: Ground) -> None:
    """Let an event fail twice, once in another way, and be done then."""
    ground.fail(next_at="2026-01-05T09:00:42.000+00:00")
    ground.wait(minutes=1)
    ground.fail(group=B, verdict="Dead", dead_because="exhausted", attempt=2, error_type="Timeout", key="k-1")
    ground.fail(event="another")
    ground.wait(minutes=1)


@pytest.mark.usefixtures("befallen")
class TestAnEvent:
    def test_is_where_it_was_last_and_its_history_is_told_the_newest_first(self, where: Command) -> None:
        ran = where("e-1", "--json")
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

    def test_is_told_to_a_person(self, where: Command, rows: Rows) -> None:
        found = rows(where("e-1"))
        facts = dict(row for row in found if len(row) == 2)
        assert (facts["dead because"], facts["group"]) == ("exhausted", f"g{B}")
        assert facts["last heard of"] == "2026-01-05T09:01:00.000+00:00 (60 s ago): dead"
        assert (facts["error"], facts["key"]) == ("Timeout: no price of <sku> yet", "k-1")
        assert "next try" not in facts
        assert "operators" not in where("e-1").out
        assert [row[1:4] for row in found if len(row) == 8] == [
            ["state", "attempt", "group"],
            ["dead", "2", f"g{B}"],
            ["retrying", "1", f"g{A}"],
        ]

    def test_of_which_much_is_known_says_that_there_is_more(self, where: Command) -> None:
        ran = where("e-1", "--limit", "1")
        assert "The last 1; --limit shows more.\n" in ran.out
        assert told(where("e-1", "--limit", "1", "--json"))["has_more"] is True
        assert "--limit" not in where("e-1", "--limit", "2").out


class TestAnId:
    def test_is_found_as_the_logs_tell_it(self, ground: Ground, where: Command) -> None:
        """Whose id is an e-mail address stands there without it."""
        ground.fail(event="[email]")
        ran = where("ann@example.com")
        assert (ran.exit_code, "others of that name" in ran.out, "ann" in ran.out) == (0, True, False)

    def test_is_not_mixed_up_where_it_is_done(self, ground: Ground, where: Command) -> None:
        """The record goes by the id itself."""
        ground.run("ann@example.com")
        assert where("ann@example.com").exit_code == 0
        assert where("bob@example.com").exit_code == 1

    @pytest.mark.parametrize("event", ["-x", "--json", "a b", "[red]", "show", "é" * 200])
    def test_can_be_any(self, event: str, ground: Ground, where: Command) -> None:
        ground.fail(event=event)
        assert told(where("--json", "--", event))["state"] == "retrying"

    @pytest.mark.parametrize("event", ["nobody", "", "\udcff", "x" * 3000, "\x1b[2J"])
    def test_that_nobody_knows_is_a_sentence_and_a_no(self, event: str, where: Command) -> None:
        ran = where(event)
        assert (ran.exit_code, ran.out) == (1, "")
        assert "nothing is known of it: it never failed, or more than " in ran.err
        assert is_harmless(ran)
        found = told(where("--json", event))
        assert (found["event"], found["state"], found["history"], found["records"]) == (event, None, [], [])
        assert (found["parked"], found["done"], found["unread"]) == (None, [], [])


class TestWhatOperatorsDid:
    REDRIVE = "r20260105-090000-1a2b"

    def entry(self, ground: Ground, command: str, subject: str) -> None:
        audit.conclude(ground.stack, audit.record(ground.stack, command, subject, 1))

    def test_stands_below_where_it_names_the_event(self, ground: Ground, where: Command, rows: Rows) -> None:
        ground.fail()
        self.entry(ground, "dlq edit e-1", "event e-1")
        self.entry(ground, "dlq edit e-10", "event e-10")
        assert rows(where("e-1"))[-1][1:] == [WHO, "dlq edit e-1", "done"]
        [done] = told(where("e-1", "--json"))["done"]
        assert (done["who"], done["command"], done["result"]) == (WHO, "dlq edit e-1", "done")

    def test_stands_below_where_it_is_a_redrive_that_moved_the_event(self, ground: Ground, where: Command) -> None:
        ground.fail(verdict="Redriven", redrive_id=self.REDRIVE)
        ground.wait(minutes=1)
        ground.fail(verdict="Dead", redrive_id=self.REDRIVE)
        self.entry(ground, "redrive --all", f"redrive {self.REDRIVE}")
        self.entry(ground, "redrive --all", "redrive r20260105-090000-ffff")
        found = told(where("e-1", "--json"))
        assert [one["command"] for one in found["done"]] == ["redrive --all"]
        assert [one["redrive_id"] for one in found["history"]] == [self.REDRIVE] * 2
        assert where("e-1").out.count(self.REDRIVE) == 3  # twice in its history

    def test_is_told_of_an_event_of_which_nothing_else_is_known(self, ground: Ground, where: Command) -> None:
        self.entry(ground, "dlq discard --event e-1", "queue DeadLetterQueue")
        ran = where("e-1")
        assert (ran.exit_code, "dlq discard --event e-1" in ran.out) == (1, True)


class TestWhatCannotBeRead:
    @pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.UNREACHABLE])
    def test_hides_nothing_else(self, fault: Fault, ground: Ground, where: Command) -> None:
        ground.fail(verdict="Dead", key="k-1")
        for operation in ("GetItem", "Query"):
            ground.faults.fail_always(operation, fault, when=lambda asked: "events" not in str(asked))
        ran = where("e-1")
        assert (ran.exit_code, ran.out.splitlines()[0].startswith("e-1: dead in group ")) == (0, True)
        for what in ("whether it is done", "whether it is parked", "what operators did"):
            assert f"backstop: {what} is not known: " in ran.err
        ground.faults.clear()
        assert told(where("e-1", "--json"))["unread"] == []

    def test_is_not_taken_for_nothing(self, ground: Ground, where: Command) -> None:
        """Whether it is done is not known: that nothing is known of it would be wrong."""
        ground.faults.fail_always("GetItem", Fault.DENIED)
        for words in (("e-1",), ("e-1", "--json")):
            ran = where(*words)
            assert (ran.exit_code, ran.out) == (2, "")
            assert "where event e-1 is cannot be told: whether it is done is not known: AWS refused GetItem" in ran.err

    def test_is_a_table_that_the_stack_does_not_have(self, ground: Ground, where: Command) -> None:
        ground.fail()
        del ground.stack._outputs["IdempotencyTableName"]
        ran = where("e-1")
        assert (ran.exit_code, "no output IdempotencyTableName" in ran.err) == (0, True)


class TestHostile:
    def test_what_a_terminal_would_obey_is_spelled_out(self, ground: Ground, where: Command) -> None:
        names = ("error_type", "error", "where", "function", "stage", "release", "queue", "key", "next_at")
        hostile: dict[str, Any] = dict.fromkeys(names, HOSTILE)
        ground.fail(**hostile)
        ground.keys.park(HOSTILE, HOSTILE, "e-1")
        audit.record(ground.stack, f"dlq edit e-1 --note '{HOSTILE}'", HOSTILE, 1)
        assert is_harmless(where(HOSTILE))
        assert is_harmless(where("e-1", "--key", HOSTILE))
        ran = where("e-1")
        assert ran.out.count(r"x\u001b[2J\u202e\u000d[red]") > 8
        assert is_harmless(ran)

    def test_a_row_that_is_not_as_it_was_written_is_told_as_far_as_it_can_be(
        self, ground: Ground, where: Command
    ) -> None:
        row = {"event_id": {"S": "e-1"}, "at": {"S": "soon"}, "attempt": {"S": "many"}, "error": {"N": "3"}}
        ground.client.put_item(TableName="events", Item=row)
        ran = where("e-1")
        assert (ran.exit_code, "soon" in ran.out) == (0, True)

    @pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.UNREACHABLE])
    def test_a_table_that_does_not_answer_is_a_sentence(self, fault: Fault, ground: Ground, where: Command) -> None:
        ground.faults.fail("Query", fault)
        ran = where("e-1")
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err.startswith("backstop: AWS ")

    def test_a_stack_that_watches_nothing_is_named(self, stack: Stack, where: Command) -> None:
        del stack._outputs["FailedEventsTableName"]
        assert "no output FailedEventsTableName" in where("e-1").err
