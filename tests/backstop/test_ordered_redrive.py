"""Dead letters of ordered keys go back: from then on they are in order, and hold up the newer events of their keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import pytest

from backstop.parking import OnDeadHead, State
from tests.backstop.ordered_healing import heal, require_right, require_settled
from tests.backstop.ordered_worker import Worker
from tests.backstop.ordered_world import IN_HAND, VISIBILITY, World
from tests.fakes.source import A_MOMENT

FIXED: Final = ("permanent", "ok")
"""An event that is dead until somebody mends what it dies of."""


def skipping(*scripts: Sequence[str], key: str = "a") -> World:
    """Return a world in which a key's events were sent and taken in, and its dead ones were put aside."""
    world = World(OnDeadHead.SKIP)
    for acts in scripts:
        world.send(key, *acts)
    world.finish(world.start_ingest())
    return world


def take_in(world: World) -> None:
    world.finish(world.start_ingest())


def redrive(world: World, redrive_id: str = "r1") -> None:
    world.finish(world.start_redrive(redrive_id))


def drain(world: World, key: str = "a") -> None:
    """Let a key be drained once nobody can be at its events any more."""
    world.clock.advance(IN_HAND + A_MOMENT)
    world.finish(world.start_drain(key))


def go_on_until(world: World, worker: Worker, call: str, times: int = 1) -> None:
    """Let a worker go on until it stands before a call for the so-manieth time."""
    while worker.calls.count(call) < times:
        world.go_on(worker)


def test_newer_events_wait_until_those_that_were_put_back_are_done() -> None:
    world = skipping(FIXED, ("ok",), FIXED)
    assert world.effects == ["a2"]
    redrive(world)
    for _ in range(2):
        world.send("a", "ok")
    take_in(world)
    assert world.effects == ["a2"]
    assert world.parked("a") == ["a1", "a3", "a4", "a5"]
    drain(world)
    assert world.effects == ["a2", "a1", "a3", "a4", "a5"]
    assert world.dead_letters.letters == []
    require_settled(world)


def test_one_that_fails_again_for_a_while_holds_up_the_others_of_its_key_only() -> None:
    world = skipping(("permanent", "transient", "ok"), FIXED, ("ok",))
    world.send("b", *FIXED)
    take_in(world)
    redrive(world)
    drain(world)
    world.finish(world.start_drain("b"))
    assert world.effects == ["a3", "b1"]
    assert world.parked("a") == ["a1", "a2"]
    heal(world)
    assert world.effects == ["a3", "b1", "a1", "a2"]


def test_one_that_is_dead_again_is_one_dead_letter_though_its_old_one_is_redriven_once_more() -> None:
    """The mover died before it deleted the old letter, and is called again when all is over."""
    world = skipping(("permanent", "permanent", "ok"), ("ok",))
    mover = world.start_redrive("r1")
    go_on_until(world, mover, "delete letter")
    world.kill(mover)
    drain(world)
    old, new = world.dead_letters.letters
    assert (old.trail.redrives, new.trail.redrives) == (0, 1)
    world.dead_letters.delete(new)  # which the mover does not see: it died after those that it looks for
    redrive(world)
    assert world.dead_letters.letters == []
    assert world.parked("a") == []
    world.dead_letters.letters.append(new)
    redrive(world)
    assert world.parked("a") == ["a1"]
    drain(world)
    assert world.effects == ["a2", "a1"]


class TestAWorkerThatHasTheLease:
    def test_ends_what_it_runs_and_then_runs_what_was_put_back(self) -> None:
        world = skipping(FIXED, ("transient", "ok"), *3 * [("ok",)])
        world.clock.advance(timedelta(seconds=6))
        worker = world.start_drain("a")
        go_on_until(world, worker, "effect")
        redrive(world)
        assert world.effects == []
        world.finish(worker)
        assert world.effects == ["a2", "a1", "a3", "a4", "a5"]

    @pytest.mark.parametrize("second", ["permanent", "transient"])
    @pytest.mark.parametrize("on_dead_head", OnDeadHead)
    def test_lets_the_key_wait_for_nothing_but_its_head(self, on_dead_head: OnDeadHead, second: str) -> None:
        world = skipping(FIXED, ("transient", second, "ok"), ("ok",))
        world.on_dead_head = on_dead_head
        world.clock.advance(timedelta(seconds=6))
        worker = world.start_drain("a")
        go_on_until(world, worker, "delete record")
        redrive(world)
        world.finish(worker)
        require_right(world)
        assert world.effects[0] == "a1"
        heal(world)
        require_settled(world)
        assert [event for event in world.effects if event != "a2"] == ["a1", "a3"]

    def test_is_not_told_again_and_again_where_all_that_was_put_back_is_behind_its_head(self) -> None:
        world = skipping(("transient", "transient", "ok"), ("ok",))
        world.send("a", "permanent", "ok")
        drained = world.start_drain("a")
        world.kill(drained)
        world.clock.advance(timedelta(seconds=6))
        worker = world.start_drain("a")
        go_on_until(world, worker, "postpone")
        world.finish(worker)
        lock = world.lock("a")
        assert lock is not None
        assert (lock.state, lock.head) == (State.WAITING, "a1")
        assert world.runner.scripts["a1"].transients == 2


class TestAWorkerWithABatch:
    def test_ends_its_batch_before_what_was_put_back_is_run(self) -> None:
        """It looked once whether the key waits, and nobody runs an event of the key beside it."""
        world = skipping(FIXED)
        for _ in range(3):
            world.send("a", "ok")
        worker = world.start_ingest()
        assert worker is not None
        go_on_until(world, worker, "effect")
        redrive(world)
        world.clock.advance(A_MOMENT)
        world.finish(world.start_drain("a"))
        assert world.effects == []
        world.finish(worker)
        drain(world)
        assert world.effects == ["a2", "a3", "a4", "a1"]
        require_right(world)

    def test_parks_what_fails_behind_what_was_put_back(self) -> None:
        world = skipping(FIXED)
        for acts in (("transient", "ok"), ("ok",)):
            world.send("a", *acts)
        worker = world.start_ingest()
        assert worker is not None
        go_on_until(world, worker, "park_head")
        redrive(world)
        world.finish(worker)
        assert world.parked("a") == ["a1", "a2", "a3"]
        drain(world)
        assert world.effects == ["a1", "a2", "a3"]


class TestItsFirstMessage:
    """It may be delivered again: its worker died before it was let go."""

    def test_is_not_run_out_of_turn_and_not_needed(self) -> None:
        world = World(OnDeadHead.SKIP)
        world.send("a", *FIXED)
        worker = world.start_ingest()
        assert worker is not None
        go_on_until(world, worker, "answer")
        world.kill(worker)
        redrive(world)
        world.clock.advance(VISIBILITY + A_MOMENT)
        take_in(world)
        assert (world.queued(), world.effects, world.parked("a")) == ([], [], ["a1"])
        drain(world)
        assert world.effects == ["a1"]

    @pytest.mark.parametrize("is_done", [True, False])
    def test_is_done_with_though_nobody_noted_that_it_was_put_aside(self, *, is_done: bool) -> None:
        world = World(OnDeadHead.SKIP)
        world.send("a", *FIXED)
        worker = world.start_ingest()
        assert worker is not None
        go_on_until(world, worker, "mark_aside")
        world.kill(worker)
        redrive(world)
        if is_done:
            drain(world)
        world.clock.advance(VISIBILITY + A_MOMENT)
        take_in(world)
        assert world.queued() == []
        drain(world)
        assert world.effects == ["a1"]
        assert world.lock("a") is None


def test_a_key_that_is_held_is_decided_about_first() -> None:
    world = skipping(FIXED)
    world.on_dead_head = OnDeadHead.HOLD
    world.send("a", *FIXED)
    take_in(world)
    redrive(world)
    assert world.dead_letters.has("a1")
    assert world.parked("a") == ["a2"]
    world.finish(world.start_operator("retry", "a"))
    redrive(world)
    assert world.parked("a") == ["a1", "a2"]
    drain(world)
    assert world.effects == ["a1", "a2"]
