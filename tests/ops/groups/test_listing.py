"""Which groups there are, in which order, and that nothing that stands in them does harm."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from backstop.kinds import Kind
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command, Ran
from tests.ops.groups.ground import HOSTILE, A, B, Ground, is_harmless

HEADER = [["group"], ["what"], ["times", "last hour"], ["now"], ["seen"]]


def told(ran: Ran) -> Any:
    assert (ran.exit_code, ran.err) == (0, "")
    return json.loads(ran.out)


def cells(ran: Ran) -> list[list[list[str]]]:
    """Return the table's rows, a row its cells, a cell its lines."""
    found: list[Any] = [[]]
    for line in ran.out.splitlines():
        if line[:1] in {"┡", "├", "└"}:
            found.append([])
        elif line[:1] in {"│", "┃"}:
            found[-1].append([cell.strip() for cell in re.split("[│┃]", line)[1:-1]])
    return [[[line for line in cell if line] for cell in zip(*row, strict=True)] for row in found if row]


def names(ran: Ran) -> list[str]:
    return [one["group"] for one in told(ran)["groups"]]


class TestAGroup:
    def test_is_told_with_what_fails_how_often_and_since_when(
        self, ground: Ground, clock: VirtualClock, backstop: Command
    ) -> None:
        ground.fail(times=1200)
        clock.advance(timedelta(hours=3))
        ground.fail(times=34, release="1.5.0")
        clock.advance(timedelta(minutes=5))
        ran = backstop("groups")
        assert (ran.exit_code, ran.err) == (0, "")
        assert cells(ran) == [
            HEADER,
            [
                [f"g{A}", "open", "warning"],
                ["PriceNotPublished in prices:find", "transient, shop-process", "tried again"],
                ["1,234", "··········█·"],
                ["1 retrying"],
                ["first 3 h ago", "last 5 min ago", "in 1.5.0 (and 1", "more)"],
            ],
        ]

    def test_is_told_whole_where_the_terminal_has_100_columns(
        self, ground: Ground, backstop: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ground.fail(times=1234)
        for number in range(12):
            ground.fail(A, f"p-{number}", verdict="Park", release=f"1.4.{number}")
        long: dict[str, Any] = {"error_type": "PriceNotPublishedYet", "where": "shop.prices.catalogue:find_price"}
        ground.fail(A, "e-2", verdict="Dead", function="shop-prod-process-1A2B3C4D5E6F", release="1.4.11", **long)
        monkeypatch.setenv("COLUMNS", "100")
        ran = backstop("groups")
        _, (name, what, times, now, seen) = cells(ran)
        assert max(map(len, ran.out.splitlines())) <= 100
        assert name == [f"g{A}", "open", "error"]
        assert "".join("".join(what).split()) == (
            "PriceNotPublishedYetinshop.prices.catalogue:find_pricetransient,shop-prod-process-1A2B3C4D5E6Fdeadletters"
        )
        assert (times, now) == (["1,247", "···········█"], ["1 dead", "12 parked", "1 retrying"])
        assert " ".join(seen) == "first 0 s ago last 0 s ago in 1.4.11 (and 11 more)"
        assert len(ran.out.splitlines()) <= 12

    def test_is_told_to_programs(self, ground: Ground, backstop: Command) -> None:
        ground.fail()
        nine = "2026-01-05T09:00:00.000+00:00"
        assert told(backstop("groups", "--json")) == {
            "groups": [
                {
                    "group": f"g{A}",
                    "state": "open",
                    "severity": "warning",
                    "kind": "transient",
                    "error_type": "PriceNotPublished",
                    "where": "prices:find",
                    "function": "shop-process",
                    "queue": "shop-events",
                    "stage": "prod",
                    "verdict": "Retry",
                    "occurrences": 1,
                    "first_seen": nine,
                    "last_seen": nine,
                    "release": "1.4.0",
                    "releases": ["1.4.0"],
                    "note": "",
                    "dead": 0,
                    "parked": 0,
                    "retrying": 1,
                    "is_capped": False,
                    "last_hour": [0] * 11 + [1],
                }
            ],
            "total": 1,
            "older": 0,
            "unread": [],
            "uncounted": "",
        }

    @pytest.mark.parametrize(
        ("known", "what"),
        [
            ({"error_type": "", "where": ""}, "failure in shop-process"),
            ({"error_type": "", "where": "", "function": ""}, "failure"),
            ({"where": ""}, "PriceNotPublished in shop-process"),
        ],
        ids=["no type", "nothing known", "no place"],
    )
    def test_of_which_little_is_known_is_told_all_the_same(
        self, known: dict[str, Any], what: str, ground: Ground, backstop: Command
    ) -> None:
        ground.fail(**known)
        assert cells(backstop("groups"))[1][1][0] == what


class TestOrder:
    @pytest.fixture(autouse=True)
    def some(self, ground: Ground, clock: VirtualClock, backstop: Command) -> None:
        """Let groups fail one after the other; those of 1 are of one state, those of 2 of another, and so on."""
        known: dict[str, dict[str, Any]] = {
            "1c": {"verdict": "Retry"},
            "1d": {"verdict": "Retry"},
            "1b": {"verdict": "Dead"},
            "1a": {"verdict": "Retry", "kind": Kind.SYSTEM},
            "2": {"verdict": "Dead"},
            "3": {"verdict": "Dead"},
            "4": {"verdict": "Dead"},
        }
        for name, fields in known.items():
            ground.fail(name.ljust(16, "0"), **fields)
            clock.advance(timedelta(minutes=1))
        for words in (("ack", "2"), ("silence", "3", "--for", "2h"), ("resolve", "4")):
            assert backstop("groups", *words).exit_code == 0

    def test_open_ones_come_first_then_the_most_urgent_then_the_latest(self, backstop: Command) -> None:
        ordered = [name.rstrip("0").removeprefix("g") for name in names(backstop("groups", "--json"))]
        assert ordered == ["1a", "1b", "1d", "1c", "2", "3", "4"]

    @pytest.mark.parametrize(
        ("state", "shown"), [("open", 4), ("acked", 1), ("silenced", 1), ("resolved", 1)], ids=lambda value: str(value)
    )
    def test_a_state_leaves_out_the_others(self, state: str, shown: int, backstop: Command) -> None:
        found = told(backstop("groups", "--json", "--state", state))
        assert ([one["state"] for one in found["groups"]], found["total"]) == ([state] * shown, shown)

    def test_a_silence_says_how_long_it_lasts_and_ends(self, clock: VirtualClock, backstop: Command) -> None:
        clock.advance(timedelta(minutes=30))
        assert cells(backstop("groups", "--state", "silenced"))[1][0][1] == "silenced, 90 min left"
        clock.advance(timedelta(minutes=90))
        assert backstop("groups", "--state", "silenced").out == "No group is silenced.\n"

    def test_a_limit_says_what_it_leaves_out(self, backstop: Command) -> None:
        ran = backstop("groups", "--limit", "2")
        assert len(cells(ran)) == 3
        assert "2 of 7 groups; --limit shows more.\n" in ran.out
        assert told(backstop("groups", "--limit", "2", "--json"))["total"] == 7


class TestAge:
    @pytest.fixture(autouse=True)
    def two(self, ground: Ground, clock: VirtualClock) -> None:
        """Let one group fail 20 days ago, and one 1 hour ago."""
        ground.fail(A)
        clock.advance(timedelta(days=20))
        ground.fail(B)
        clock.advance(timedelta(hours=1))

    @pytest.mark.parametrize(
        ("words", "shown"),
        [
            ((), [B]),
            (("--all",), [B, A]),
            (("--since", "30m"), []),
            (("--since", "2h"), [B]),
            (("--since", "30d"), [B, A]),
            (("--since", "2026-01-25T09:00"), [B]),
            (("--since", "2026-01-25T10:00+01:00"), [B]),
            (("--since", "2026-01-25T09:01"), []),
        ],
        ids=["14 days", "all", "30 min", "2 h", "30 days", "a time", "a time elsewhere", "a later time"],
    )
    def test_what_was_not_seen_lately_is_left_out(
        self, words: tuple[str, ...], shown: list[str], backstop: Command
    ) -> None:
        ran = backstop("groups", "--json", *words)
        assert names(ran) == [f"g{group}" for group in shown]
        assert told(ran)["older"] == 2 - len(shown)

    def test_that_something_is_left_out_is_said(self, backstop: Command) -> None:
        assert "Left out, as last seen before that: 1; --all shows them.\n" in backstop("groups").out
        ran = backstop("groups", "--since", "30m")
        assert ran.out.startswith("Nothing has failed since 2026-01-25 09:30 UTC.\nLeft out")


class TestNothing:
    def test_an_empty_table_is_a_sentence(self, backstop: Command) -> None:
        assert backstop("groups") == (0, "No failures are known.\n", "")
        assert told(backstop("groups", "--json")) == {
            "groups": [],
            "total": 0,
            "older": 0,
            "unread": [],
            "uncounted": "",
        }

    def test_counters_are_no_groups(self, ground: Ground, backstop: Command) -> None:
        ground.change("#firsts#5896476", firsts={"N": "3"})
        assert backstop("groups") == (0, "No failures are known.\n", "")


class TestMany:
    def test_each_of_more_groups_than_a_page_holds_is_told_once(
        self, ground: Ground, faults: Faults, backstop: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ops.groups.counts.rows_of_group", lambda *_: iter(()))  # 20,000 questions take their time
        ground.fail(A, error="e" * 1500)
        item = ground.item(A)
        groups = [f"{number:016x}" for number in range(2500)]
        for start in range(0, len(groups), 25):
            puts = [{"PutRequest": {"Item": item | {"group": {"S": one}}}} for one in groups[start : start + 25]]
            ground.client.batch_write_item(RequestItems={"groups": puts})
        ran = backstop("groups", "--json", "--limit", "10000")
        assert sorted(names(ran)) == sorted(f"g{group}" for group in [*groups, A])
        assert faults.calls["Scan"] > 1
        assert told(backstop("groups", "--json"))["total"] == 2501
        assert len(names(backstop("groups", "--json"))) == 50


class TestHostile:
    def test_what_a_terminal_would_obey_is_spelled_out(self, ground: Ground, backstop: Command) -> None:
        ground.fail(error_type=HOSTILE, where=HOSTILE, release=HOSTILE, function=HOSTILE)
        ran = backstop("groups")
        assert cells(ran)[1][1][0].startswith(r"x\u001b[2J\u202e\u000d[red] in x")
        assert is_harmless(ran)

    def test_a_group_that_is_not_as_it_was_written_hides_no_other(self, ground: Ground, backstop: Command) -> None:
        ground.fail(A)
        ground.change(B, occurrences={"N": "3"})
        ran = backstop("groups")
        assert (ran.exit_code, f"g{A}" in ran.out) == (0, True)
        assert ran.err.startswith(f"backstop: not read: the item of group {B} is not as it was written")
        assert len(json.loads(backstop("groups", "--json").out)["unread"]) == 1

    def test_a_group_is_not_folded_where_the_terminal_is_narrow(
        self, ground: Ground, backstop: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is copied into the next command."""
        ground.fail()
        monkeypatch.setenv("COLUMNS", "80")
        assert f"g{A}" in backstop("groups").out

    @pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.UNREACHABLE])
    def test_a_table_that_does_not_answer_is_a_sentence(self, fault: Fault, faults: Faults, backstop: Command) -> None:
        faults.fail_always("Scan", fault)
        ran = backstop("groups")
        assert (ran.exit_code, ran.out) == (2, "")
        assert ran.err.startswith("backstop: AWS ")

    def test_a_stack_that_watches_nothing_is_named(self, stack: Stack, backstop: Command) -> None:
        del stack._outputs["FailureGroupsTableName"]
        ran = backstop("groups")
        assert (ran.exit_code, "no output FailureGroupsTableName" in ran.err) == (2, True)
