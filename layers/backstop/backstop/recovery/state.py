"""What recovery sees, what it remembers, and what it does about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from backstop.circuits.state import Standing
from backstop.recovery.mode import Mode
from backstop.release_counts import Hold


class Strategy(StrEnum):
    """What can be done about a cause."""

    PAUSE = "pause"
    RESUME = "resume"
    SCALE_UP = "scale-up"
    SCALE_DOWN = "scale-down"
    SWITCH = "switch"
    SWITCH_BACK = "switch-back"
    RESTART = "restart"
    ESCALATE = "escalate"


class CauseKind(StrEnum):
    """What recovery acts on."""

    CIRCUIT = "circuit"
    """A circuit is open. `name` is the circuit's."""
    RELEASE = "release"
    """A new release fails (kill switch). `name` is the function's."""
    BACKLOG = "backlog"
    """An intake's events wait too long, and nothing that they need is down. `name` is the intake's."""
    ENVIRONMENT = "environment"
    """One execution environment opens a circuit again and again, and others close it. `name` is the function's."""
    PERSON = "person"
    """An operator paused it. `name` is the operator's."""
    ELSEWHERE = "elsewhere"
    """An event source mapping was disabled, not by Backstop. `name` is the intake's."""
    MISSING = "missing"
    """An event source mapping is gone. `name` is the intake's."""


class Cause(NamedTuple):
    """Why something is done: a kind, and what it is about."""

    kind: CauseKind
    name: str

    def __str__(self) -> str:
        """Return it as it is written down: `circuit payments`."""
        return f"{self.kind} {self.name}"


class MappingState(StrEnum):
    """What AWS says of an event source mapping."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    CHANGING = "changing"
    """Creating, Enabling, Disabling, Updating: it takes no change before that is over."""
    GONE = "gone"


class SourceMapping(NamedTuple):
    """An event source mapping as it is. `concurrency` is its MaximumConcurrency, None where it has none."""

    state: MappingState
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """Where a worker's fresh events come in, as the template says it."""

    name: str
    """`events`, `ordered`: its queue's resource, in small letters."""
    function: str
    mapping_id: str
    normal: int
    """Its concurrency when nothing is the matter."""
    age_alarm: str
    """The alarm that rings where its events wait too long."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What recovery may do at most: `most` is the highest concurrency of an intake, 2 to 1000."""

    most: int
    longest_pause: timedelta


@dataclass(frozen=True, slots=True)
class Pause:
    """That an intake stands still, and why. `until` is when it ends at the latest, None only for a release's."""

    cause: Cause
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class IntakeMemory:
    """What recovery wants of an intake, and since when."""

    pause: Pause | None = None
    concurrency: int | None = None
    """What it is raised to step by step, or scaled to; None is its normal one: as the deployment left it."""
    stepped_at: datetime | None = None
    """When the concurrency was last changed, or asked for again."""
    paused_at: tuple[datetime, ...] = ()
    """When it was last paused, the latest last, ten at most: a pause that comes again lasts longer."""
    trial_until: datetime | None = None
    """Until when it is not paused for a circuit, as its last pause took too long."""
    is_resuming: bool = False
    """Whether it was resumed and not seen enabled since: a mapping that is disabled is enabled, not adopted."""


@dataclass(frozen=True, slots=True)
class SwitchMemory:
    """That a downstream's backup is in use; `failures` is how often switching back did not last."""

    to_backup: bool = False
    since: datetime | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class CauseMemory:
    """What was tried against a cause, in order, and whether people were told; `is_over` once its end was told too."""

    since: datetime
    tried: tuple[str, ...] = ()
    told_at: datetime | None = None
    seen_at: datetime | None = None
    """When it was seen to be gone; None while it is there."""
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Tell:
    """What people are still to be told. `key` is the incident's, the same for what belongs together."""

    key: str
    title: str
    text: str
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """All that recovery remembers: one document, written by comparing `version` and setting.

    Intakes go by their name, switches by their circuit's, causes by what is written down of them. `restarts` is when a
    function was last restarted.
    """

    version: int = 0
    intakes: Mapping[str, IntakeMemory] = field(default_factory=dict)
    switches: Mapping[str, SwitchMemory] = field(default_factory=dict)
    causes: Mapping[str, CauseMemory] = field(default_factory=dict)
    restarts: Mapping[str, datetime] = field(default_factory=dict)
    untold: tuple[Tell, ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """All that recovery sees: mappings by intake, alarms that ring, circuits with a backup and if it is used."""

    now: datetime
    mode: Mode
    bounds: Bounds
    circuits: tuple[Standing, ...]
    holds: tuple[Hold, ...]
    intakes: tuple[Intake, ...]
    mappings: Mapping[str, SourceMapping]
    ringing: frozenset[str]
    switches: Mapping[str, bool]


class SetIntake(NamedTuple):
    """Enable or disable an intake's mapping, with this concurrency."""

    intake: str
    is_enabled: bool
    concurrency: int


class SetSwitch(NamedTuple):
    """Switch a circuit's downstream to its backup, or back."""

    circuit: str
    to_backup: bool


class Restart(NamedTuple):
    """Give a function new execution environments."""

    function: str


Action = SetIntake | SetSwitch | Restart


class Entry(NamedTuple):
    """A line of the recovery log: what was done, or suggested, to what, and why."""

    strategy: Strategy
    target: str
    cause: Cause
    why: str
    is_suggested: bool = False


class Plan(NamedTuple):
    """What follows from what is seen and remembered.

    `memory` is written first, by comparing and setting; only who wrote it acts and writes `entries`. `actions` bring
    what is to what should be: doing one twice does nothing twice.
    """

    memory: Memory
    actions: tuple[Action, ...]
    entries: tuple[Entry, ...]
