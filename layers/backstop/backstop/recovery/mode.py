"""What recovery may do by itself: known to workers, too, which need nothing else of it."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """What recovery may do by itself."""

    ACT = "act"
    SUGGEST = "suggest"
    """It tells people what it would do. What it did before, it undoes."""
    OFF = "off"
    """It does nothing, but undo what it did before."""
