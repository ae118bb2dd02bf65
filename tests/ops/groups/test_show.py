"""All that is known of one group, and why its failures are one."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from backstop.aws.groups_table import GroupsTable
from backstop.budget import Reason, Slot, confirmed, taken
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command, Ran
from tests.ops.groups.ground import BUDGET, HOSTILE, PARTS, WHO, A, B, Ground, is_harmless
from tests.ops.keys.conftest import Rows

NINE = "2026-01-05T09:00:00.000+00:00"


def told(ran: Ran) -> Any:
    assert (ran.exit_code, ran.err) == (0, "")
    return json.loads(ran.out)


def alert(ground: Ground, *, arrives: bool) -> None:
    """Take a slot of the group's window, as a watcher does that tells people."""
    table = GroupsTable(ground.client, "groups", BUDGET)
    _, window = table.look(A) or pytest.fail("no window")
    slots, slot = taken(window.slots, Slot(Reason.FIRST, 1, (1,)), ground.clock.now())
    assert table.replace(window, confirmed(slots, slot) if arrives else slots)


class TestShow:
    def test_tells_programs_all_that_is_known(self, ground: Ground, clock: VirtualClock, backstop: Command) -> None:
        ground.fail(A, times=3)
        clock.advance(timedelta(hours=2))
        ground.fail(A, "e-2", verdict="Dead", dead_because="exhausted", attempt=6)
        alert(ground, arrives=True)
        backstop("groups", "ack", A)
        backstop("groups", "note", A, "mine")
        found = told(backstop("groups", "show", A, "--json"))
        eleven = "2026-01-05T11:00:00.000+00:00"
        assert (found["group"], found["state"], found["occurrences"]) == (f"g{A}", "acked", 4)
        assert (found["first_seen"], found["last_seen"]) == (NINE, eleven)
        assert (found["error"], found["event_id"]) == ("no price of <sku> yet", "e-2")
        assert found["window"] == {"opened": eleven, "count": 1, "alerts": 1, "in_doubt": 0, "is_over": False}
        assert found["windows_before"] == [{"opened": NINE, "count": 3}]
        assert (found["acked_at"], found["acked_by"], found["resolved_at"]) == (eleven, WHO, None)
        assert (found["note"], found["noted_by"], found["silenced_by"]) == ("mine", WHO, "")
        assert [(one["event_id"], one["state"], one["at"]) for one in found["events"]] == [
            ("e-2", "dead", eleven),
            ("e-1", "retrying", NINE),
        ]
        assert (found["dead"], found["parked"], found["retrying"], found["uncounted"]) == (1, 0, 1, "")
        assert (found["last_hour"], found["is_capped"]) == ([0] * 11 + [1], False)
        done = {one["command"]: one["result"] for one in found["done"]}
        assert done == {f"groups note g{A} mine": "done", f"groups ack g{A}": "done"}

    def test_tells_a_person_the_same(self, ground: Ground, clock: VirtualClock, backstop: Command, rows: Rows) -> None:
        ground.fail(A, times=3)
        clock.advance(timedelta(hours=2))
        ground.fail(A, "e-2", times=1200, verdict="Dead", dead_because="exhausted", attempt=6)
        alert(ground, arrives=False)
        clock.advance(timedelta(minutes=5))
        backstop("groups", "silence", A, "--for", "2h")
        ran = backstop("groups", "show", A)
        assert (ran.exit_code, ran.err) == (0, "")
        facts = dict(row for row in rows(ran) if len(row) == 2)
        assert facts == {
            "opened": "times",
            NINE: "3",
            "group": f"g{A}",
            "state": "silenced, 2 h left",
            "severity": "error",
            "what": "PriceNotPublished in prices:find",
            "kind": "transient",
            "function": "shop-process",
            "queue": "shop-events",
            "stage": "prod",
            "becomes": "dead letters",
            "times": "1,203",
            "first seen": f"{NINE} (2 h ago)",
            "last seen": "2026-01-05T11:00:00.000+00:00 (5 min ago)",
            "release": "1.4.0",
            "window": "1,200 times since 5 min ago; alerts sent: 1, 1 of them in doubt",
            "event": "e-2",
            "now": "1 dead, 1 retrying",
            "last hour": "··········█·",
            "silenced until": f"2026-01-05T13:05:00.000+00:00 by {WHO}",
        }
        assert ["e-2", "dead", "5 min ago", "6", "", "exhausted: PriceNotPublished in prices:find"] in rows(ran)
        assert "One of them says (values replaced): no price of <sku> yet\n" in ran.out
        assert f"groups silence g{A} --for 2h" in ran.out

    @pytest.mark.parametrize(
        ("decision", "offered"),
        [
            ((), ["ack", "silence", "resolve"]),
            (("ack", A), ["resolve", "reopen"]),
            (("resolve", A), ["reopen"]),
        ],
        ids=["open", "acked", "resolved"],
    )
    def test_says_what_can_be_typed_next_and_each_of_it_can(
        self, decision: tuple[str, ...], offered: list[str], ground: Ground, backstop: Command
    ) -> None:
        ground.fail(A)
        if decision:
            backstop("groups", *decision)
        ran = backstop("groups", "show", A)
        typed = [line.split()[1:] for line in ran.out.partition("Next:\n")[2].splitlines()]
        assert [line[1] for line in typed if line[0] == "groups"] == ["why", *offered]
        assert all(line[-2:] == ["--stack", "shop"] for line in typed)
        assert all(backstop(*line).exit_code == 0 for line in typed)

    def test_shows_as_many_events_as_are_asked_for(self, ground: Ground, backstop: Command) -> None:
        for number in range(13):
            ground.fail(A, f"e-{number}")
        for words, shown in (((), 10), (("--events", "0"), 0), (("--events", "20"), 13)):
            assert len(told(backstop("groups", "show", A, "--json", *words))["events"]) == shown

    def test_does_without_a_window_where_another_store_keeps_it(self, ground: Ground, backstop: Command) -> None:
        ground.fail(A)
        ground.client.update_item(
            TableName="groups", Key={"group": {"S": A}}, UpdateExpression="REMOVE window_opened, slots, window_count"
        )
        assert told(backstop("groups", "show", A, "--json"))["window"] is None
        assert "alerts sent" not in backstop("groups", "show", A).out

    def test_spells_out_what_a_terminal_would_obey(self, ground: Ground, backstop: Command) -> None:
        names = ("error_type", "error", "where", "function", "stage", "release", "queue", "key", "dead_because")
        hostile: dict[str, Any] = dict.fromkeys(names, HOSTILE)
        ground.fail(A, HOSTILE, verdict="Dead", **hostile)
        ground.change(A, note={"S": HOSTILE}, noted_by={"S": HOSTILE})
        ran = backstop("groups", "show", A)
        assert ran.exit_code == 0
        assert ran.out.count(r"x\u001b[2J\u202e\u000d[red]") > 8
        assert is_harmless(ran)

    def test_is_a_sentence_where_a_table_does_not_answer(
        self, ground: Ground, faults: Faults, backstop: Command
    ) -> None:
        ground.fail(A)
        for operation in ("GetItem", "Query"):
            faults.fail(operation, Fault.THROTTLED)
            ran = backstop("groups", "show", A)
            assert (ran.exit_code, ran.out) == (2, "")
            assert ran.err.startswith("backstop: AWS refused ")


class TestWhy:
    def test_says_what_the_failures_of_a_group_share(self, ground: Ground, backstop: Command) -> None:
        ground.fail(A)
        assert backstop("groups", "why", A) == (
            0,
            f"Failures are in group g{A} because\n"
            "  both are a PriceNotPublished\n"
            "  both passed through handler:handle\n"
            "  both passed through prices:find\n"
            "  grouped by version 2 of the fingerprint\n",
            "",
        )
        found = told(backstop("groups", "why", A, "--json"))
        assert (found["group"], found["parts"][1]) == (f"g{A}", ["type", "PriceNotPublished"])
        assert found["says"][0] == "both are a PriceNotPublished"

    def test_says_that_it_was_not_kept(self, ground: Ground, backstop: Command) -> None:
        ground.fail(A, parts=())
        ground.fail(B)
        for words in ((A,), (A, B), (B, A)):
            ran = backstop("groups", "why", *words)
            assert (ran.exit_code, ran.out) == (1, "")
            assert ran.err == f"backstop: what group g{A} is made of was not kept\n"

    def test_of_two_groups_says_what_tells_them_apart(self, ground: Ground, backstop: Command, rows: Rows) -> None:
        ground.fail(A)
        others = (*PARTS[:2], ("frame", "handler:handle"), ("frame", "stock:take"), ("downstream", "stock"))
        ground.fail(B, parts=others)
        ran = backstop("groups", "why", A, B)
        assert rows(ran) == [
            ["part", f"g{A}", f"g{B}"],
            ["frame", "handler:handle > prices:find", "handler:handle > stock:take"],
            ["downstream", "-", "stock"],
        ]
        assert ran.out.endswith("They share: version, type.\n")
        assert told(backstop("groups", "why", A, B, "--json")) == {
            "groups": [f"g{A}", f"g{B}"],
            "differ": {
                "frame": [["handler:handle", "prices:find"], ["handler:handle", "stock:take"]],
                "downstream": [[], ["stock"]],
            },
            "same": {"version": ["2"], "type": ["PriceNotPublished"]},
        }

    def test_of_one_group_twice_says_that_it_is_one(self, ground: Ground, backstop: Command) -> None:
        ground.fail(A)
        assert backstop("groups", "why", A, A[:4]) == (1, "", f"backstop: g{A} is one group\n")

    def test_of_two_whose_parts_were_cut_says_that_it_does_not_know(self, ground: Ground, backstop: Command) -> None:
        ground.fail(A)
        ground.fail(B)
        ran = backstop("groups", "why", A, B)
        assert (ran.exit_code, "their parts were cut" in ran.err) == (1, True)

    def test_of_one_that_nobody_knows_is_a_no(self, ground: Ground, backstop: Command) -> None:
        ground.fail(A)
        assert backstop("groups", "why", A, "c" * 16).exit_code == 1

    @pytest.mark.parametrize("words", [(A,), (A, B)], ids=["one", "two"])
    def test_spells_out_what_a_terminal_would_obey(
        self, words: tuple[str, ...], ground: Ground, backstop: Command
    ) -> None:
        ground.fail(A, parts=(("type", HOSTILE), (HOSTILE, "[bold]")))
        ground.fail(B, parts=(("type", "other"),))
        ran = backstop("groups", "why", *words)
        assert r"x\u001b[2J\u202e\u000d[red]" in ran.out
        assert "[bold]" in ran.out
        assert is_harmless(ran)
