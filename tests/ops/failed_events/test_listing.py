"""Where the events of a group are now, those that failed last first, each once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from backstop.aws.failed_events import spread
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command, Ran
from tests.ops.groups.ground import HOSTILE, A, B, Ground, is_harmless
from tests.ops.keys.conftest import Rows

LIST = ("events", "list", "--group")


def told(ran: Ran) -> Any:
    assert (ran.exit_code, ran.err) == (0, "")
    return json.loads(ran.out)


def events(ran: Ran) -> list[tuple[str, str]]:
    return [(one["event_id"], one["state"]) for one in told(ran)["events"]]


@pytest.fixture
def ten(ground: Ground, clock: VirtualClock) -> None:
    """Let ten events fail, a minute apart; each third one is dead a minute later."""
    for number in range(10):
        ground.fail(A, f"e-{number}")
        clock.advance(timedelta(minutes=1))
        if number % 3 == 0:
            ground.fail(A, f"e-{number}", verdict="Dead", dead_because="permanent", attempt=2)


@pytest.mark.usefixtures("ten")
class TestAGroup:
    def test_has_each_event_once_the_last_to_fail_first(self, ground: Ground, backstop: Command) -> None:
        ground.fail(B, "other")
        expected = [(f"e-{number}", "retrying" if number % 3 else "dead") for number in reversed(range(10))]
        assert events(backstop(*LIST, A, "--json")) == expected
        assert len({spread(A, f"e-{number}") for number in range(10)}) > 3  # or the order would prove nothing

    def test_is_told_to_a_person(self, backstop: Command, rows: Rows) -> None:
        assert rows(backstop(*LIST, A, "--limit", "2")) == [
            ["event", "state", "since", "attempt", "next try", "why"],
            ["e-9", "dead", "0 s ago", "2", "", "permanent: PriceNotPublished in prices:find"],
            ["e-8", "retrying", "2 min ago", "1", "", "PriceNotPublished in prices:find"],
        ]

    def test_of_many_says_that_there_are_more(self, backstop: Command) -> None:
        assert "The 9 that failed last; --limit shows more.\n" in backstop(*LIST, A, "--limit", "9").out
        assert "--limit" not in backstop(*LIST, A, "--limit", "10").out
        assert told(backstop(*LIST, A, "--limit", "9", "--json"))["has_more"] is True

    @pytest.mark.parametrize(
        ("words", "shown"),
        [
            (("--state", "dead"), [9, 6, 3, 0]),
            (("--since", "3m"), [9, 8, 7, 6]),
            (("--since", "2026-01-05T09:08:00"), [9, 8]),
            (("--since", "2026-01-05T09:08:00.001"), [9]),
            (("--state", "dead", "--since", "3m"), [9, 6]),
            (("--state", "dead", "--limit", "1"), [9]),
            (("--state", "parked"), []),
        ],
        ids=["dead", "3 min", "a time", "later", "dead of late", "the last dead", "parked"],
    )
    def test_is_narrowed(self, words: tuple[str, ...], shown: list[int], backstop: Command) -> None:
        assert [name for name, _ in events(backstop(*LIST, A, "--json", *words))] == [f"e-{n}" for n in shown]

    def test_has_none_that_are_where_nobody_is(self, backstop: Command) -> None:
        ran = backstop(*LIST, A, "--state", "parked")
        assert ran == (0, f"No failed events of group g{A} are known that are parked.\n", "")


class TestWhereAnEventIs:
    def test_is_read_of_the_event_whatever_befell_it_since(
        self, ground: Ground, clock: VirtualClock, backstop: Command, rows: Rows
    ) -> None:
        for event in ("moved", "done", "stays"):
            ground.fail(A, event, verdict="Dead")
        clock.advance(timedelta(minutes=1))
        ground.fail(B, "moved", error_type="Timeout")
        ground.fail("", "done", verdict="Done", error_type="", where="")
        assert dict(events(backstop(*LIST, A, "--json"))) == {
            "moved": "retrying",
            "done": "recovered",
            "stays": "dead",
        }
        assert events(backstop(*LIST, A, "--state", "dead", "--json")) == [("stays", "dead")]
        whys = {row[0]: row[5] for row in rows(backstop(*LIST, A))}
        assert whys["moved"] == f"Timeout in prices:find (now g{B})"

    def test_is_told_as_the_index_has_it_where_the_event_is_forgotten(
        self, ground: Ground, backstop: Command, faults: Faults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ground.fail(A, "e-1")
        monkeypatch.setattr("ops.failed_events.history.of_event", lambda *_: [])
        assert events(backstop(*LIST, A, "--json")) == [("e-1", "retrying")]

    def test_costs_no_question_about_events_that_are_not_looked_for(
        self, ground: Ground, faults: Faults, backstop: Command
    ) -> None:
        for number in range(40):
            ground.fail(A, f"e-{number}")
        backstop(*LIST, A, "--state", "dead")
        assert faults.calls["Query"] == 8  # one a partition


class TestManyEvents:
    def test_more_than_a_page_are_told_in_order(self, ground: Ground, clock: VirtualClock, backstop: Command) -> None:
        puts = []
        for number in range(1000):
            event, at = f"e-{number:04}", clock.now() + timedelta(seconds=number)
            row = {"event_id": event, "at": f"{at.isoformat(timespec='milliseconds')}#{number:012}", "state": "dead"}
            texts = row | {"group": A, "spread": spread(A, event)}
            puts.append({"PutRequest": {"Item": {name: {"S": value} for name, value in texts.items()}}})
        for start in range(0, len(puts), 25):
            ground.client.batch_write_item(RequestItems={"events": puts[start : start + 25]})
        ground.fail(A, "first", times=1, verdict="Dead")
        found = [name for name, _ in events(backstop(*LIST, A, "--json", "--limit", "1001"))]
        assert found[:999] == [f"e-{number:04}" for number in reversed(range(1, 1000))]
        assert sorted(found[999:]) == ["e-0000", "first"]


class TestHostile:
    def test_what_a_terminal_would_obey_is_spelled_out(self, ground: Ground, backstop: Command) -> None:
        ground.fail(A, HOSTILE, error_type=HOSTILE, where=HOSTILE, next_at=HOSTILE)
        ran = backstop(*LIST, A)
        assert r"x\u001b[2J\u202e\u000d[red]" in ran.out
        assert is_harmless(ran)

    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (("--group", "c" * 16), 1),
            (("--group", "nobody"), 2),
            ((), 2),
            (("--group", A, "--state", "lost"), 2),
            (("--group", A, "--since", "soon"), 2),
            (("--group", A, "--limit", "0"), 2),
        ],
        ids=["unknown", "no name", "no group", "no state", "no time", "no limit"],
    )
    def test_wrong_words_are_called_wrong(
        self, words: tuple[str, ...], code: int, ground: Ground, backstop: Command
    ) -> None:
        ground.fail(A)
        ran = backstop("events", "list", *words)
        assert (ran.exit_code, ran.out) == (code, "")

    @pytest.mark.parametrize("operation", ["GetItem", "Query"])
    def test_a_table_that_does_not_answer_is_a_sentence(
        self, operation: str, ground: Ground, faults: Faults, backstop: Command
    ) -> None:
        ground.fail(A)
        faults.fail_always(operation, Fault.DENIED)
        ran = backstop(*LIST, A)
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err.startswith("backstop: AWS refused ")
