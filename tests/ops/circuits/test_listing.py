"""How circuits stand, what waits for them, and which releases are held: for people and for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backstop.circuits.state import Calls, Thresholds
from backstop.circuits.window import slot_of
from ops.circuits.listing import counted
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command, Ran
from tests.ops.intake.ground import Ground
from tests.ops.keys.conftest import Rows

HEADER = ["circuit", "state", "why", "failures", "probes", "depends", "paused"]


def told(ran: Ran) -> Any:
    """Return the one document that is printed."""
    assert (ran.exit_code, ran.err) == (0, "")
    return json.loads(ran.out)


def columns(rows: list[list[str]]) -> list[str]:
    """Return what each column of a table with one record says, its lines one after the other."""
    assert rows[0] == HEADER
    return [" / ".join(filter(None, cells)) for cells in zip(*rows[1:], strict=True)]


class TestACircuit:
    def test_that_is_open_says_since_when_why_and_what_is_paused(
        self, ground: Ground, clock: VirtualClock, backstop: Command, rows: Rows
    ) -> None:
        ground.open("payments", "shop-process")
        ground.reconcile()
        clock.advance(timedelta(seconds=10))
        ran = backstop("circuits")
        assert (ran.exit_code, ran.err) == (0, "")
        assert columns(rows(ran)) == [
            "payments",
            "open / 10 s ago",
            "5 failures in a row",
            "",
            "0, 0 went well / next in 20 s",
            "shop-process",
            "events",
        ]

    def test_is_told_to_programs_with_times_and_numbers(self, ground: Ground, backstop: Command) -> None:
        ground.open("payments", "shop-process")
        ground.reconcile()
        assert told(backstop("circuits", "--json")) == {
            "circuits": [
                {
                    "circuit": "payments",
                    "state": "open",
                    "since": "2026-01-05T09:00:00.000+00:00",
                    "why": "5 failures in a row",
                    "calls": 0,
                    "failures": 0,
                    "probes": 0,
                    "successes": 0,
                    "is_probed": False,
                    "next_probe": "2026-01-05T09:00:30.000+00:00",
                    "held_open_until": None,
                    "depends": ["shop-process"],
                    "paused": ["events"],
                }
            ],
            "held_releases": [],
        }

    def test_that_is_probed_says_so_until_the_lease_is_over(
        self, ground: Ground, clock: VirtualClock, backstop: Command, rows: Rows
    ) -> None:
        seen = ground.open()
        clock.advance(timedelta(seconds=31))
        assert columns(rows(backstop("circuits")))[4] == "0, 0 went well / the next call"
        lease = clock.now() + timedelta(seconds=10)
        held = ground.circuits.elect(seen, "environment-2", lease, clock.now())
        assert columns(rows(backstop("circuits")))[1:5:3] == ["half-open / 31 s ago", "1, 0 went well / one runs now"]
        assert held is not None
        ground.circuits.succeed(held, Thresholds(), clock.now())
        assert columns(rows(backstop("circuits")))[4] == "1, 1 went well / the next call"

    def test_whose_prober_died_is_probed_by_the_next_call(
        self, ground: Ground, clock: VirtualClock, backstop: Command, rows: Rows
    ) -> None:
        seen = ground.open()
        clock.advance(timedelta(seconds=31))
        assert ground.circuits.elect(seen, "environment-2", clock.now() + timedelta(seconds=10), clock.now())
        clock.advance(timedelta(seconds=11))
        assert columns(rows(backstop("circuits")))[4] == "1, 0 went well / the next call"

    def test_that_is_held_open_says_until_when(self, backstop: Command, rows: Rows) -> None:
        backstop("circuits", "open", "payments", "--new", "--for", "2h", "--yes")
        shown = columns(rows(backstop("circuits")))
        assert shown[4] == "0, 0 went well / held open: next in 2 h"
        assert told(backstop("circuits", "--json"))["circuits"][0]["held_open_until"] == "2026-01-05T11:00:00.000+00:00"

    def test_that_is_closed_shows_what_failed_lately(
        self, ground: Ground, clock: VirtualClock, backstop: Command, rows: Rows
    ) -> None:
        ground.count("payments", Calls(20, 3))
        assert columns(rows(backstop("circuits"))) == ["payments", "closed", "", "3 of 20 calls", "", "", ""]
        clock.advance(timedelta(minutes=2))
        assert columns(rows(backstop("circuits")))[3] == ""

    def test_that_is_open_comes_before_those_that_are_closed(self, ground: Ground, backstop: Command) -> None:
        for name in ("a", "b"):
            ground.count(name, Calls(1, 1))
        ground.open("z")
        assert [one["circuit"] for one in told(backstop("circuits", "--json"))["circuits"]] == ["z", "a", "b"]

    def test_whose_reason_a_terminal_would_obey_is_spelled_out(self, ground: Ground, backstop: Command) -> None:
        ground.open("payments", why="x\x1b[2J[red]")
        assert r"x\u001b[2J[red]" in backstop("circuits").out


class TestTheWindow:
    @pytest.mark.parametrize("window", [10, 60, 90.5, 300, 3600], ids=str)
    @pytest.mark.parametrize(
        ("age", "counts"),
        [pytest.param(0, True, id="now"), pytest.param(0.7, True, id="lately"), pytest.param(1.3, False, id="before")],
    )
    def test_counts_what_is_not_older_than_it_however_long_it_is(self, window: float, age: float, counts: bool) -> None:
        thresholds = Thresholds(window=timedelta(seconds=window))
        now = datetime(2026, 1, 5, 9, 0, 1, tzinfo=UTC)
        slot = slot_of(now - thresholds.window * age, thresholds)
        assert counted({slot: Calls(7, 2)}, now) == (Calls(7, 2) if counts else Calls())

    def test_leaves_out_old_slots_beside_new_ones(self) -> None:
        now = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
        newest = slot_of(now, Thresholds())
        assert counted({newest - 6: Calls(100, 100), newest - 5: Calls(1, 1), newest: Calls(2, 0)}, now) == Calls(3, 1)

    def test_without_a_call_counts_nothing(self) -> None:
        assert counted({}, datetime(2026, 1, 5, tzinfo=UTC)) == Calls()


class TestAHeldRelease:
    def test_is_shown_below_with_what_to_type(self, ground: Ground, backstop: Command) -> None:
        ground.hold()
        ran = backstop("circuits")
        assert (ran.exit_code, ran.err) == (0, "")
        assert "Held: release 1.4.0 of shop-process is held since 2026-01-05 09:00:00 UTC: 34 of 40 messages" in ran.out
        assert f"  backstop groups show --stack shop g{'a' * 16}\n" in ran.out
        assert "  backstop resume --stack shop events\n" in ran.out

    def test_is_told_to_programs_and_is_no_circuit(self, ground: Ground, backstop: Command) -> None:
        ground.hold()
        assert told(backstop("circuits", "--json")) == {
            "circuits": [],
            "held_releases": [
                {
                    "function": "shop-process",
                    "release": "1.4.0",
                    "group": "a" * 16,
                    "failed": 34,
                    "ran": 40,
                    "since": "2026-01-05T09:00:00.000+00:00",
                }
            ],
        }


class TestNothing:
    def test_no_circuit_is_a_sentence_that_says_what_it_means(self, backstop: Command) -> None:
        ran = backstop("circuits")
        assert (ran.exit_code, ran.err) == (0, "")
        assert ran.out.startswith("No circuit is known: one is written down when a call through it fails")
        assert told(backstop("circuits", "--json")) == {"circuits": [], "held_releases": []}

    def test_a_table_that_does_not_answer_is_a_sentence(self, faults: Faults, backstop: Command) -> None:
        faults.fail_always("Scan", Fault.DENIED)
        ran = backstop("circuits")
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err.startswith("backstop: the table of circuits did not answer")

    def test_a_stack_without_circuits_is_named(self, stack: Stack, backstop: Command) -> None:
        del stack._outputs["CircuitsTableName"]
        assert backstop("circuits").err == (
            "backstop: stack 'shop' has no output CircuitsTableName: is it a Backstop stack?\n"
        )

    def test_options_stand_behind_a_subcommand(self, backstop: Command) -> None:
        ran = backstop("circuits", "--json", "close", "payments")
        assert (ran.exit_code, "options stand behind 'close'" in ran.err) == (2, True)
