"""A stack that recovery watches, on a virtual clock: mappings that change slowly, circuits, alarms, and its own end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from backstop.circuits.state import CircuitState, Opening, Standing
from backstop.recovery.memory import parse, serialise
from backstop.recovery.mode import Mode
from backstop.recovery.plan import plan
from backstop.recovery.state import (
    Action,
    Bounds,
    Entry,
    Intake,
    MappingState,
    Memory,
    Restart,
    SetIntake,
    SetSwitch,
    SourceMapping,
    Tell,
    World,
)
from backstop.release_counts import Hold
from tests.backstop import NOW

A_MINUTE = timedelta(minutes=1)
BOUNDS = Bounds(most=40, longest_pause=timedelta(minutes=60))
EVENTS = Intake("events", "process", "id-events", 20, "events-old")
ORDERED = Intake("ordered", "process-ordered", "id-ordered", 10, "ordered-old")
INTAKES = (EVENTS, ORDERED)


def a_world(minutes: float = 0, **changed: object) -> World:
    """Return a stack in which nothing is the matter, but what is said."""
    mappings = {one.name: SourceMapping(MappingState.ENABLED, one.normal) for one in INTAKES}
    well = World(NOW + minutes * A_MINUTE, Mode.ACT, BOUNDS, (), (), INTAKES, mappings, frozenset(), {})
    return replace(well, **changed)  # type: ignore[arg-type]


def an_open(name: str, since: datetime, *functions: str, **changed: object) -> Standing:
    """Return a circuit that is open; it was probed a moment ago, if it was not said when it was last."""
    openings = (Opening(since, "one", functions[0] if functions else ""),)
    standing = Standing(
        name, CircuitState.OPEN, opened_at=since, since=since, openings=openings, dependents=frozenset(functions)
    )
    return replace(standing, **changed)  # type: ignore[arg-type]


@dataclass
class Stack:
    """What AWS keeps of a stack, and what recovery does to it."""

    intakes: tuple[Intake, ...] = INTAKES
    now: datetime = NOW
    mode: Mode = Mode.ACT
    memory: str = field(default_factory=lambda: serialise(Memory()))
    open_since: dict[str, datetime] = field(default_factory=dict)
    is_probed: bool = True
    dependents: dict[str, frozenset[str]] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()
    ringing: frozenset[str] = frozenset()
    switches: dict[str, bool] = field(default_factory=lambda: {"payments": False})
    change_takes: timedelta = timedelta(seconds=30)
    refuses: bool = False
    """Whether AWS takes no change."""
    entries: list[tuple[datetime, Entry]] = field(default_factory=list)
    done: list[tuple[datetime, Action]] = field(default_factory=list)
    told: list[tuple[datetime, Tell]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._mappings = {one.name: SourceMapping(MappingState.ENABLED, one.normal) for one in self.intakes}
        self._changing_until: dict[str, datetime] = {}

    def mapping(self, name: str) -> SourceMapping:
        """Return what AWS says of a mapping."""
        if self.now < self._changing_until.get(name, self.now):
            return SourceMapping(MappingState.CHANGING, self._mappings[name].concurrency)
        return self._mappings[name]

    def change(self, name: str, mapping: SourceMapping) -> None:
        """Change a mapping, not by recovery and at once."""
        self._mappings[name] = mapping
        self._changing_until.pop(name, None)

    def seen(self) -> World:
        """Return what recovery sees of it."""
        circuits = tuple(self._standing(name, since) for name, since in sorted(self.open_since.items()))
        mappings = {one.name: self.mapping(one.name) for one in self.intakes}
        switches = dict(self.switches)
        return World(self.now, self.mode, BOUNDS, circuits, self.holds, self.intakes, mappings, self.ringing, switches)

    def _standing(self, name: str, since: datetime) -> Standing:
        probed_at = max(since, self.now - timedelta(seconds=20)) if self.is_probed else since
        return an_open(name, since, *sorted(self.dependents.get(name, frozenset())), opened_at=probed_at)

    def reconcile(self, dies_after: int | None = None) -> Sequence[Action]:
        """Let recovery run, which dies after so many steps: memory, entries, each action, and telling are one each."""
        before = parse(self.memory)
        after = plan(self.seen(), before)
        for step, _ in enumerate(self._steps(before.version + 1, *after)):
            if step == dies_after:
                break
        return after.actions

    def reconcile_twice(self) -> None:
        """Let two runs begin at once: one writes its memory first and acts last, the other one loses and stops.

        A third one, right after the first has written, acts before it.
        """
        before, seen = parse(self.memory), self.seen()
        first = plan(seen, before)
        assert plan(seen, before) == first, "the one that loses had decided the same"
        self.memory = serialise(replace(first.memory, version=before.version + 1))
        self.reconcile()
        for action in first.actions:
            self._act(action)

    def _steps(
        self, version: int, memory: Memory, actions: tuple[Action, ...], entries: tuple[Entry, ...]
    ) -> Iterator[None]:
        yield  # it dies before anything is written
        self.memory = serialise(replace(memory, version=version))
        yield
        self.entries += [(self.now, entry) for entry in entries]
        yield
        for action in actions:
            self._act(action)
            yield
        self.told += [(self.now, tell) for tell in memory.untold]
        self.memory = serialise(replace(memory, version=version + 1, untold=()))

    def _act(self, action: Action) -> None:
        if self.refuses:
            return
        match action:
            case SetIntake(name, is_enabled, concurrency):
                if self.mapping(name).state in {MappingState.CHANGING, MappingState.GONE}:
                    return  # AWS takes no change of these
                state = MappingState.ENABLED if is_enabled else MappingState.DISABLED
                self._mappings[name] = SourceMapping(state, concurrency)
                self._changing_until[name] = self.now + self.change_takes
            case SetSwitch(name, to_backup):
                self.switches[name] = to_backup
            case Restart():
                pass
        self.done.append((self.now, action))

    def minutes(self, count: int) -> None:
        """Let so many minutes pass, with recovery at the end of each."""
        for _ in range(count):
            self.now += A_MINUTE
            self.reconcile()

    def is_as_ever(self) -> bool:
        """Whether all intakes run at their normal concurrency, and nothing is on its backup."""
        mappings = {one.name: SourceMapping(MappingState.ENABLED, one.normal) for one in self.intakes}
        return {one.name: self.mapping(one.name) for one in self.intakes} == mappings and not any(
            self.switches.values()
        )

    def written(self) -> Counter[str]:
        """Return how often each strategy is in the recovery log."""
        return Counter(str(entry.strategy) for _, entry in self.entries)
