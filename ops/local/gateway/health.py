"""An entrance's health in, what becomes of a call out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Mode(StrEnum):
    """How an entrance fails."""

    OK = "ok"
    ERRORS = "errors"
    """Each call is answered with 503."""
    SLOW = "slow"
    """Charges are made, and said so when nobody waits for it any more."""
    REFUSE = "refuse"
    """Nothing listens."""
    FLAKY = "flaky"
    """Some calls are answered with 503."""


MODES: Final = "ok, errors, slow, refuse or flaky:0.6"


@dataclass(frozen=True, slots=True)
class Health:
    """A mode, and for a flaky one the share of its calls that fail (0 to 1)."""

    mode: Mode = Mode.OK
    rate: float = 0.0

    @property
    def is_ok(self) -> bool:
        """Whether every call goes well."""
        return self.mode is Mode.OK

    def fails(self, dice: float) -> bool:
        """Whether a call is answered with 503, as the dice (0 to 1) say."""
        return self.mode is Mode.ERRORS or (self.mode is Mode.FLAKY and dice < self.rate)


WELL: Final = Health()


def parse(text: str) -> Health:
    """Read a health as a person types it: a mode, and behind `flaky` its rate. Raises ValueError."""
    word, colon, rate = text.partition(":")
    mode = Mode(word)
    if (mode is Mode.FLAKY) != bool(colon):
        raise ValueError(text)
    return health(mode, float(rate) if colon else 0.0)


def health(mode: str, rate: float) -> Health:
    """Return a health with a rate that one can have. Raises ValueError."""
    if not 0 <= rate <= 1:
        raise ValueError(rate)
    return Health(Mode(mode), rate)
