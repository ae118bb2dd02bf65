"""A stack in memory that recovery looks at and acts on: each call can fail, kill the run, or let another run in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from backstop.circuits.state import CircuitState, Standing
from backstop.errors import StoreUnavailable, SystemFault
from backstop.recovery.mode import Mode
from backstop.recovery.observing import Deployed, Places, Rules
from backstop.recovery.plan import plan
from backstop.recovery.recovering import Outcome, Recovering, recover
from backstop.recovery.state import Bounds, Entry, Intake, MappingState, Memory, SourceMapping, Tell
from backstop.release_counts import Hold

START: Final = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
EVENTS: Final = Intake("events", "shop-process", "id-events", 10, "events-old")
ORDERED: Final = Intake("ordered", "shop-process-ordered", "id-ordered", 10, "ordered-old")
LONGEST_PAUSE: Final = timedelta(minutes=60)
OUTAGE: Final = (2, 30)
"""The minutes between which the circuit is open."""
ALL: Final = 75
"""Minutes after which all is as it was: the outage, the steps back, the end that people are told of."""
PAUSED_AT: Final = OUTAGE[0]

T = TypeVar("T")


class Killed(BaseException):
    """The run was killed: nothing catches it."""


@dataclass
class World:
    """The stack, and what befalls the runs that look at it."""

    now: datetime = START
    mode: Mode = Mode.ACT
    mappings: dict[str, SourceMapping] = field(
        default_factory=lambda: {one.mapping_id: SourceMapping(MappingState.ENABLED, 10) for one in (EVENTS, ORDERED)}
    )
    deployed: dict[str, Deployed] = field(
        default_factory=lambda: {one.function: Deployed("r1", "abc", START - MINUTE) for one in (EVENTS, ORDERED)}
    )
    switches: dict[str, bool] = field(default_factory=dict)
    open_since: datetime | None = None
    """Since when the circuit `payments` is open, on which `events` depends."""
    openings: Standing | None = None
    """What else is known of the circuit."""
    held: list[Hold] = field(default_factory=list)
    ringing: set[str] = field(default_factory=set)
    memory: Memory = field(default_factory=Memory)
    written: list[Entry] = field(default_factory=list)
    told: list[Tell] = field(default_factory=list)
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    """The calls that fail, each time."""
    doubtful: bool = False
    """Whether nobody knows if people were told."""
    befalls: tuple[int, str, Callable[[], None]] | None = None
    """What befalls a run: the number of its call, `before` or `after` it, and what."""

    def run(self, *, is_reconcile: bool = True) -> Outcome:
        """Let recovery run once."""
        return recover(self._recovering(), is_reconcile=is_reconcile)

    def minutes(self, count: int, each: Callable[[World], None] = lambda _: None) -> None:
        """Let minutes pass, each with its run."""
        for _ in range(count):
            self.now += MINUTE
            each(self)
            self.run()

    def is_enabled(self, intake: Intake = EVENTS) -> bool:
        """Whether an intake takes events in."""
        return self.mappings[intake.mapping_id].state is MappingState.ENABLED

    def kill(self, call: int, moment: str) -> None:
        """Kill the next run at a call."""

        def kill() -> None:
            raise Killed

        self.befall(call, moment, kill)

    def befall(self, call: int, moment: str, what: Callable[[], None]) -> None:
        """Let something befall the next run at a call."""
        self.calls.clear()
        self.befalls = (call, moment, what)

    def _recovering(self) -> Recovering:
        rules = Rules(self.mode, Bounds(40, LONGEST_PAUSE), (EVENTS, ORDERED))
        places = Places(
            mappings=_Mappings(self),
            functions=_Functions(self),
            releases=_Releases(self),
            switches=_Switches(self),
            circuits=lambda: self.call("circuits", self._circuits),
            ringing=lambda names: self.call("alarms", lambda: self._ringing(names)),
        )
        return Recovering(rules, places, _Log(self), plan, self._tell, lambda: self.now)

    def call(self, name: str, effect: Callable[[], T]) -> T:
        """Make a call: it may fail, and something may befall the run before or after it."""
        number = len(self.calls)
        self.calls.append(name)
        self._befalls(number, "before")
        if name in self.failing:
            raise StoreUnavailable(f"{name}: no answer") if name in {"memory", "remember"} else SystemFault(name)
        result = effect()
        self._befalls(number, "after")
        return result

    def _befalls(self, number: int, moment: str) -> None:
        if self.befalls is not None and self.befalls[:2] == (number, moment):
            what, self.befalls = self.befalls[2], None
            what()

    def _circuits(self) -> Sequence[Standing]:
        known = self.openings or Standing("payments", dependents=frozenset({EVENTS.function}))
        if self.open_since is None:
            return (known,)
        return (replace(known, state=CircuitState.OPEN, since=self.open_since, opened_at=self.now),)

    def _ringing(self, names: Collection[str]) -> frozenset[str]:
        return frozenset(self.ringing & set(names))

    def _tell(self, tell: Tell) -> bool:
        def effect() -> bool:
            self.told.append(tell)
            return not self.doubtful

        return self.call("tell", effect)


@dataclass
class _Mappings:
    world: World

    def look(self, mapping_id: str) -> SourceMapping:
        return self.world.call(f"look {mapping_id}", lambda: self.world.mappings[mapping_id])

    def set(self, mapping_id: str, is_enabled: bool, concurrency: int) -> None:
        state = MappingState.ENABLED if is_enabled else MappingState.DISABLED
        wanted = SourceMapping(state, concurrency)
        self.world.call(f"set {mapping_id}", lambda: self.world.mappings.update({mapping_id: wanted}))


@dataclass
class _Functions:
    world: World

    def look(self, function: str) -> Deployed:
        return self.world.call(f"look {function}", lambda: self.world.deployed[function])

    def restart(self, function: str, at: datetime) -> None:
        def effect() -> None:
            found = self.world.deployed[function]
            if found.renewed_at < at:
                self.world.deployed[function] = found._replace(renewed_at=self.world.now)
                self.world.restarted.append(function)

        self.world.call(f"restart {function}", effect)


@dataclass
class _Releases:
    world: World

    def seen(self, function: str, release: str, code: str, now: datetime) -> None:
        self.world.call("seen", lambda: self.world.seen.append((function, release, code)))

    def holds(self) -> Sequence[Hold]:
        return self.world.call("holds", lambda: list(self.world.held))


@dataclass
class _Switches:
    world: World

    def look(self) -> Mapping[str, bool]:
        return self.world.call("switches", lambda: dict(self.world.switches))

    def set(self, circuit: str, to_backup: bool) -> None:
        self.world.call("switch", lambda: self.world.switches.update({circuit: to_backup}))


@dataclass
class _Log:
    world: World

    def memory(self) -> Memory:
        return self.world.call("memory", lambda: self.world.memory)

    def remember(self, memory: Memory, entries: Sequence[Entry] = (), at: datetime | None = None) -> bool:
        def effect() -> bool:
            if memory.version != self.world.memory.version:
                return False
            self.world.memory = replace(memory, version=memory.version + 1)
            self.world.written += entries
            return True

        return self.world.call("remember", effect)


def weather(world: World) -> None:
    """Let the circuit be open during the outage."""
    minute = (world.now - START) // MINUTE
    first, last = OUTAGE
    world.open_since = START + first * MINUTE if first <= minute < last else None


def after(minutes: int) -> World:
    """Return the world after so many minutes of it."""
    world = World()
    world.minutes(minutes, weather)
    return world


def calls_of(minute: int) -> list[str]:
    """Return the calls of a minute's run."""
    world = after(minute - 1)
    world.calls.clear()
    world.minutes(1, weather)
    return world.calls
