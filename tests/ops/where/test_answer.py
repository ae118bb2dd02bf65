"""Where an event is, by all that is known of it: the newest fact wins."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from backstop.parking import State
from tests.ops.command import Command
from tests.ops.groups.ground import A
from tests.ops.where.ground import Ground

KEY = "order-1"
FIFO = "shop-ordered.fifo"
DEAD = f"dead in group g{A}: backstop groups show g{A}"
IN_42_S = "2026-01-05T09:00:42.000+00:00"
IN_A_MINUTE = "2026-01-05T09:01:00.000+00:00"


def told(where: Command, *words: str) -> tuple[Any, Any]:
    found = json.loads(where("e-1", "--json", *words).out)
    return found["state"], found["sentence"]


def dead(ground: Ground) -> None:
    ground.fail(verdict="Dead", dead_because="permanent")


def redriven(ground: Ground) -> None:
    ground.fail(verdict="Redriven", redrive_id="r20260105-090000-1a2b", error_type="")


def then(*steps: Callable[[Ground], object]) -> Callable[[Ground], None]:
    """Let one happen after the other, a minute apart, and a minute pass after the last."""

    def happen(ground: Ground) -> None:
        for step in steps:
            step(ground)
            ground.wait(minutes=1)

    return happen


def at_once(*steps: Callable[[Ground], object]) -> Callable[[Ground], None]:
    """Let all of it happen now."""

    def happen(ground: Ground) -> None:
        for step in steps:
            step(ground)

    return happen


ROWS: list[Any] = [
    pytest.param(lambda g: g.run(), "done", "done at 2026-01-05T09:00:00+00:00 (0 s ago)", id="done at first"),
    pytest.param(
        then(lambda g: g.run(prefix="process_ordered")),
        "done", "done at 2026-01-05T09:00:00+00:00 (60 s ago)", id="done in the ordered lane",
    ),
    pytest.param(
        then(dead, lambda g: g.run()), "done", "done at 2026-01-05T09:01:00+00:00 (60 s ago)", id="done after dead"
    ),
    pytest.param(then(lambda g: g.run(), dead), "dead", DEAD, id="dead after done"),
    pytest.param(
        then(lambda g: g.run(), redriven), "done", "done at 2026-01-05T09:00:00+00:00 (2 min ago)",
        id="redriven after done: it is not run again",
    ),
    pytest.param(
        at_once(lambda g: g.wait(milliseconds=700), lambda g: g.fail(), lambda g: g.run()),
        "done", "done at 2026-01-05T09:00:00+00:00 (0 s ago)", id="done in the second in which it failed",
    ),
    pytest.param(
        then(dead, lambda g: g.fail(verdict="Done")), "done", "done at 2026-01-05T09:01:00+00:00 (60 s ago)",
        id="recovered, its record gone",
    ),
    pytest.param(
        lambda g: g.run(days=30), "done", "done, but when is not known: IdempotencyDays was changed, or cannot be read",
        id="done before IdempotencyDays was changed",
    ),
    pytest.param(
        lambda g: g.kill(seconds=30), "running", "run right now: until 2026-01-05T09:00:30+00:00 at the latest",
        id="running",
    ),
    pytest.param(
        at_once(lambda g: g.fail(next_at=IN_42_S), lambda g: g.kill(seconds=30)),
        "retrying", "attempt 1 of 6, next in 42 s", id="judged, its record not removed",
    ),
    pytest.param(
        then(lambda g: g.kill(seconds=30)),
        "cut off",
        "its worker died, or could not say what came of it (30 s ago): its message comes again, or SQS moved it",
        id="its worker died",
    ),
    pytest.param(
        then(lambda g: g.fail(next_at=IN_A_MINUTE), lambda g: g.kill(seconds=30)),
        "cut off",
        "its worker died, or could not say what came of it (30 s ago): its message comes again, or SQS moved it",
        id="its worker died at the second try",
    ),
    pytest.param(then(lambda g: g.kill(seconds=30), dead), "dead", DEAD, id="dead after its worker died"),
    pytest.param(
        lambda g: g.fail(attempt=3, next_at=IN_42_S), "retrying", "attempt 3 of 6, next in 42 s", id="retrying"
    ),
    pytest.param(
        lambda g: g.fail(attempt=3, next_at=IN_42_S, source_queue=FIFO),
        "retrying", "attempt 3 of 4, next in 42 s", id="retrying in the ordered lane",
    ),
    pytest.param(
        lambda g: g.fail(attempt=2, next_at=IN_42_S, kind="unknown"),
        "retrying", "attempt 2 of 3, next in 42 s", id="retrying what nobody knows",
    ),
    pytest.param(
        lambda g: g.fail(attempt=0, next_at=IN_42_S, kind="system"),
        "retrying", "waiting, no attempt counted so far, next in 42 s", id="waiting for a fault of ours",
    ),
    pytest.param(
        at_once(lambda g: g.fail(attempt=3, next_at=IN_42_S), lambda g: g.wait(minutes=2)),
        "retrying", "attempt 3 of 6, next due since 78 s", id="due",
    ),
    pytest.param(lambda g: g.fail(attempt=3), "retrying", "attempt 3 of 6, the next is due", id="due at no time"),
    pytest.param(dead, "dead", DEAD, id="dead"),
    pytest.param(
        lambda g: g.row(state="dead", dead_because="exhausted"), "dead", "dead (exhausted)",
        id="dead without a group",
    ),
    pytest.param(
        at_once(dead, redriven, lambda g: g.wait(minutes=2)),
        "redriven", "redriven by r20260105-090000-1a2b 2 min ago", id="redriven",
    ),
    pytest.param(then(redriven, dead), "dead", DEAD, id="dead again after a redrive"),
    pytest.param(
        lambda g: g.fail(verdict="ProcessingFailed"), "unprocessed", "kept under errors/ (0 s ago)",
        id="not transformed",
    ),
    pytest.param(
        lambda g: g.keys.park(KEY, "order-3", "e-1"), "parked", "parked behind order-3 (key order-1)",
        id="parked behind another, never tried",
    ),
    pytest.param(
        lambda g: g.keys.park(KEY, "order-3", "e-1", state=State.HELD),
        "parked", "parked behind order-3 (key order-1), which waits for a person: backstop keys show order-1",
        id="parked behind one that is held",
    ),
    pytest.param(
        at_once(lambda g: g.fail(verdict="Park", key=KEY), lambda g: g.keys.park(KEY, "e-1", due=42)),
        "parked", "attempt 3 of 4, next in 42 s, at the head of key order-1", id="at the head of its key",
    ),
    pytest.param(
        at_once(
            lambda g: g.fail(verdict="Dead", key=KEY, source_queue=FIFO),
            lambda g: g.keys.park(KEY, "e-1", "e-2", state=State.HELD),
        ),
        "held", "held for a person, at the head of key order-1: backstop keys show order-1", id="held",
    ),
    pytest.param(
        at_once(
            lambda g: g.fail(verdict="Park", key=KEY),
            lambda g: g.keys.park(KEY, "e-1", due=0), lambda g: g.keys.lease(KEY, 30),
        ),
        "running", "run right now, at the head of key order-1: until 2026-01-05T09:00:30+00:00 at the latest",
        id="at the head of its key, running",
    ),
    pytest.param(
        at_once(
            lambda g: g.keys.park(KEY, "e-1", due=0), lambda g: g.keys.lease(KEY, 30),
            lambda g: g.run(prefix="process_ordered"),
        ),
        "done", "done at 2026-01-05T09:00:00+00:00 (0 s ago)", id="done, and not yet out of its key",
    ),
    pytest.param(
        at_once(lambda g: g.fail(verdict="Park", key=KEY, next_at=IN_42_S, source_queue=FIFO)),
        "parked", "attempt 1 of 4, next in 42 s", id="parked, and gone from its key",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("happen", "state", "sentence"), ROWS)
def test_an_event_is_where_the_newest_fact_says(
    happen: Callable[[Ground], None], state: str, sentence: str, ground: Ground, where: Command
) -> None:
    happen(ground)
    assert told(where) == (state, sentence)
    ran = where("e-1")
    assert (ran.exit_code, ran.out.splitlines()[0]) == (0, f"e-1: {sentence}")


class TestNothing:
    NOTHING = "nothing is known of it: it never failed, or more than 35 days ago"

    def test_is_a_sentence_and_a_no(self, ground: Ground, where: Command) -> None:
        ground.run("e-2")
        ground.fail("e-3")
        ground.keys.park(KEY, "e-4", "e-5")
        assert where("e-1") == (1, "", f"backstop: event e-1: {self.NOTHING}\n")
        assert told(where) == (None, self.NOTHING)

    def test_says_for_how_long_histories_are_kept(self, ground: Ground, where: Command) -> None:
        ground.functions.variables["shop-watch"]["FAILED_EVENT_DAYS"] = "7"
        assert "more than 7 days ago" in where("e-1").err
        ground.functions.refuses = True
        assert "more than FailedEventDays ago" in where("e-1").err

    @pytest.mark.parametrize("event", ["", "\udcff", "x" * 3000, "\x1b[2J"])
    def test_is_known_of_what_is_no_id(self, event: str, ground: Ground, where: Command) -> None:
        assert where("--", event).exit_code == 1


class TestSettingsThatAreNotToldOf:
    def test_leave_the_rest_standing(self, ground: Ground, where: Command) -> None:
        ground.functions.refuses = True
        ground.fail(attempt=3, next_at=IN_42_S)
        assert told(where) == ("retrying", "attempt 3, next in 42 s")
        ground.run()
        assert told(where)[1].startswith("done, but when is not known")


class TestAPlace:
    def test_is_found_by_the_key_that_is_named(self, ground: Ground, where: Command) -> None:
        ground.keys.park(KEY, "order-3", "e-1")
        assert told(where, "--key", KEY) == ("parked", "parked behind order-3 (key order-1)")
        assert ground.faults.calls["Scan"] == 0
        assert where("e-1", "--key", "order-2").exit_code == 1

    def test_is_looked_for_among_all_only_where_that_is_open(self, ground: Ground, where: Command) -> None:
        ground.fail()
        told(where)
        ground.run("e-2")
        where("e-2")
        assert ground.faults.calls["Scan"] == 0

    def test_is_found_where_the_log_does_not_tell_its_key(self, ground: Ground, where: Command) -> None:
        """Its key is an e-mail address, say: the log is without it."""
        ground.fail(verdict="Park", key="[email]", next_at=IN_42_S)
        ground.keys.park("ann@example.com", "e-1")
        assert told(where)[1] == "attempt 3 of 4, next in 42 s, at the head of key ann@example.com"

    def test_is_not_looked_for_without_end(
        self, ground: Ground, where: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ops.where.place._MOST_PAGES", 0)
        ground.keys.park(KEY, "order-3", "e-2")
        ran = where("e-1")
        assert (ran.exit_code, ran.out) == (2, "")
        assert "more is parked than was looked through; --key names the event's key" in ran.err

    def test_of_a_key_that_begins_with_a_dash_can_be_looked_at(self, ground: Ground, where: Command) -> None:
        ground.keys.park("-k", "e-1", state=State.HELD)
        assert told(where)[1].endswith("backstop keys show -- -k")
