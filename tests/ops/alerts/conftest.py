"""A stack with groups of failures, at a time that stands still."""

from tests.ops.groups.ground import backstop, clock, faults, ground, stack
from tests.ops.keys.conftest import rows

__all__ = ["backstop", "clock", "faults", "ground", "rows", "stack"]
