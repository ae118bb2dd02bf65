"""An event that kills its worker, through the real app.py: neighbours finish, its key is held, no net is needed."""

from __future__ import annotations

import json

import pytest

from backstop import Message, TransientError
from tests.fakes.handler import Event
from tests.fakes.source import WorkerDied
from tests.lane import FUNCTION_TIMEOUT
from tests.ordered_lane import OrderedLane

EXIT = WorkerDied("os._exit")


class TestAKiller:
    def test_is_parked_as_dead_at_its_third_delivery_without_a_third_run(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", EXIT)
        ordered.send(*"aa")
        ordered.run_until_quiet()
        assert len(ordered.intake.deliveries) == 3
        assert ordered.runs("a") == ["a1", "a1"]
        assert ordered.waiting("a") == ["a1", "a2"]

    @pytest.mark.parametrize("position", [0, 4, 9], ids=["first", "in the middle", "last"])
    def test_lets_its_neighbours_of_other_keys_finish_by_the_second_delivery(
        self, ordered: OrderedLane, position: int
    ) -> None:
        keys = list("bcdefghij")
        keys.insert(position, "a")
        ordered.handler.will("a1", EXIT)
        ordered.send(*keys)
        ordered.deliver()
        ordered.deliver_again()
        assert ordered.handler.finished == {f"{key}1": 1 for key in keys if key != "a"}

    def test_runs_after_its_neighbours_are_let_go(self, ordered: OrderedLane) -> None:
        left: list[int] = []

        def die(event: Event, message: Message) -> None:
            left.append(len(ordered.ordered.messages))
            raise EXIT

        ordered.handler.will("a1", die)
        ordered.send(*"bacada")
        ordered.deliver()
        ordered.deliver_again()
        assert left == [6, 3]

    def test_that_kills_while_it_is_drained_is_dead_after_two_workers(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", TransientError("later"), EXIT)
        ordered.send(*"aa")
        ordered.run_with_sweeps(10)
        assert ordered.runs("a") == ["a1"] * 3
        lock = ordered.lock("a")
        assert lock is not None
        assert (lock["state"], lock["head"]) == ("held", "a1")
        assert json.loads(ordered.parked("a")[0]["trail"])["dead_because"] == "crashed"
        assert ordered.drains.messages == []

    def test_among_those_who_wait_is_dead_after_two_workers(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", TransientError("later"), None)
        ordered.handler.will("a2", EXIT)
        ordered.send(*"aaa")
        ordered.run_with_sweeps(10)
        assert ordered.runs("a") == ["a1", "a1", "a2", "a2"]
        assert ordered.waiting("a") == ["a2", "a3"]

    def test_that_runs_into_the_timeout_is_seen_off_like_one_that_exits(self, ordered: OrderedLane) -> None:
        def loop(event: Event, message: Message) -> None:
            ordered.clock.advance(FUNCTION_TIMEOUT)
            raise WorkerDied("Task timed out")

        ordered.handler.will("a1", loop)
        ordered.send(*"aba")
        ordered.run_with_sweeps(15)
        assert ordered.runs("a") == ["a1", "a1"]
        assert [one["dead_because"] for one in ordered.reports()] == ["crashed"]
        assert ordered.handler.finished == {"b1": 1}

    def test_several_in_one_batch_are_all_seen_off(self, skipping: OrderedLane) -> None:
        for killer in ("a1", "c1"):
            skipping.handler.will(killer, EXIT)
        skipping.send(*"abcabc")
        skipping.run_with_sweeps(30)
        assert {trail["event_id"]: trail["dead_because"] for trail in skipping.trails()} == dict.fromkeys(
            ["a1", "c1"], "crashed"
        )
        assert skipping.handler.finished == dict.fromkeys(["a2", "b1", "b2", "c2"], 1)

    def test_that_kills_one_worker_only_is_done(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", EXIT, None)
        ordered.send(*"aab")
        ordered.run_until_quiet()
        assert ordered.handler.finished == dict.fromkeys(["a1", "a2", "b1"], 1)
        assert ordered.items() == []
