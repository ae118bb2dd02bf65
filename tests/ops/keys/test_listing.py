"""Which keys wait, for what and for how long; in which order, and what stands in a name does no harm."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from backstop.parking import State
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command, Ran
from tests.ops.keys.conftest import Rows
from tests.ops.keys.ground import Ground

HEADER = ["key", "state", "head", "attempt", "age", "waiting", "next try"]


def told(ran: Ran) -> Any:
    """Return the one document that is printed."""
    assert (ran.exit_code, ran.err) == (0, "")
    return json.loads(ran.out)


def names(ran: Ran) -> list[str]:
    return [one["key"] for one in told(ran)["keys"]]


@pytest.fixture
def some(ground: Ground, clock: VirtualClock) -> None:
    """Let five keys wait, the one after the other: two are held, one runs, two wait for their time."""
    for number, (key, state) in enumerate(
        [
            ("waits", State.WAITING),
            ("held", State.HELD),
            ("runs", State.WAITING),
            ("waits-2", State.WAITING),
            ("held-2", State.HELD),
        ]
    ):
        ground.park(key, f"{key}-a", f"{key}-b", state=state, due=42 + 60 * number if key != "runs" else 0)
        if key == "runs":
            ground.lease(key, 600)
        clock.advance(timedelta(minutes=1))


class TestAKey:
    @pytest.mark.parametrize(
        ("parked", "advance", "row"),
        [
            pytest.param({"due": 42}, 0, ["k", "waiting", "a", "3", "0 s", "3", "in 42 s"], id="waits for its time"),
            pytest.param({"due": 600}, 90, ["k", "waiting", "a", "3", "90 s", "3", "in 8 min"], id="minutes"),
            pytest.param({"due": 5}, 9000, ["k", "waiting", "a", "3", "2 h", "3", "now"], id="is due"),
            pytest.param(
                {"state": State.HELD}, 200_000, ["k", "held", "a", "3", "2 d", "3", "held: permanent OutOfOrder"],
                id="is held",
            ),
            pytest.param(
                {"state": State.HELD, "dead_because": "crashed", "error_type": ""}, 0,
                ["k", "held", "a", "3", "0 s", "3", "held: crashed"], id="is held, of no error",
            ),
        ],
    )  # fmt: skip
    def test_is_told_with_its_head(
        self, parked: dict[str, Any], advance: int, row: list[str], ground: Ground, clock: VirtualClock, keys: Command,
        rows: Rows,
    ) -> None:  # fmt: skip
        ground.park("k", "a", "b", "c", **parked)
        clock.advance(timedelta(seconds=advance))
        ran = keys()
        assert (ran.exit_code, ran.err) == (0, "")
        assert rows(ran) == [HEADER, row]

    def test_is_run_until_its_lease_is_over(
        self, ground: Ground, clock: VirtualClock, keys: Command, rows: Rows
    ) -> None:
        ground.park("k", due=0)
        ground.lease("k", 30)
        assert rows(keys())[1][1::5] == ["running", "is run now"]
        clock.advance(timedelta(seconds=30))
        assert rows(keys())[1][6] == "now: its worker died"

    def test_names_the_head_that_is_there_though_its_lock_names_the_one_before(
        self, ground: Ground, keys: Command
    ) -> None:
        ground.park("k", "a", "b", due=0)
        ground.table.remove(ground.lease("k"), ground.head("k"))
        [one] = told(keys("--json"))["keys"]
        assert (one["head"], one["attempt"], one["waiting"]) == ("b", 0, 1)

    def test_goes_by_the_number_of_a_head_that_is_no_event(self, ground: Ground, keys: Command) -> None:
        ground.park("k", "", state=State.HELD)
        [one] = told(keys("--json"))["keys"]
        assert one["head"].startswith("#1")

    def test_is_told_to_programs_with_times_and_numbers(self, ground: Ground, keys: Command) -> None:
        ground.park("k", "a", "b")
        ground.park("h", "x", state=State.HELD)
        common = {"since": "2026-01-05T09:00:00.000+00:00", "age_seconds": 0, "attempt": 3, "error_type": "OutOfOrder"}
        assert told(keys("--json")) == {
            "keys": [
                common
                | {
                    "key": "h",
                    "state": "held",
                    "head": "x",
                    "waiting": 1,
                    "next_try": None,
                    "dead_because": "permanent",
                }
                | {"unread": ""},
                common
                | {"key": "k", "state": "waiting", "head": "a", "waiting": 2, "dead_because": "", "unread": ""}
                | {"next_try": "2026-01-05T09:00:42.000+00:00"},
            ],
            "total": 2,
        }


@pytest.mark.usefixtures("some")
class TestTheOthers:
    def test_held_ones_come_first_then_those_that_have_waited_longest(self, keys: Command) -> None:
        assert names(keys("--json")) == ["held", "held-2", "waits", "runs", "waits-2"]

    @pytest.mark.parametrize(
        ("state", "shown"),
        [("held", ["held", "held-2"]), ("running", ["runs"]), ("waiting", ["waits", "waits-2"])],
        ids=["held", "running", "waiting"],
    )
    def test_a_state_leaves_out_the_others(self, state: str, shown: list[str], keys: Command) -> None:
        ran = keys("--json", "--state", state)
        assert (names(ran), told(ran)["total"]) == (shown, len(shown))

    def test_a_limit_says_what_it_leaves_out(self, keys: Command, rows: Rows) -> None:
        ran = keys("--limit", "2")
        assert [row[0] for row in rows(ran)] == ["key", "held", "held-2"]
        assert "2 of 5 keys; --limit shows more.\n" in ran.out
        assert told(keys("--limit", "2", "--json"))["total"] == 5

    def test_a_limit_that_leaves_out_nothing_says_nothing(self, keys: Command) -> None:
        assert "--limit" not in keys("--limit", "5").out


class TestNothing:
    def test_nothing_parked_is_said_in_a_sentence(self, keys: Command) -> None:
        assert keys() == (0, "No key waits.\n", "")
        assert told(keys("--json")) == {"keys": [], "total": 0}

    def test_nothing_in_a_state_is_not_nothing_at_all(self, ground: Ground, keys: Command) -> None:
        ground.park("k")
        assert keys("--state", "held") == (0, "No key is held.\n", "")


class TestMany:
    def test_each_of_more_keys_than_one_call_takes_is_told_once(
        self, ground: Ground, keys: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("backstop.aws.parked._KEYS", 3)
        for number in range(10):
            ground.park(f"k-{number}", state=State.HELD if number % 2 else State.WAITING)
        shown = names(keys("--json", "--limit", "1000"))
        assert sorted(shown) == [f"k-{number}" for number in range(10)]


class TestHostile:
    def test_what_a_terminal_would_obey_is_spelled_out(self, ground: Ground, keys: Command, rows: Rows) -> None:
        ground.park("k\x1b[2J\u202e\r[red]", "e\x07\n\x9b31m", state=State.HELD)
        ran = keys()
        assert rows(ran)[1][0] == r"k\u001b[2J\u202e\u000d[red]"
        assert rows(ran)[1][2] == r"e\u0007\u000a\u009b31m"
        assert not [one for one in ran.out if not one.isprintable() and one != "\n"]

    def test_a_key_that_is_too_wide_is_folded_and_not_cut(
        self, ground: Ground, keys: Command, rows: Rows, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ground.park("k" * 128, state=State.HELD)
        monkeypatch.setenv("COLUMNS", "80")
        assert "".join(row[0] for row in rows(keys())[1:]) == "k" * 128

    def test_a_head_that_cannot_be_read_hides_no_other_key(
        self, ground: Ground, faults: Faults, keys: Command, rows: Rows
    ) -> None:
        for key in ("a", "b"):
            ground.park(key, f"{key}-1", state=State.HELD)
        faults.fail_always("Query", Fault.THROTTLED, lambda request: b'{"S": "a"}' in request["body"])
        ran = keys()
        assert ran.exit_code == 0
        assert rows(ran)[1][:4] == ["a", "held", "a-1", "-"]
        assert rows(ran)[1][6].startswith("not read: the table of parked events did not answer")
        assert rows(ran)[2][:4] == ["b", "held", "b-1", "3"]

    def test_a_table_that_does_not_answer_is_a_sentence(self, faults: Faults, keys: Command) -> None:
        faults.fail_always("Query", Fault.DENIED)
        assert keys() == (
            2, "", "backstop: the table of parked events did not answer: AccessDeniedException\n",
        )  # fmt: skip

    def test_a_stack_without_an_ordered_lane_is_named(self, stack: Stack, keys: Command) -> None:
        del stack._outputs["ParkedTableName"]
        ran = keys()
        assert (ran.exit_code, ran.err) == (
            2,
            "backstop: stack 'shop' has no output ParkedTableName: is it a Backstop stack?\n",
        )
