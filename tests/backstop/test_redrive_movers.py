"""Two movers of one job at once: no letter is sent twice, none is lost, and a canary's steps stay as small as they are.

RedriveStateMachine takes one turn after the other; but one whose answer it has not waited for may still be at work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, Final

import pytest

from backstop.letter import Letter
from backstop.moving import Addressed, Answer, Place
from backstop.redrive import A_BATCH, STEPS, Job
from backstop.turn import Redrive, take_turn
from tests.backstop.redrive_world import DEAD, TURN, A, B, RedriveWorld
from tests.fakes.faults import Fault
from tests.fakes.source import WorkerDied
from tests.turns import Interleaved, Turns

SOME: Final = [f"a-{number}" for number in range(40)]
OTHERS: Final = [f"b-{number}" for number in range(15)]
MOST_TURNS: Final = 2000
SEEDS: Final = range(25)


class Inline:
    """Threads that do their work at once: whose turn it is, is for `Turns` to say."""

    def __init__(self, _: int) -> None:
        pass

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, run: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run it."""
        done: Future[Any] = Future()
        done.set_result(run(*arguments))
        return done


@pytest.fixture(autouse=True)
def _is_inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backstop.mover.ThreadPoolExecutor", Inline)


class SharedPlace:
    """A place, each call to which is one at which the other mover may go on, or this one's time is over."""

    def __init__(self, place: Place, pause: Callable[[], None]) -> None:
        self._place = place
        self._pause = pause

    @property
    def name(self) -> str:
        return self._place.name

    def take(self, seconds: int, most: int = A_BATCH) -> Sequence[Letter]:
        self._pause()
        return self._place.take(seconds, most)

    def release(self, letters: Sequence[Letter]) -> None:
        self._pause()
        self._place.release(letters)

    def delete(self, letters: Sequence[Letter]) -> Sequence[Letter]:
        self._pause()
        return self._place.delete(letters)

    def hidden(self) -> int:
        self._pause()
        return self._place.hidden()


class Mover:
    """Takes turns of a job, one after the other, until it is over. One whose time is over is killed in its turn."""

    def __init__(self, world: RedriveWorld, turns: Turns) -> None:
        self._world = world
        self._turns = turns
        self._began = world.clock.now()

    def run(self) -> None:
        """Take turns."""
        for _ in range(MOST_TURNS):
            self._began = self._world.clock.now()
            try:
                job = self._turn()
            except WorkerDied:
                continue
            if job.is_over:
                return
        raise AssertionError("the job comes to no end")

    def _turn(self) -> Job:
        turn = take_turn(self._world.jobs.jobs["r1"], self._redrive())
        self._world.work()
        if self._world.clock.now() < self._began + TURN:
            self._world.clock.advance(turn.wait)
        self._turns.pause()
        return turn.job

    def _redrive(self) -> Redrive:
        redrive = self._world.redrive(self._remaining)
        places = {DEAD: SharedPlace(redrive.moving.places[DEAD], self._pause)}
        jobs: Any = Interleaved(redrive.moving.jobs, self._turns)
        return replace(redrive, moving=replace(redrive.moving, jobs=jobs, places=places, send=self._sending(redrive)))

    def _sending(self, redrive: Redrive) -> Callable[[str, Sequence[Addressed]], Answer]:
        def send(queue: str, addressed: Sequence[Addressed]) -> Answer:
            self._pause()
            answer = redrive.moving.send(queue, addressed)
            self._pause()
            return answer

        return send

    def _pause(self) -> None:
        self._turns.pause()
        if self._remaining() <= timedelta(0):
            raise WorkerDied("its time is over")

    def _remaining(self) -> timedelta:
        return TURN - (self._world.clock.now() - self._began)


def filled(fails: Callable[[str], bool] = lambda _: False, **begun: Any) -> RedriveWorld:
    """Return a world with dead letters, and a job of some of them."""
    world = RedriveWorld(fails=fails)
    for event_id in SOME:
        world.bury(event_id)
    for event_id in OTHERS:
        world.bury(event_id, B)
    world.clock.advance(timedelta(seconds=1))
    world.begin(group=A, **begun)
    return world


def moved(seed: int, faults: Sequence[tuple[str, Fault]] = (), movers: int = 2, **begun: Any) -> RedriveWorld:
    """Let movers move a job to its end, in an order of their calls that is drawn."""
    world, turns = filled(**begun), Turns(Random(seed))
    for operation, fault in faults:
        world.faults.fail(operation, *[None] * Random(seed).randrange(4), fault)
    turns.run([Mover(world, turns).run for _ in range(movers)])
    world.work()
    return world


def require_right(world: RedriveWorld) -> None:
    """Require that each letter was sent once, or lies where it lay, held back; and that all others are untouched."""
    assert world.arrived.total() == len(world.arrived), "sent twice"
    missing = {*SOME} - {*world.arrived}
    doubtful = {one.event_id for batch in world.progress().batches for one in batch.doubtful}
    assert missing <= doubtful, "neither sent nor said to be in doubt"
    assert missing <= world.dead(), "lost"
    assert {*OTHERS} <= world.dead()
    world.clock.advance(TURN + timedelta(seconds=11))
    assert all(message.visible_at <= world.clock.now() for message in world.letters())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("is_canary", [True, False])
def test_send_each_letter_once(seed: int, is_canary: bool) -> None:
    world = moved(seed, is_canary=is_canary)
    require_right(world)
    assert world.dead() == {*OTHERS} | ({*SOME} - {*world.arrived})


@pytest.mark.parametrize("seed", SEEDS)
def test_three_of_them_do_so_too(seed: int) -> None:
    require_right(moved(seed, movers=3, is_canary=False))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fault", [Fault.DENIED, Fault.UNREACHABLE, Fault.ANSWER_LOST])
@pytest.mark.parametrize("operation", ["SendMessageBatch", "DeleteMessageBatch"])
def test_send_each_letter_once_whatever_is_refused(seed: int, operation: str, fault: Fault) -> None:
    require_right(moved(seed, [(operation, fault)], is_canary=False))


@pytest.mark.parametrize("seed", SEEDS)
def test_keep_to_the_sizes_of_a_canarys_steps(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world, turns = filled(), Turns(Random(seed))
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(world.sqs, "send_message_batch", counting(world, sent))
    turns.run([Mover(world, turns).run for _ in range(2)])
    require_small_steps(world, sent)


@pytest.mark.parametrize("seed", SEEDS)
def test_stop_a_group_that_is_still_broken_at_its_first_letter(seed: int) -> None:
    world, turns = filled(fails=lambda _: True), Turns(Random(seed))
    turns.run([Mover(world, turns).run for _ in range(2)])
    assert world.jobs.jobs["r1"].state == "stopped"
    assert world.arrived.total() == 1


def counting(world: RedriveWorld, sent: list[tuple[int, int]]) -> Callable[..., Any]:
    send = world.sqs.send_message_batch

    def counted(**request: Any) -> Any:
        sent.append((len(request["Entries"]), world.jobs.jobs["r1"].step))
        return send(**request)

    return counted


def require_small_steps(world: RedriveWorld, sent: Sequence[tuple[int, int]]) -> None:
    """Require that no step has sent more than its share."""
    total = 0
    for count, step in sent:
        total += count
        if step < len(STEPS):
            assert total <= (1, 11, 111)[step]
    assert all(len(batch.letters) <= (1 if batch.number == 1 else A_BATCH) for batch in world.progress().batches)
