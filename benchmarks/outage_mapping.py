"""An event source mapping in memory and recovery's own plan for it: what pauses a stream's intake, and resumes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from backstop.circuits.state import Standing
from backstop.recovery.mode import Mode
from backstop.recovery.plan import plan
from backstop.recovery.state import Bounds, Intake, MappingState, Memory, SetIntake, SourceMapping, Strategy, World

FUNCTION: Final = "process"
NORMAL: Final = 10

_CHANGING: Final = timedelta(seconds=10)
"""What a change of a mapping takes until pollers heed it: seconds to a minute on AWS, which says no number."""
_INTAKE: Final = Intake("events", FUNCTION, "mapping", NORMAL, "age")
_BOUNDS: Final = Bounds(2 * NORMAL, timedelta(hours=1))


@dataclass
class Mapping:
    """Whether an intake's events come in, and how many workers take them at once."""

    is_enabled: bool = True
    concurrency: int = NORMAL
    wanted: tuple[bool, int] = (True, NORMAL)
    changes_at: datetime | None = None
    paused_at: datetime | None = None
    resumed_at: datetime | None = None
    _memory: Memory = field(default_factory=Memory)

    def takers(self, now: datetime) -> int:
        """Return how many workers take fresh events."""
        self._settle(now)
        return self.concurrency if self.is_enabled else 0

    def reconcile(self, circuits: list[Standing], now: datetime) -> None:
        """Do what recovery does each minute, and when it is woken."""
        self._settle(now)
        world = World(
            now=now,
            mode=Mode.ACT,
            bounds=_BOUNDS,
            circuits=tuple(circuits),
            holds=(),
            intakes=(_INTAKE,),
            mappings={_INTAKE.name: SourceMapping(self._state, self.concurrency)},
            ringing=frozenset(),
            switches={},
        )
        planned = plan(world, self._memory)
        self._memory = planned.memory
        for entry in planned.entries:
            if entry.strategy is Strategy.PAUSE:
                self.paused_at = now
            elif entry.strategy is Strategy.RESUME:
                self.resumed_at = now
        for action in planned.actions:
            if isinstance(action, SetIntake):
                self.wanted, self.changes_at = (action.is_enabled, action.concurrency), now + _CHANGING

    @property
    def _state(self) -> MappingState:
        if self.changes_at is not None:
            return MappingState.CHANGING
        return MappingState.ENABLED if self.is_enabled else MappingState.DISABLED

    def _settle(self, now: datetime) -> None:
        if self.changes_at is not None and now >= self.changes_at:
            self.is_enabled, self.concurrency = self.wanted
            self.changes_at = None
