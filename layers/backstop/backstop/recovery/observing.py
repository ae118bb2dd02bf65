"""The places where recovery looks in, the world as it is out; what cannot be seen is as it was last wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, NamedTuple, Protocol, TypeVar

from backstop.circuits.state import CircuitState, Standing
from backstop.errors import SystemFault
from backstop.recovery.mode import Mode
from backstop.recovery.state import Bounds, Cause, CauseKind, Intake, MappingState, Memory, SourceMapping, World
from backstop.release_counts import Hold

_NOT_KNOWN: Final = "it cannot be seen now, and was open before"

T = TypeVar("T")


class Deployed(NamedTuple):
    """What is deployed of a function, and since when it has no older execution environment."""

    release: str
    code: str
    renewed_at: datetime = datetime.min.replace(tzinfo=UTC)


class Mappings(Protocol):
    """Event source mappings, by their ids."""

    def look(self, mapping_id: str) -> SourceMapping:
        """Return a mapping as it is."""

    def set(self, mapping_id: str, is_enabled: bool, concurrency: int) -> None:
        """Enable or disable it."""


class Functions(Protocol):
    """Functions, by their names."""

    def look(self, function: str) -> Deployed:
        """Return what is deployed of one."""

    def restart(self, function: str, at: datetime) -> None:
        """Let one have no execution environment that is older than `at`."""


class Releases(Protocol):
    """What is known of releases: which ones are new, and which are held."""

    def seen(self, function: str, release: str, code: str, now: datetime) -> None:
        """Say which release a function runs."""

    def holds(self) -> Sequence[Hold]:
        """Return the live releases whose failures are held back."""


class Switching(Protocol):
    """Which downstreams are on their backup."""

    def look(self) -> Mapping[str, bool]:
        """Return it by the circuits' names."""

    def set(self, circuit: str, to_backup: bool) -> None:
        """Switch one."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where recovery looks, and acts. Each call raises SystemFault where AWS did not do it."""

    mappings: Mappings
    functions: Functions
    releases: Releases
    switches: Switching
    circuits: Callable[[], Sequence[Standing]]
    ringing: Callable[[Collection[str]], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What recovery may do, and to what."""

    mode: Mode
    bounds: Bounds
    intakes: tuple[Intake, ...]


@dataclass(frozen=True, slots=True)
class Sight:
    """The world, what is deployed of the functions that could be seen, and what could not be seen."""

    world: World
    deployed: Mapping[str, Deployed]
    faults: tuple[SystemFault, ...]


class Attempts:
    """Makes calls of which none must stop the next; `faults` are those that failed."""

    def __init__(self) -> None:
        self.faults: list[SystemFault] = []

    def get(self, call: Callable[[], T], otherwise: T) -> T:
        """Return what a call returns; `otherwise` where it failed."""
        try:
            return call()
        except SystemFault as fault:
            self.faults.append(fault)
            return otherwise

    def do(self, call: Callable[[], object]) -> bool:
        """Return whether a call worked."""
        before = len(self.faults)
        self.get(call, None)
        return len(self.faults) == before


def observe(places: Places, rules: Rules, memory: Memory, now: datetime) -> Sight:
    """Look everywhere. Nothing follows from what cannot be seen: it is taken to be as it was last wanted."""
    attempts = Attempts()
    deployed = _deployed(places, {intake.function for intake in rules.intakes}, attempts, now)
    world = World(
        now=now,
        mode=rules.mode,
        bounds=rules.bounds,
        circuits=tuple(attempts.get(places.circuits, _circuits(memory, rules.intakes, now))),
        holds=tuple(attempts.get(places.releases.holds, _holds(memory))),
        intakes=rules.intakes,
        mappings={intake.name: _mapping(places.mappings, intake, attempts) for intake in rules.intakes},
        ringing=_ringing(places, rules.intakes, memory, attempts),
        switches=attempts.get(places.switches.look, _switched(memory)),
    )
    return Sight(world, deployed, tuple(attempts.faults))


def _deployed(places: Places, functions: Collection[str], attempts: Attempts, now: datetime) -> dict[str, Deployed]:
    """Look at the functions, and say which release each runs: the releases' holds are read after it."""
    deployed = {}
    for name in sorted(functions):
        found: Deployed | None = attempts.get(partial(places.functions.look, name), None)
        if found is not None:
            attempts.do(partial(places.releases.seen, name, found.release, found.code, now))
            deployed[name] = found
    return deployed


def _mapping(mappings: Mappings, intake: Intake, attempts: Attempts) -> SourceMapping:
    """Return an intake's mapping; one that cannot be seen is left alone, like one that is changing."""
    return attempts.get(partial(mappings.look, intake.mapping_id), SourceMapping(MappingState.CHANGING))


def _ringing(places: Places, intakes: Sequence[Intake], memory: Memory, attempts: Attempts) -> frozenset[str]:
    alarms = {intake.age_alarm for intake in intakes if intake.age_alarm}
    backlogs = _there(memory, CauseKind.BACKLOG)
    rang = frozenset(intake.age_alarm for intake in intakes if intake.name in backlogs)
    return attempts.get(partial(places.ringing, alarms), rang)


def _circuits(memory: Memory, intakes: Sequence[Intake], now: datetime) -> tuple[Standing, ...]:
    """Return the circuits that were not closed when they could be seen."""
    return tuple(
        Standing(
            name=name,
            state=CircuitState.OPEN,
            opened_at=now,
            since=since,
            why=_NOT_KNOWN,
            dependents=_paused_for(Cause(CauseKind.CIRCUIT, name), memory, intakes),
        )
        for name, since in _there(memory, CauseKind.CIRCUIT).items()
    )


def _paused_for(cause: Cause, memory: Memory, intakes: Sequence[Intake]) -> frozenset[str]:
    """Return the functions whose intakes stand still for a cause."""
    pauses = {intake.function: memory.intakes[intake.name].pause for intake in intakes if intake.name in memory.intakes}
    return frozenset(function for function, pause in pauses.items() if pause is not None and pause.cause == cause)


def _holds(memory: Memory) -> tuple[Hold, ...]:
    """Return the releases that were held when they could be seen."""
    held = _there(memory, CauseKind.RELEASE)
    return tuple(Hold(function, "", "", 0, 0, since) for function, since in held.items())


def _switched(memory: Memory) -> dict[str, bool]:
    return {circuit: switch.to_backup for circuit, switch in memory.switches.items()}


def _there(memory: Memory, kind: CauseKind) -> dict[str, datetime]:
    """Return the names of the causes of a kind that were there at the last look, and since when."""
    return {
        cause.removeprefix(f"{kind} "): known.since
        for cause, known in sorted(memory.causes.items())
        if cause.startswith(f"{kind} ") and known.seen_at is None
    }
