"""What becomes of a head and of those behind it, and what is refused: then nothing is changed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from backstop.parking import State
from backstop.trail import Trail
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command
from tests.ops.keys.ground import ORDERED, REASON, Ground, Left

DECISIONS = ["retry", "skip", "discard"]
STATES = [State.WAITING, State.HELD]
TOO_MANY = {f"own-{number}": {"stringValue": "x", "dataType": "String"} for number in range(10)}


def trail_of(ground: Ground) -> dict[str, Any]:
    [letter] = ground.letters()
    trail: dict[str, Any] = json.loads(letter.attributes["backstop"]["StringValue"])
    return trail


@pytest.mark.parametrize("state", STATES, ids=str)
class TestDone:
    @pytest.mark.parametrize(
        ("decision", "left"),
        [
            ("retry", Left(State.WAITING, ["a", "b", "c"], [])),
            ("skip", Left(State.WAITING, ["b", "c"], ["a"])),
            ("discard", Left(State.WAITING, ["b", "c"], [])),
        ],
    )
    def test_the_others_go_on_at_once(
        self, decision: str, left: Left, state: State, ground: Ground, keys: Command
    ) -> None:
        ground.park("k", "a", "b", "c", state=state)
        ran = keys(decision, "k", "--yes")
        assert (ran.exit_code, ran.err) == (0, "")
        assert ran.out.endswith("Done.\n")
        assert ground.left("k") == left
        assert ground.woken() == ["k"]
        assert ground.lease("k").waiting == len(left.parked)
        assert ground.audit() == [(f"keys {decision} --yes k", "done")]

    @pytest.mark.parametrize("decision", DECISIONS)
    def test_no_other_key_is_touched(self, decision: str, state: State, ground: Ground, keys: Command) -> None:
        for key in ("k", "k2"):
            ground.park(key, "a", "b", state=state)
        before = ground.table.lock("k2")
        keys(decision, "k", "--yes")
        assert (ground.table.lock("k2"), ground.parked("k2")) == (before, ["a", "b"])

    @pytest.mark.parametrize("decision", ["skip", "discard"])
    def test_the_last_event_leaves_a_key_that_the_drain_lets_go(
        self, decision: str, state: State, ground: Ground, keys: Command
    ) -> None:
        ground.park("k", "a", state=state)
        assert keys(decision, "k", "--yes").exit_code == 0
        lock = ground.lease("k")
        assert (ground.parked("k"), lock.waiting, ground.table.unlock(lock)) == ([], 0, True)


class TestADeadLetter:
    def test_carries_the_reason_that_it_died_of_and_what_its_sender_sent(self, ground: Ground, keys: Command) -> None:
        own = {"tenant": {"stringValue": "t-1", "dataType": "String"}}
        ground.park("k", "a", state=State.HELD, attributes=own)
        body = ground.head("k").record["body"]
        keys("skip", "k", "--yes")
        [letter] = ground.letters()
        assert (letter.body, letter.group) == (body, "k")
        assert letter.attributes["tenant"] == {"StringValue": "t-1", "DataType": "String"}
        assert trail_of(ground) == {
            "version": 1,
            "attempt": 3,
            "event_id": "a",
            "key": "k",
            "first_failed_at": "2026-01-05T08:00:00.000+00:00",
            "last_failed_at": "2026-01-05T09:00:00.000+00:00",
            "source_queue": ORDERED,
            "verdict": "dead",
            "dead_because": "permanent",
            "kind": "permanent",
            "error_type": "OutOfOrder",
            "reason": REASON,
            "sequence": "1000",
        }

    def test_that_was_not_dead_says_that_it_was_skipped(self, ground: Ground, keys: Command) -> None:
        ground.park("k", "a", source_queue="")
        keys("skip", "k", "--yes")
        trail = trail_of(ground)
        assert (trail["verdict"], trail["dead_because"], trail["source_queue"]) == ("dead", "skipped", ORDERED)
        now = ground.clock.now()
        read = Trail.parse(json.dumps(trail), frozenset({ORDERED}), now)
        assert (read.dead_because, read.attempt) == ("skipped", 0)

    def test_of_a_body_that_is_kept_in_the_bucket_is_whole_and_the_bucket_is_empty_after(
        self, ground: Ground, stack: Stack, keys: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("backstop.aws.parked_record.PLAIN_BYTES", 10)
        monkeypatch.setattr("backstop.aws.parked_record.ITEM_BYTES", 10)
        ground.park("k", "a", state=State.HELD)
        body = ground.head("k").record["body"]
        assert stack.s3.list_objects_v2(Bucket="data")["KeyCount"] == 1
        keys("skip", "k", "--yes")
        assert [letter.body for letter in ground.letters()] == [body]
        assert stack.s3.list_objects_v2(Bucket="data")["KeyCount"] == 0

    @pytest.mark.parametrize("state", STATES, ids=str)
    def test_that_is_not_taken_leaves_the_key_as_it_was(
        self, state: State, ground: Ground, sqs: FakeSqs, keys: Command
    ) -> None:
        ground.park("k", "a", "b", state=state, due=42)
        sqs.refuses = lambda operation, entry: True
        before = ground.table.lock("k")
        ran = keys("skip", "k", "--yes")
        assert ran.exit_code == 1
        assert ran.err.startswith("backstop: the dead-letter queue did not take the head: ")
        after = ground.table.lock("k")
        assert before is not None
        assert after is not None
        assert (after.state, after.due, after.waiting) == (before.state, before.due, 2)
        assert ground.left("k") == Left(state, ["a", "b"], [])
        [(_, result)] = ground.audit()
        assert result.startswith("failed: the dead-letter queue did not take the head")
        sqs.refuses = lambda operation, entry: False
        assert keys("skip", "k", "--yes").exit_code == 0
        assert ground.left("k") == Left(State.WAITING, ["b"], ["a"])

    def test_whose_history_does_not_fit_stays(self, ground: Ground, keys: Command) -> None:
        ground.park("k", "a", state=State.HELD, attributes=TOO_MANY)
        ran = keys("skip", "k", "--yes")
        assert (ran.exit_code, "its history does not fit" in ran.err) == (1, True)
        assert ground.left("k") == Left(State.HELD, ["a"], [])


@pytest.mark.parametrize("decision", DECISIONS)
class TestRefused:
    def refuses(self, ran: Any, why: str) -> None:
        assert ran.exit_code == 1
        assert why in ran.err
        assert "Done" not in ran.out

    def test_where_a_worker_has_the_key_until_its_lease_is_over(
        self, decision: str, ground: Ground, clock: VirtualClock, keys: Command
    ) -> None:
        ground.park("k", "a", "b", due=0)
        ground.lease("k", 30)
        before = ground.snapshot()
        self.refuses(keys(decision, "k", "--yes"), "is being worked on right now: try again in a moment")
        assert ground.snapshot() == before
        clock.advance(timedelta(seconds=30))
        assert keys(decision, "k", "--yes").exit_code == 0

    def test_where_the_head_is_another_event_than_named(self, decision: str, ground: Ground, keys: Command) -> None:
        ground.park("k", "a", "b", state=State.HELD)
        before = ground.snapshot()
        for event in ("b", ""):
            self.refuses(keys(decision, "k", "--event", event, "--yes"), "the head of key k is a, not ")
        assert ground.snapshot() == before
        assert keys(decision, "k", "--event", "a", "--yes").exit_code == 0

    @pytest.mark.parametrize("state", STATES, ids=str)
    def test_where_the_key_changed_while_it_was_looked_at(
        self, decision: str, state: State, ground: Ground, keys: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another one leases it between the look and the lease."""
        ground.park("k", "a", "b", state=state)
        audit = "ops.audit.record"
        from ops.audit import record

        def meanwhile(*arguments: Any) -> Any:
            lock = ground.table.lock("k")
            assert lock is not None
            ground.table.claim(lock, ground.clock.now(), ground.clock.now() + timedelta(seconds=30))
            return record(*arguments)

        monkeypatch.setattr(audit, meanwhile)
        self.refuses(keys(decision, "k", "--yes"), "key k changed in the meantime: nothing was done. Look again")
        assert (ground.parked("k"), ground.letters(), ground.woken()) == (["a", "b"], [], [])
        [(_, result)] = ground.audit()
        assert result.startswith("failed: key k changed")

    def test_where_it_cannot_be_written_down(
        self, decision: str, ground: Ground, faults: Faults, keys: Command
    ) -> None:
        ground.park("k", "a", state=State.HELD)
        before = ground.snapshot()
        faults.fail("PutItem", Fault.DENIED)
        ran = keys(decision, "k", "--yes")
        assert (ran.exit_code, ran.err) == (2, "backstop: AWS refused PutItem: a test says: denied\n")
        assert ground.snapshot() == before


@pytest.mark.parametrize("decision", ["skip", "discard"])
class TestAHeadThatHasNotFailed:
    """One whose turn has just come: those before it are done, or were taken out."""

    @pytest.fixture(autouse=True)
    def _first_is_done(self, ground: Ground) -> None:
        ground.park("k", "a", "b", "c", due=0)
        lock = ground.lease("k")
        ground.table.remove(lock, ground.head("k"))
        ground.table.give_back(lock, State.WAITING, ground.clock.now())

    def test_is_not_taken_out_by_a_command_that_does_not_name_it(
        self, decision: str, ground: Ground, keys: Command
    ) -> None:
        before = ground.snapshot()
        ran = keys(decision, "k", "--yes")
        assert ran.exit_code == 1
        assert "the head of key k, b, has not failed" in ran.err
        assert f"To {decision} it all the same: --event b\n" in ran.err
        assert ground.snapshot() == before

    def test_is_taken_out_by_its_name(self, decision: str, ground: Ground, keys: Command) -> None:
        assert keys(decision, "k", "--event", "b", "--yes").exit_code == 0
        assert ground.left("k") == Left(State.WAITING, ["c"], ["b"] if decision == "skip" else [])


class TestWhatDoesNotMatter:
    def test_a_wake_up_that_is_not_taken_is_left_to_the_sweep(
        self, ground: Ground, sqs: FakeSqs, keys: Command
    ) -> None:
        ground.park("k", "a", "b", state=State.HELD)
        sqs.refuses = lambda operation, entry: "backstop" not in entry.get("MessageAttributes", {})
        ran = keys("skip", "k", "--yes")
        assert (ran.exit_code, ran.out.endswith("Done.\n")) == (0, True)
        assert "the sweep does that within a minute" in ran.err
        assert ground.table.due(ground.clock.now(), 10) == ["k"]

    def test_a_result_that_cannot_be_written_down_is_told(self, ground: Ground, faults: Faults, keys: Command) -> None:
        ground.park("k", "a", state=State.HELD)
        faults.fail("UpdateItem", None, None, Fault.DENIED)  # the lease, the key given back, the result
        ran = keys("discard", "k", "--yes")
        assert (ran.exit_code, "that it is done could not be written down" in ran.err) == (0, True)
        assert (ground.left("k").parked, ground.audit()) == ([], [("keys discard --yes k", "begun")])
