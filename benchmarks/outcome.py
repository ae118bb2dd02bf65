"""What became of a burst of ordered events."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What became of a burst. `p99` is the delay in seconds of the keys that never fail."""

    p99: float
    violations: int
    lost: int
    twice: int
    killed: int
    held: int
