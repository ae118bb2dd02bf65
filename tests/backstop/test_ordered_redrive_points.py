"""While dead letters go back, something happens at each single call: a death, a failure, a lost answer, a mover."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstop.parking import OnDeadHead
from tests.backstop.ordered_healing import heal, require_right, require_settled
from tests.backstop.ordered_worker import Worker
from tests.backstop.ordered_world import IN_HAND, World
from tests.fakes.faults import Fault
from tests.fakes.source import A_MOMENT

FIXED: Final = ("permanent", "ok")
"""An event that is dead until somebody mends what it dies of."""


def take_in(world: World) -> None:
    world.finish(world.start_ingest())


def redrive(world: World, redrive_id: str = "r1") -> None:
    world.finish(world.start_redrive(redrive_id))


def drain(world: World, key: str = "a") -> None:
    """Let a key be drained once nobody can be at its events any more."""
    world.clock.advance(IN_HAND + A_MOMENT)
    world.finish(world.start_drain(key))


def one_more(world: World) -> None:
    """Let an event of the same key come, and be taken in if the queue gives it."""
    world.send("a", "ok")
    take_in(world)


ENDS: Final[dict[str, Callable[[World, Worker], None]]] = {
    "it dies": lambda world, worker: world.kill(worker),
    "the call fails": lambda world, worker: world.go_on(worker, Fault.THROTTLED),
    "its answer is lost": lambda world, worker: world.go_on(worker, Fault.ANSWER_LOST),
}
OTHERS: Final[dict[str, Callable[[World], None]]] = {
    "an event comes": one_more,
    "another drains": drain,
    "another mover": redrive,
    "a later redrive": lambda world: redrive(world, "r2"),
    "a person retries": lambda world: world.finish(world.start_operator("retry", "a")),
}
HAPPENINGS: Final = ENDS | {name: lambda world, worker, happen=happen: happen(world) for name, happen in OTHERS.items()}
STORIES: Final = {
    "one is put back": [FIXED, ("ok",)],
    "two are": [FIXED, ("ok",), FIXED],
    "one fails for a while": [("permanent", "transient", "ok"), ("ok",), FIXED],
    "one is dead again": [("permanent", "permanent", "ok"), FIXED],
    "one kills its workers": [("permanent", "kills", "ok"), ("ok",)],
    "time is short": [("permanent", "slow"), ("permanent", "slow"), ("slow",)],
}


class Story:
    """Two keys' events from their sending until all are done, with happenings at some calls, counted from 0."""

    def __init__(self, scripts: Sequence[Sequence[str]]) -> None:
        self.world = World(OnDeadHead.SKIP)
        self._scripts = scripts
        self._passed = 0

    def tell(self, happens: Mapping[int, str]) -> int:
        """Tell the story; returns how many calls it came to."""
        world = self.world
        for acts in self._scripts:
            world.send("a", *acts)
            world.send("b", *FIXED)
        take_in(world)
        heal(world)
        self._meet(world.start_redrive("r1"), happens)
        for key in "ab":
            world.send(key, "ok")
        self._meet(world.start_ingest(), happens)
        world.clock.advance(IN_HAND + A_MOMENT)
        for key in "aab":
            self._meet(world.start_drain(key), happens)
        require_right(world)
        self._end()
        return self._passed

    def _end(self) -> None:
        """Redrive until nothing is dead any more; then all is done, and what came last was last."""
        for number in range(4):
            heal(self.world)
            redrive(self.world, f"r1{number}")
        heal(self.world)
        require_settled(self.world)
        world = self.world
        assert world.dead_letters.letters == []
        assert sorted(world.effects) == sorted(event for sent in world.sent.values() for event in sent)

    def _meet(self, worker: Worker | None, happens: Mapping[int, str]) -> None:
        while worker is not None and not worker.is_over:
            self.world.go_on(worker)
            if not worker.is_over:
                happening = happens.get(self._passed)
                self._passed += 1
                if happening is not None:
                    HAPPENINGS[happening](self.world, worker)
                    require_right(self.world)


@pytest.mark.parametrize("scripts", STORIES.values(), ids=STORIES)
@pytest.mark.parametrize("happening", HAPPENINGS)
def test_at_whichever_call_it_happens_order_holds_and_each_is_done_once(
    scripts: Sequence[Sequence[str]], happening: str
) -> None:
    point = 0
    while Story(scripts).tell({point: happening}) > point:
        point += 1
    assert point > 20


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    scripts=st.sampled_from(list(STORIES.values())),
    happens=st.dictionaries(st.integers(0, 60), st.sampled_from(list(HAPPENINGS)), min_size=2, max_size=4),
)
def test_whatever_happens_at_some_calls_order_holds_and_each_is_done_once(
    scripts: Sequence[Sequence[str]], happens: Mapping[int, str]
) -> None:
    Story(scripts).tell(happens)
