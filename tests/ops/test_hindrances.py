"""What hinders events is said by `backstop status`, a line each, and changes no exit code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops import status
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command
from tests.ops.intake.ground import HOSTILE, WHO, Ground, backstop, clock, faults, ground, stack

__all__ = ["backstop", "clock", "faults", "ground", "stack"]


@pytest.fixture(autouse=True)
def _nothing_else(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stack have nothing else that status would tell of; `tests/ops/test_status.py` is about that."""
    for rows in ("queues", "streams", "functions", "alarms"):
        monkeypatch.setattr(status, rows, lambda _: [])


def hindrances(backstop: Command) -> list[str]:
    """Return the lines below the tables."""
    ran = backstop("status")
    assert (ran.exit_code, ran.err) == (0, "")
    return [line for line in ran.out.splitlines() if line.endswith(")")]


def test_an_open_circuit_and_what_is_paused_for_it_are_a_line_each(ground: Ground, backstop: Command) -> None:
    ground.open("payments", "shop-process")
    ground.reconcile()
    assert hindrances(backstop) == [
        "circuit payments is open since 2026-01-05 09:00:00 UTC: 5 failures in a row (backstop circuits)",
        "events: paused since 2026-01-05 09:00:00 UTC because of circuit payments, until 2026-01-05 10:00:00 UTC "
        "(backstop recovery)",
    ]


def test_a_circuit_that_is_half_open_is_not_well_yet(ground: Ground, clock: VirtualClock, backstop: Command) -> None:
    seen = ground.open()
    opens_again_at = seen.opens_again_at()
    assert opens_again_at is not None
    clock.advance_to(opens_again_at)
    assert ground.circuits.elect(seen, "environment-2", clock.now(), clock.now())
    assert "circuit payments is half-open since" in hindrances(backstop)[0]


def test_what_hinders_is_told_to_programs(ground: Ground, backstop: Command) -> None:
    ground.open()
    backstop("pause", "events", "--yes")
    told: Any = json.loads(backstop("status", "--json").out)
    assert told["open_circuits"] == [{"circuit": "payments", "state": "open", "since": "2026-01-05T09:00:00.000+00:00"}]
    assert told["paused_intakes"] == [
        {
            "intake": "events",
            "cause": f"person {WHO}",
            "since": "2026-01-05T09:00:00.000+00:00",
            "until": "2026-01-05T10:00:00.000+00:00",
        }
    ]


def test_where_nothing_hinders_nothing_is_said(ground: Ground, backstop: Command) -> None:
    ground.open()
    backstop("circuits", "close", "payments", "--yes")
    assert hindrances(backstop) == []
    told = json.loads(backstop("status", "--json").out)
    assert (told["open_circuits"], told["paused_intakes"]) == ([], [])


def test_a_stack_of_an_earlier_release_has_neither(ground: Ground, backstop: Command) -> None:
    ground.open()
    del ground.stack._outputs["RecoveryLogTableName"]
    assert hindrances(backstop) == []


def test_what_a_terminal_would_obey_is_spelled_out(ground: Ground, backstop: Command) -> None:
    ground.open("payments", why=HOSTILE)
    assert r"x\u001b[2J\u202e\u000d[red]" in hindrances(backstop)[0]


def test_a_table_that_does_not_answer_is_a_sentence(faults: Faults, backstop: Command) -> None:
    faults.fail_always("Scan", Fault.DENIED)
    ran = backstop("status")
    assert (ran.exit_code, ran.out) == (2, "")
    assert ran.err.startswith("backstop: the table of circuits did not answer")
