"""How many events of a group are dead, parked or retrying now, and how often it failed in the last hour."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from backstop.aws.failed_events import spread
from ops.groups.counts import Counts
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command
from tests.ops.groups.ground import A, B, Ground

NONE = (0,) * 12


def counted(backstop: Command, group: str = A) -> Any:
    """Return what is told of a group: by the listing and, the same, by itself."""
    [listed] = [one for one in json.loads(backstop("groups", "--json").out)["groups"] if one["group"] == f"g{group}"]
    shown = json.loads(backstop("groups", "show", group, "--json").out)
    counts = {name: listed[name] for name in ("dead", "parked", "retrying", "is_capped", "last_hour")}
    assert {name: shown[name] for name in counts} == counts
    return counts


def where(backstop: Command, group: str = A) -> tuple[int, int, int]:
    counts = counted(backstop, group)
    return counts["dead"], counts["parked"], counts["retrying"]


def rows(ground: Ground, number: int, **texts: str) -> None:
    """Let so many events fail, each a millisecond before the one before, newest now."""
    puts = []
    for one in range(number):
        at = ground.clock.now() - timedelta(milliseconds=one)
        row = {"event_id": f"e-{one:05}", "at": f"{at.isoformat(timespec='milliseconds')}#{one:012}", "state": "dead"}
        row |= {"group": A, "spread": spread(A, row["event_id"])} | texts
        puts.append({"PutRequest": {"Item": {name: {"S": value} for name, value in row.items()}}})
    for start in range(0, len(puts), 25):
        ground.client.batch_write_item(RequestItems={"events": puts[start : start + 25]})


class TestWhereEventsAre:
    def test_is_counted_by_what_befell_each_last(self, ground: Ground, clock: VirtualClock, backstop: Command) -> None:
        for number, verdicts in enumerate((["Dead"], ["Retry", "Dead"], ["Retry"], ["Park"], ["Retry", "Done"])):
            for verdict in verdicts:
                ground.fail(A, f"e-{number}", verdict=verdict)
                clock.advance(timedelta(seconds=1))
        ground.fail(A, "back", verdict="Dead")
        clock.advance(timedelta(seconds=1))
        ground.fail(A, "back", verdict="Redriven")
        assert where(backstop) == (2, 1, 1)

    def test_is_another_groups_of_what_failed_otherwise_since(
        self, ground: Ground, clock: VirtualClock, backstop: Command
    ) -> None:
        ground.fail(A, "e-1", next_at="2026-01-05T09:00:05.000+00:00")
        ground.fail(A, "e-2", next_at="2026-01-05T09:00:05.000+00:00")
        clock.advance(timedelta(minutes=5))
        ground.fail(B, "e-1", verdict="Dead")
        ground.fail("", "e-2", verdict="Done")
        assert (where(backstop, A), where(backstop, B)) == ((0, 0, 0), (1, 0, 0))

    def test_is_asked_of_no_event_that_still_waits_for_its_time(
        self, ground: Ground, faults: Faults, backstop: Command
    ) -> None:
        for number in range(40):
            ground.fail(A, f"e-{number}", next_at="2026-01-05T09:00:05.000+00:00")
        backstop("groups")
        assert faults.calls["Query"] == 8

    def test_says_that_there_are_more_than_were_counted(
        self, ground: Ground, backstop: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ops.groups.counts.MOST_EVENTS", 20)
        ground.fail(A, "e-00000", verdict="Dead")
        rows(ground, 20)
        assert counted(backstop)["is_capped"] is False
        rows(ground, 21)
        assert (counted(backstop)["is_capped"], counted(backstop)["dead"]) == (True, 20)
        assert "20+ dead" in backstop("groups").out

    def test_is_capped_by_rows_too(self, ground: Ground, backstop: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ops.groups.counts._MOST_ROWS", 30)
        ground.fail(A, "e-1", times=31)
        assert (counted(backstop)["is_capped"], where(backstop)) == (True, (0, 0, 1))

    @pytest.mark.parametrize(
        ("counts", "words"),
        [
            (Counts(0, 0, 0, False, NONE), ["0"]),
            (Counts(0, 0, 0, True, NONE), ["0+"]),
            (Counts(1000, 0, 2, False, NONE), ["1,000 dead", "2 retrying"]),
            (Counts(1000, 3, 0, True, NONE), ["1,000+ dead", "3+ parked"]),
        ],
        ids=["none", "none of the newest", "all", "the newest"],
    )
    def test_is_told_in_words(self, counts: Counts, words: list[str]) -> None:
        assert counts.in_words() == words


class TestTheLastHour:
    @pytest.mark.parametrize(
        ("minutes", "bucket"),
        [(0, 11), (4.99, 11), (5, 10), (59.99, 0), (60, None), (90, None)],
        ids=str,
    )
    def test_has_a_failure_in_its_five_minutes(
        self, minutes: float, bucket: int | None, ground: Ground, clock: VirtualClock, backstop: Command
    ) -> None:
        ground.fail(A, times=3)
        clock.advance(timedelta(minutes=minutes))
        assert counted(backstop)["last_hour"] == [3 if number == bucket else 0 for number in range(12)]

    def test_counts_no_recovery_and_no_redrive(self, ground: Ground, backstop: Command) -> None:
        ground.fail(A)
        ground.fail(A, "e-2", verdict="Done")
        ground.fail(A, "e-3", verdict="Redriven")
        assert counted(backstop)["last_hour"] == [0] * 11 + [1]

    def test_is_not_known_before_the_rows_that_were_read(
        self, ground: Ground, clock: VirtualClock, backstop: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ops.groups.counts._MOST_ROWS", 4)
        for _ in range(4):
            ground.fail(A, times=2)
            clock.advance(timedelta(minutes=10))
        assert counted(backstop)["last_hour"] == [None] * 7 + [2, 0, 2, 0, 0]

    @pytest.mark.parametrize(
        ("last_hour", "drawn"),
        [
            (NONE, "············"),
            ((0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 8), "·▁▂▃▄▅▆▇█··█"),
            ((1,) * 12, "████████████"),
            ((1000, *(1,) * 11), "█▁▁▁▁▁▁▁▁▁▁▁"),
            ((None,) * 6 + (0, 3, 6, 0, 0, 0), "??????·▄█···"),
        ],
        ids=["nothing", "rising", "even", "a peak", "not all known"],
    )
    def test_is_drawn(self, last_hour: tuple[int | None, ...], drawn: str) -> None:
        assert Counts(0, 0, 0, False, last_hour).sparkline() == drawn

    def test_is_told_whatever_stands_in_a_row(self, ground: Ground, backstop: Command) -> None:
        ground.fail(A)
        rows(ground, 3, at="soon", next_at="never", state="lost")
        assert counted(backstop)["last_hour"] == [0] * 11 + [1]


class TestATableThatDoesNotAnswer:
    @pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.UNREACHABLE])
    def test_hides_no_group(self, fault: Fault, ground: Ground, faults: Faults, backstop: Command) -> None:
        ground.fail(A)
        ground.fail(B)
        faults.fail_always("Query", fault)
        ran = backstop("groups")
        assert (ran.exit_code, f"g{A}" in ran.out, f"g{B}" in ran.out, ran.out.count("?")) == (0, True, True, 4)
        assert ran.err.startswith("backstop: how many events are dead, parked or retrying is not known: ")
        assert ran.err.count("\n") == 1
        told = json.loads(backstop("groups", "--json").out)
        assert [one["last_hour"] for one in told["groups"]] == [None, None]
        assert told["uncounted"] in ran.err

    def test_once_in_between_hides_no_group(self, ground: Ground, faults: Faults, backstop: Command) -> None:
        for number in range(30):
            ground.fail(f"{number:016x}", f"e-{number}")
        faults.fail("Query", *[None] * 100, Fault.THROTTLED)
        ran = backstop("groups")
        assert (ran.exit_code, "a test says: throttled" in ran.err) == (0, True)
        assert all(f"g{number:016x}" in ran.out for number in range(30))

    def test_that_a_stack_does_not_have_hides_no_group(self, ground: Ground, stack: Stack, backstop: Command) -> None:
        ground.fail(A)
        del stack._outputs["FailedEventsTableName"]
        ran = backstop("groups")
        assert (ran.exit_code, f"g{A}" in ran.out, "no output FailedEventsTableName" in ran.err) == (0, True, True)
