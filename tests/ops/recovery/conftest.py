"""Recovery, at a time that stands still."""

from tests.ops.intake.ground import backstop, clock, faults, ground, stack
from tests.ops.keys.conftest import rows

__all__ = ["backstop", "clock", "faults", "ground", "rows", "stack"]
