"""What operators changed: who, what, how many, when, and what came of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from ops import audit
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command, Ran
from tests.ops.groups.ground import HOSTILE, WHO, A, Ground, backstop, clock, faults, ground, is_harmless, stack
from tests.ops.keys.conftest import Rows, rows

__all__ = ["backstop", "clock", "faults", "ground", "rows", "stack"]

TRAIL = "audit-trail"


def told(ran: Ran) -> Any:
    assert (ran.exit_code, ran.err) == (0, "")
    return json.loads(ran.out)


def commands(ran: Ran) -> list[str]:
    return [one["command"] for one in told(ran)["entries"]]


@pytest.fixture
def some(ground: Ground, clock: VirtualClock) -> None:
    """Let four things be done, 20 days apart: the first goes on, the second has failed."""
    audit.record(ground.stack, "redrive --group g1a2b", "redrive r1", 1000)
    for command, failure in (("keys skip k", "no answer"), ("keys retry k", ""), ("groups ack g1a2b", "")):
        clock.advance(timedelta(days=20))
        entry = audit.record(ground.stack, command, "key k", 1)
        audit.conclude(ground.stack, entry, failure)


@pytest.mark.usefixtures("some")
class TestTheTrail:
    def test_says_who_did_what_to_how_many_when_and_what_came_of_it(self, backstop: Command, rows: Rows) -> None:
        ran = backstop(TRAIL, "--since", "90d")
        assert (ran.exit_code, ran.err) == (0, "")
        assert rows(ran) == [
            ["at", "who", "command", "count", "result"],
            ["2026-03-06T09:00:00.000Z", WHO, "groups ack g1a2b", "1", "done"],
            ["2026-02-14T09:00:00.000Z", WHO, "keys retry k", "1", "done"],
            ["2026-01-25T09:00:00.000Z", WHO, "keys skip k", "1", "failed: no answer"],
            [
                "2026-01-05T09:00:00.000Z",
                WHO,
                "redrive --group g1a2b",
                "1,000",
                "begun: it goes on, or was interrupted",
            ],
        ]

    def test_is_told_to_programs(self, backstop: Command) -> None:
        found = told(backstop(TRAIL, "--since", "90d", "--json"))
        assert found["has_more"] is False
        assert found["entries"][3] == {
            "at": "2026-01-05T09:00:00.000Z",
            "who": WHO,
            "command": "redrive --group g1a2b",
            "subject": "redrive r1",
            "count": 1000,
            "result": "begun",
            "is_concluded": False,
        }
        assert [one["is_concluded"] for one in found["entries"]] == [True, True, True, False]

    @pytest.mark.parametrize(
        ("words", "shown"),
        [
            ((), ["groups ack g1a2b", "keys retry k"]),
            (("--since", "1d"), ["groups ack g1a2b"]),
            (("--since", "2026-01-25T09:00"), ["groups ack g1a2b", "keys retry k", "keys skip k"]),
            (("--since", "90d", "--command", "keys"), ["keys retry k", "keys skip k"]),
            (("--since", "90d", "--command", "skip"), ["keys skip k"]),
            (("--since", "90d", "--command", "keys skip"), ["keys skip k"]),
            (("--since", "90d", "--command", "skip keys"), []),
            (("--since", "90d", "--command", "key"), []),
            (("--since", "90d", "--command", "g1a2b"), ["groups ack g1a2b", "redrive --group g1a2b"]),
            (("--since", "90d", "--limit", "1", "--command", "keys"), ["keys retry k"]),
        ],
        ids=[
            "30 days",
            "a day",
            "a time",
            "a word",
            "another",
            "two words",
            "in their order",
            "a part",
            "a name",
            "one",
        ],
    )
    def test_is_narrowed(self, words: tuple[str, ...], shown: list[str], backstop: Command) -> None:
        assert commands(backstop(TRAIL, "--json", *words)) == shown

    def test_of_which_there_is_more_says_so(self, backstop: Command) -> None:
        assert "The newest 1; --limit shows more.\n" in backstop(TRAIL, "--limit", "1").out
        assert told(backstop(TRAIL, "--limit", "1", "--json"))["has_more"] is True
        assert "--limit" not in backstop(TRAIL, "--limit", "2").out


class TestNothing:
    def test_is_a_sentence(self, backstop: Command) -> None:
        assert backstop(TRAIL) == (0, "Nothing was changed since 2025-12-06 09:00 UTC.\n", "")
        ran = backstop(TRAIL, "--command", "keys skip")
        assert ran.out == "Nothing was changed by keys skip since 2025-12-06 09:00 UTC.\n"
        assert told(backstop(TRAIL, "--json")) == {"entries": [], "has_more": False}


class TestWhatGroupsAreDecided:
    @pytest.mark.parametrize(
        "words", [("ack",), ("silence", "--for", "2h"), ("resolve",), ("reopen",), ("note", "mine")], ids=" ".join
    )
    def test_is_in_the_trail(self, words: tuple[str, ...], ground: Ground, backstop: Command) -> None:
        ground.fail(A)
        backstop("groups", words[0], A, *words[1:])
        assert commands(backstop(TRAIL, "--json")) == [" ".join(["groups", words[0], f"g{A}", *words[1:]])]


class TestHostile:
    def test_what_a_terminal_would_obey_is_spelled_out(self, ground: Ground, backstop: Command) -> None:
        entry = audit.record(ground.stack, f"keys skip {HOSTILE}", f"key {HOSTILE}", 1)
        audit.conclude(ground.stack, entry, HOSTILE)
        ran = backstop(TRAIL)
        assert ran.out.count(r"x\u001b[2J\u202e\u000d[red]") == 2
        assert is_harmless(ran)
        assert is_harmless(backstop(TRAIL, "--command", HOSTILE))

    @pytest.mark.parametrize(
        "words", [("--since", "soon"), ("--limit", "0"), ("--limit", "many"), ("keys",)], ids=" ".join
    )
    def test_wrong_words_are_called_wrong(self, words: tuple[str, ...], backstop: Command) -> None:
        ran = backstop(TRAIL, *words)
        assert (ran.exit_code, ran.out) == (2, "")

    @pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.UNREACHABLE])
    def test_a_table_that_does_not_answer_is_a_sentence(self, fault: Fault, faults: Faults, backstop: Command) -> None:
        faults.fail("Query", fault)
        ran = backstop(TRAIL)
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err.startswith("backstop: AWS ")

    def test_a_stack_that_keeps_no_trail_is_named(self, stack: Stack, backstop: Command) -> None:
        del stack._outputs["AuditTableName"]
        assert "no output AuditTableName" in backstop(TRAIL).err
