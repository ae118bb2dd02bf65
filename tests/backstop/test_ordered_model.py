"""Whatever happens, in whatever order: no event overtakes another of its key, none is lost, none is done twice.

Workers take batches in, drain keys and sweep, several at a time; each stands still before each of its calls, which may
fail before or after taking effect, and may die there. Deliveries come again, wake-ups are lost, leases run out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backstop.parking import OnDeadHead
from tests.backstop.ordered_healing import heal, require_right, require_settled
from tests.backstop.ordered_worker import Worker
from tests.backstop.ordered_world import World
from tests.fakes.faults import Fault

MOST_EVENTS = 12
WAITS = (1, 6, 31, 36, 181)
"""A moment, a delay, an invocation, a lease, and what a queue hides a message for, and a little more; in seconds."""

keys = st.sampled_from("aab")
scripts = st.sampled_from(
    [
        ("ok",),
        ("slow",),
        ("transient", "ok"),
        ("transient", "transient", "slow"),
        ("transient", "transient", "transient", "ok"),
        ("permanent",),
        ("transient", "permanent"),
        ("permanent", "ok"),
        ("kills", "ok"),
        ("kills",),
    ]
)
ENDS: dict[str, Fault | None] = {
    "pauses": None,
    "dies": None,
    "call fails": Fault.THROTTLED,
    "answer is lost": Fault.ANSWER_LOST,
}
HAPPENINGS = [*3 * ["ingest", "drain", "go on"], *2 * ["redrive"], "sweep", "retry", "skip", "discard", "time passes"]


class Fate(NamedTuple):
    """What happens to a worker after some more calls, before the next; it finishes where it makes fewer."""

    calls: int
    end: str


fates = st.one_of(st.none(), *3 * [st.builds(Fate, st.integers(0, 9), st.sampled_from([*ENDS]))])
"""The fates of workers; None is to finish."""


class OrderedLane(RuleBasedStateMachine):
    """The lane as it is, against what must hold of it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(
        on_dead_head=st.sampled_from(OnDeadHead),
        most=st.sampled_from([3, 100]),
        first=st.lists(st.tuples(keys, scripts), min_size=1, max_size=6),
    )
    def begin(self, on_dead_head: OnDeadHead, most: int, first: list[tuple[str, tuple[str, ...]]]) -> None:
        self.world = World(on_dead_head, most)
        for key, acts in first:
            self.world.send(key, *acts)

    @precondition(lambda self: len(self.world.runner.scripts) < MOST_EVENTS)
    @rule(key=keys, acts=scripts)
    def send(self, key: str, acts: tuple[str, ...]) -> None:
        self.world.send(key, *acts)

    @rule(what=st.sampled_from(HAPPENINGS), which=st.integers(0, 9), fate=fates)
    def happens(self, what: str, which: int, fate: Fate | None) -> None:
        """Let a worker do something (one rule, for each has its say all the time), or time pass."""
        if not self.world.workers:  # those that stand still would be dead by then
            self.wait_for(what)
        worker = self.worker_for(what, which)
        if worker is not None:
            self.meet(worker, fate)
        elif what == "time passes":
            self.world.clock.advance(timedelta(seconds=WAITS[which % len(WAITS)]))

    def wait_for(self, what: str) -> None:
        """Wait until there is something to do, where time brings it."""
        due = self.world.queue.next_due() if what == "ingest" else None
        if what == "drain":
            due = min((lock.due for lock in self.world.going()), default=None)
        if due is not None:
            self.world.clock.advance_to(due)

    def worker_for(self, what: str, which: int) -> Worker | None:
        """Return a worker that is about to do something; None where there is nothing to do."""
        world = self.world
        match what:
            case "ingest":
                return world.start_ingest(which + 1)
            case "drain" if world.parking.kept_locks:
                return world.start_drain(one_of(sorted(world.parking.kept_locks), which))
            case "sweep":
                return world.start_sweep()
            case "retry" | "skip" | "discard" if world.held():
                return world.start_operator(what, one_of(world.held(), which))
            case "redrive" if world.dead_letters.letters:
                return world.start_redrive(f"r{which // 4}")  # a new one, or one that is called again
            case "go on" if world.workers:
                return one_of(world.workers, which)
            case _:
                return None

    def meet(self, worker: Worker, fate: Fate | None) -> None:
        """Let a worker go on until it meets its fate."""
        if fate is None:
            self.world.finish(worker)
            return
        for _ in range(fate.calls):
            if not worker.is_over:
                self.world.go_on(worker)
        if worker.is_over or fate.end == "pauses":
            return
        if fate.end == "dies":
            self.world.kill(worker)
        else:
            self.world.go_on(worker, ENDS[fate.end])
            self.world.finish(worker)

    @invariant()
    def no_event_overtakes_another_and_none_is_lost(self) -> None:
        require_right(self.world)

    def teardown(self) -> None:
        """Let everything heal, and see where each event ended."""
        heal(self.world)
        require_settled(self.world)


T = TypeVar("T")


def one_of(things: Sequence[T], which: int) -> T:
    """Return one of these."""
    return things[which % len(things)]


OrderedLane.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOrderedLane = OrderedLane.TestCase
