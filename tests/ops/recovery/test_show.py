"""What recovery did and why, the newest first; and what of it holds now."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backstop.recovery.state import (
    Cause,
    CauseKind,
    CauseMemory,
    Entry,
    IntakeMemory,
    Memory,
    Pause,
    Strategy,
    SwitchMemory,
)
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command, Ran
from tests.ops.intake.ground import HOSTILE, WHO, Ground
from tests.ops.keys.conftest import Rows

CIRCUIT = Cause(CauseKind.CIRCUIT, "payments")


def told(ran: Ran) -> Any:
    """Return the one document that is printed."""
    assert (ran.exit_code, ran.err) == (0, "")
    return json.loads(ran.out)


@pytest.fixture
def some(ground: Ground, clock: VirtualClock) -> None:
    """Let three things be done, a day apart; the last one is only suggested."""
    for strategy, is_suggested in ((Strategy.PAUSE, False), (Strategy.RESUME, False), (Strategy.SWITCH, True)):
        ground.log.write([Entry(strategy, "events", CIRCUIT, f"why {strategy}", is_suggested)], clock.now())
        clock.advance(timedelta(days=1))


@pytest.mark.usefixtures("some")
class TestWhatWasDone:
    def test_is_shown_with_why_the_newest_first(self, backstop: Command, rows: Rows) -> None:
        ran = backstop("recovery")
        assert (ran.exit_code, ran.err) == (0, "")
        assert rows(ran) == [
            ["at", "what", "target", "cause", "why"],
            ["2026-01-07 09:00:00 UTC", "switch (suggested)", "events", "circuit payments", "why switch"],
            ["2026-01-06 09:00:00 UTC", "resume", "events", "circuit payments", "why resume"],
            ["2026-01-05 09:00:00 UTC", "pause", "events", "circuit payments", "why pause"],
        ]

    def test_is_told_to_programs(self, backstop: Command) -> None:
        shown = told(backstop("recovery", "--json", "--limit", "1"))
        assert shown["entries"] == [
            {
                "at": "2026-01-07T09:00:00.000+00:00",
                "what": "switch",
                "target": "events",
                "cause": "circuit payments",
                "why": "why switch",
                "is_suggested": True,
            }
        ]
        assert shown["has_more"] is True

    def test_before_a_time_is_left_out(self, backstop: Command) -> None:
        shown = told(backstop("recovery", "--json", "--since", "50h"))
        assert [one["what"] for one in shown["entries"]] == ["switch", "resume"]
        assert shown["has_more"] is False

    def test_a_limit_says_that_there_is_more(self, backstop: Command) -> None:
        assert "The newest 2; --limit shows more.\n" in backstop("recovery", "--limit", "2").out
        assert "--limit" not in backstop("recovery", "--limit", "3").out

    def test_what_a_person_did_is_part_of_it(self, ground: Ground, backstop: Command) -> None:
        backstop("pause", "events", "--yes")
        shown = told(backstop("recovery", "--json"))["entries"]
        assert (shown[0]["what"], shown[0]["cause"]) == ("pause", f"person {WHO}")


class TestWhatHolds:
    def test_is_said_in_sentences(self, ground: Ground, clock: VirtualClock, backstop: Command) -> None:
        now = clock.now()
        person = Pause(Cause(CauseKind.PERSON, WHO), now, now + timedelta(hours=1))
        release = Pause(Cause(CauseKind.RELEASE, "shop-process"), now, None)
        memory = Memory(
            intakes={
                "events": IntakeMemory(person),
                "new": IntakeMemory(release),
                "ordered": IntakeMemory(None, 4, now),
            },
            switches={"payments": SwitchMemory(to_backup=True, since=now), "tax": SwitchMemory()},
            causes={
                "circuit payments": CauseMemory(now, ("pause", "switch"), told_at=now),
                "backlog events": CauseMemory(now, seen_at=now),
                "circuit old": CauseMemory(now, seen_at=now, is_over=True),
            },
        )
        assert ground.log.remember(memory)
        at = "2026-01-05 09:00:00 UTC"
        assert backstop("recovery").out.splitlines()[1:-1] == [
            f"events: paused since {at} because of person {WHO}, until 2026-01-05 10:00:00 UTC. Let it go on:",
            "  backstop resume --stack shop events",
            f"new: paused since {at} because of release shop-process, until a person or a newer release resumes it. "
            "Let it go on:",
            "  backstop resume --stack shop new",
            f"ordered: its concurrency is 4 since {at}",
            f"payments: on its backup since {at}",
            f"backlog events since {at}, gone since {at}: tried nothing yet",
            f"circuit payments since {at}: tried pause, switch; people were told at {at}",
        ]

    def test_is_told_to_programs(self, ground: Ground, backstop: Command) -> None:
        ground.open("payments", "shop-process")
        ground.reconcile()
        shown = told(backstop("recovery", "--json"))
        assert shown["mode"] == "act"
        assert [(one["intake"], one["cause"]) for one in shown["paused"]] == [("events", "circuit payments")]
        [cause] = shown["causes"]
        assert (cause["cause"], cause["gone_since"]) == ("circuit payments", None)
        assert "pause events" in cause["tried"][0]
        assert (shown["scaled"], shown["on_backup"]) == ([], [])

    def test_an_intake_that_comes_back_step_by_step_says_how_far_it_is(self, ground: Ground, backstop: Command) -> None:
        backstop("pause", "events", "--yes")
        backstop("resume", "events", "--yes")
        assert [(one["intake"], one["concurrency"]) for one in told(backstop("recovery", "--json"))["scaled"]] == [
            ("events", 2)
        ]
        assert "events: its concurrency is 2 since 2026-01-05 09:00:00 UTC\n" in backstop("recovery").out

    @pytest.mark.parametrize(
        ("mode", "said"),
        [
            ("suggest", "RecoveryMode is suggest: it tells people what it would do, and undoes what it did before."),
            ("off", "RecoveryMode is off: it does nothing, but undo what it did before."),
        ],
    )
    def test_begins_with_what_recovery_may_do(self, mode: str, said: str, ground: Ground, backstop: Command) -> None:
        ground.functions.variables["RECOVERY_MODE"] = mode
        assert backstop("recovery").out.startswith(f"{said}\n")


class TestNothing:
    def test_is_said_in_sentences(self, backstop: Command) -> None:
        assert backstop("recovery") == (
            0,
            "RecoveryMode is act: it acts by itself.\n"
            "Nothing is paused, scaled or on a backup.\n"
            "Nothing was done since 2025-12-29 09:00:00 UTC.\n",
            "",
        )

    def test_what_a_terminal_would_obey_is_spelled_out(
        self, ground: Ground, clock: VirtualClock, backstop: Command
    ) -> None:
        entry = Entry(Strategy.PAUSE, HOSTILE, CIRCUIT._replace(name=HOSTILE), HOSTILE)
        ground.log.write([entry], clock.now())
        ground.log.remember(replace(Memory(), switches={HOSTILE: SwitchMemory(to_backup=True, since=clock.now())}))
        ran = backstop("recovery")
        assert ran.exit_code == 0
        assert r"x\u001b[2J\u202e\u000d[red]: on its backup" in ran.out

    @pytest.mark.parametrize("operation", ["GetItem", "Query"])
    def test_a_table_that_does_not_answer_is_a_sentence(
        self, operation: str, faults: Faults, backstop: Command
    ) -> None:
        faults.fail_always(operation, Fault.DENIED)
        ran = backstop("recovery")
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err.startswith("backstop: the table of recovery did not answer")

    def test_a_time_that_is_none_is_a_sentence(self, backstop: Command) -> None:
        ran = backstop("recovery", "--since", "lately")
        assert (ran.exit_code, "--since lately: a time such as" in ran.err) == (2, True)
