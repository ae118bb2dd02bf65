"""At each single call of a story in turn something happens: a death, a failure, a lost answer, another worker.

The machine in test_ordered_model.py mixes them at random; this goes through all of them, one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstop.parking import OnDeadHead
from tests.backstop.ordered_healing import heal, require_right, require_settled
from tests.backstop.ordered_worker import Worker
from tests.backstop.ordered_world import TIMEOUT, World
from tests.fakes.faults import Fault
from tests.fakes.source import A_MOMENT

Happening = str

HOLD, SKIP = OnDeadHead.HOLD, OnDeadHead.SKIP
STORIES: Final[dict[str, tuple[OnDeadHead, Sequence[Sequence[str]]]]] = {
    "the head fails for a while": (HOLD, [("transient", "ok"), ("ok",), ("ok",)]),
    "two fail for a while": (HOLD, [("ok",), ("transient", "transient", "ok"), ("transient", "ok")]),
    "the head fails for good, and is held": (HOLD, [("permanent",), ("ok",), ("ok",)]),
    "the head fails for good, and is skipped": (SKIP, [("permanent",), ("ok",), ("transient", "ok")]),
    "the second fails for good, and is skipped": (SKIP, [("ok",), ("transient", "permanent"), ("ok",)]),
    "the head is exhausted, and is held": (HOLD, [("transient",), ("ok",)]),
    "the head kills its workers, and is held": (HOLD, [("transient", "kills"), ("ok",)]),
    "the head killed its worker once": (SKIP, [("kills", "ok"), ("ok",)]),
    "time is short": (HOLD, [("transient", "slow"), ("slow",), ("slow",), ("ok",)]),
}


def one_more(world: World) -> None:
    """Let an event of the same key come, and be taken in if the queue gives it."""
    world.send("a", "ok")
    world.finish(world.start_ingest())


def after(wait: timedelta) -> Callable[[World], None]:
    """Let a second worker drain the key after a wait."""

    def drain(world: World) -> None:
        world.clock.advance(wait)
        world.finish(world.start_drain("a"))

    return drain


def sweep(world: World) -> None:
    """Sweep, and drain what it wakes."""
    world.finish(world.start_sweep())
    world.drain_woken()


def operator(act: str) -> Callable[[World], None]:
    """Let a person decide, if the key is held."""
    return lambda world: world.finish(world.start_operator(act, "a"))


ENDS: Final[dict[str, Callable[[World, Worker], None]]] = {
    "it dies": lambda world, worker: world.kill(worker),
    "the call fails": lambda world, worker: world.go_on(worker, Fault.THROTTLED),
    "its answer is lost": lambda world, worker: world.go_on(worker, Fault.ANSWER_LOST),
}
OTHERS: Final[dict[str, Callable[[World], None]]] = {
    "an event comes": one_more,
    "another drains": after(timedelta(seconds=6)),
    "another drains after the lease": after(TIMEOUT + timedelta(seconds=6)),
    "a sweep": sweep,
    "a person retries": operator("retry"),
    "a person skips": operator("skip"),
}
HAPPENINGS: Final = ENDS | {name: lambda world, worker, happen=happen: happen(world) for name, happen in OTHERS.items()}


class Story:
    """A key's events from their sending until they have settled, with happenings at some calls, counted from 0."""

    def __init__(self, on_dead_head: OnDeadHead, scripts: Sequence[Sequence[str]]) -> None:
        self.world = World(on_dead_head)
        self._scripts = scripts
        self._passed = 0

    def tell(self, happens: Mapping[int, Happening]) -> int:
        """Tell the story; returns how many calls it came to."""
        for acts in self._scripts:
            self.world.send("a", *acts)
        self._meet(self.world.start_ingest(2), happens)
        self._meet(self.world.start_ingest(), happens)
        for _ in range(3):
            self._wait()
            self._meet(self.world.start_ingest(), happens)
            self._meet(self.world.start_drain("a"), happens)
        require_right(self.world)
        heal(self.world)
        require_settled(self.world)
        return self._passed

    def _wait(self) -> None:
        """Let time pass until there is something to do."""
        due = [lock.due for lock in self.world.going()]
        due += [queued] if (queued := self.world.queue.next_due()) is not None else []
        self.world.clock.advance_to(min(due, default=self.world.clock.now()) + A_MOMENT)

    def _meet(self, worker: Worker | None, happens: Mapping[int, Happening]) -> None:
        while worker is not None and not worker.is_over:
            self.world.go_on(worker)
            if not worker.is_over:
                happening = happens.get(self._passed)
                self._passed += 1
                if happening is not None:
                    HAPPENINGS[happening](self.world, worker)
                    require_right(self.world)


@pytest.mark.parametrize(("on_dead_head", "scripts"), STORIES.values(), ids=STORIES)
@pytest.mark.parametrize("happening", HAPPENINGS)
def test_at_whichever_call_it_happens_order_holds_and_none_is_lost(
    on_dead_head: OnDeadHead, scripts: Sequence[Sequence[str]], happening: Happening
) -> None:
    point = 0
    while Story(on_dead_head, scripts).tell({point: happening}) > point:
        point += 1
    assert point > 10


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    story=st.sampled_from(list(STORIES.values())),
    happens=st.dictionaries(st.integers(0, 30), st.sampled_from(list(HAPPENINGS)), min_size=2, max_size=4),
)
def test_whatever_happens_at_some_calls_order_holds_and_none_is_lost(
    story: tuple[OnDeadHead, Sequence[Sequence[str]]], happens: Mapping[int, Happening]
) -> None:
    Story(*story).tell(happens)
