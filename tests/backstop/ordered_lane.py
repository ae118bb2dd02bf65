"""The small world in, what the ordered lane needs to run in it out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from backstop.backoff import Backoff, Shape
from backstop.effects import Circumstances
from backstop.parking import Limits
from backstop.process import Flow
from backstop.sequence import Lane
from backstop.verdict import Policy
from tests.backstop import PARSE
from tests.backstop.ordered_effects import Acts
from tests.backstop.ordered_runner import ATTEMPTS
from tests.backstop.ordered_worker import Worker

if TYPE_CHECKING:
    from tests.backstop.ordered_world import World

POLICY: Final = Policy(Backoff(timedelta(seconds=5), timedelta(seconds=20), Shape.FIXED), max_attempts=ATTEMPTS)


def lane_of(world: World, worker: Worker) -> Lane:
    """Return what one worker needs."""
    return Lane(
        flow=Flow(
            parse=PARSE,
            run=world.runner.run,
            were_running=world.runner.were_running,
            remaining_millis=lambda: int((worker.deadline - world.clock.now()) / timedelta(milliseconds=1)),
            now=world.clock.now,
            dice=lambda: 0.5,
            policy=POLICY,
            kinds={},
            queues=frozenset({"ordered.fifo"}),
        ),
        parking=world.parking,
        effects=Acts(worker, world.queue, world.dies, world.woken.extend),
        circumstances=Circumstances("/var/task", "r1", POLICY, world.clock.now),
        limits=Limits(world.most, 1000),
        on_dead_head=world.on_dead_head,
        new_generation=world.new_generation,
    )
