"""All that is known of one key, whatever its name; bodies only where they are asked for."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from backstop.parking import State
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command, Ran
from tests.ops.keys.conftest import Rows
from tests.ops.keys.ground import REASON, Ground

NINE = "2026-01-05T09:00:00.000+00:00"
WHO = "arn:aws:sts::123456789012:user/moto"


def told(ran: Ran) -> Any:
    return json.loads(ran.out)


def test_a_key_is_told_with_what_befell_its_head_and_what_waits_behind_it(ground: Ground, keys: Command) -> None:
    ground.park("k", "a", "b", state=State.HELD)
    ran = keys("show", "k", "--json")
    assert ran.exit_code == 0
    assert told(ran) == {
        "key": "k",
        "state": "held",
        "since": NINE,
        "waiting": 2,
        "next_try": None,
        "is_rid_of_its_head": False,
        "head": {
            "event": "a",
            "attempt": 3,
            "kind": "permanent",
            "error_type": "OutOfOrder",
            "reason": REASON,
            "dead_because": "permanent",
            "first_failed_at": "2026-01-05T08:00:00.000+00:00",
            "last_failed_at": NINE,
        },
        "events": [
            {"sequence": "1000", "event": "a", "sent_at": "2026-01-05T08:59:00.000+00:00", "blocked_by": ""},
            {"sequence": "1002", "event": "b", "sent_at": "2026-01-05T08:59:00.000+00:00", "blocked_by": "a"},
        ],
        "done": [],
    }


def test_a_person_is_told_the_same(ground: Ground, keys: Command, rows: Rows) -> None:
    ground.park("k", "a", "b", due=42)
    told_rows = rows(keys("show", "k"))
    facts = dict(row for row in told_rows if len(row) == 2)
    assert facts == {
        "key": "k",
        "state": "waiting",
        "since": NINE,
        "next try": "in 42 s",
        "event": "a",
        "attempt": "3",
        "kind": "permanent",
        "error type": "OutOfOrder",
        "reason": REASON,
        "first failed at": "2026-01-05T08:00:00.000+00:00",
        "last failed at": NINE,
    }
    assert [row[1] for row in told_rows if len(row) == 4] == ["event", "a", "b"]


@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["person", "program"])
def test_bodies_are_told_only_where_they_are_asked_for(as_json: tuple[str, ...], ground: Ground, keys: Command) -> None:
    ground.park("k", "a", "b")
    assert "Zanzibar" not in "".join(keys("show", "k", *as_json)[1:])
    assert keys("show", "k", "--reveal", *as_json).out.count("Zanzibar") == 2


def test_the_first_fifty_events_are_told_and_how_many_are_not(ground: Ground, keys: Command) -> None:
    ground.park("k", *(f"e-{number}" for number in range(53)))
    assert len(told(keys("show", "k", "--json"))["events"]) == 50
    assert "50 of 53 events; --limit shows more.\n" in keys("show", "k").out
    assert [one["event"] for one in told(keys("show", "k", "--json", "--limit", "2"))["events"]] == ["e-0", "e-1"]
    assert "--limit" not in keys("show", "k", "--limit", "53").out


def test_what_operators_did_to_it_is_told_the_newest_first_and_nothing_that_was_done_to_others(
    ground: Ground, clock: VirtualClock, keys: Command
) -> None:
    for key in ("k", "other"):
        ground.park(key, "a", "b", state=State.HELD)
        assert keys("retry", key, "--yes").exit_code == 0
    clock.advance(timedelta(days=40))
    assert keys("skip", "k", "--event", "b", "--yes").exit_code == 1
    assert keys("discard", "k", "--event", "a", "--yes").exit_code == 0
    assert told(keys("show", "k", "--json"))["done"] == [
        {
            "at": "2026-02-14T09:00:00.000Z",
            "who": WHO,
            "command": "keys discard --event a --yes k",
            "count": 1,
            "result": "done",
        },
        {"at": "2026-01-05T09:00:00.000Z", "who": WHO, "command": "keys retry --yes k", "count": 1, "result": "done"},
    ]


class TestAKeyThatDoesNotWait:
    @pytest.mark.parametrize(
        "key", ["nobody", "", "\udcff", "x" * 3000, "totals"], ids=["unknown", "empty", "no text", "long", "totals"]
    )
    @pytest.mark.parametrize("verb", ["show", "retry", "skip", "discard"])
    def test_is_a_sentence_and_a_no(self, verb: str, key: str, ground: Ground, keys: Command) -> None:
        ground.table.count(ground.clock.now())  # which keeps its own item in the table
        ran = keys(verb, key)
        assert (ran.exit_code, ran.out) == (1, "")
        assert ran.err.startswith("backstop: no events of key ")
        assert ran.err.endswith(" are parked\n")

    def test_is_told_to_programs(self, keys: Command) -> None:
        ran = keys("show", "nobody", "--json")
        assert (ran.exit_code, told(ran)) == (1, {"key": "nobody", "state": None, "done": []})

    def test_still_tells_what_was_done_to_it(self, ground: Ground, keys: Command) -> None:
        ground.park("k", state=State.HELD)
        keys("discard", "k", "--yes")
        assert ground.table.unlock(ground.lease("k"))
        assert "keys discard --yes k" in keys("show", "k").out


class TestNames:
    @pytest.mark.parametrize("key", ["show", "retry", "--yes", "-x", "--", "a b", "[red]", "*"])
    def test_any_key_can_be_named(self, key: str, ground: Ground, keys: Command) -> None:
        ground.park(key, "a")
        assert told(keys("show", "--json", "--", key))["key"] == key

    @pytest.mark.parametrize(
        "words",
        [
            pytest.param(("--stack", "other", "discard", "k", "--yes"), id="stack"),
            pytest.param(("--local", "discard", "k", "--yes"), id="local"),
            pytest.param(("--limit", "100", "discard", "k", "--yes"), id="even if it says what holds anyway"),
            pytest.param(("discard",), id="no key"),
            pytest.param(("discard", "k", "l"), id="two keys"),
            pytest.param(("k",), id="a command that is none"),
            pytest.param(("--state", "dead"), id="a state that is none"),
            pytest.param(("show", "k", "--limit", "0"), id="no events"),
        ],
    )
    def test_wrong_words_are_called_wrong_and_do_nothing(
        self, words: tuple[str, ...], ground: Ground, keys: Command
    ) -> None:
        """An option before the command would be about another stack than the one that the command acts on."""
        ground.park("k", state=State.HELD)
        before = ground.snapshot()
        ran = keys(*words)
        assert (ran.exit_code, ran.out, "Usage: " in ran.err) == (2, "", True)
        assert ground.snapshot() == before


class TestHostile:
    def test_what_a_terminal_would_obey_is_spelled_out(self, ground: Ground, keys: Command) -> None:
        ground.park("k\x1b[2J", "a\x07", "b\x9b", state=State.HELD, reason="why\x1b]0;title\x07")
        ran = keys("show", "k\x1b[2J", "--reveal")
        assert r"k\u001b[2J" in ran.out
        assert r"why\u001b]0;title\u0007" in ran.out
        assert not [one for one in ran.out if not one.isprintable() and one != "\n"]

    def test_a_history_that_was_not_written_here_is_told_as_far_as_it_can_be_true(
        self, ground: Ground, keys: Command
    ) -> None:
        ground.park("k", attempt=10**9, error_type="\x1b[31m", kind="evil", source_queue="elsewhere")
        head = told(keys("show", "k", "--json"))["head"]
        assert (head["attempt"], head["error_type"], head["kind"]) == (1000, "", "")

    def test_a_table_that_does_not_answer_is_a_sentence(self, ground: Ground, faults: Faults, keys: Command) -> None:
        ground.park("k")
        faults.fail("GetItem", Fault.DENIED)
        ran = keys("show", "k")
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err == "backstop: the table of parked events did not answer: AccessDeniedException\n"
