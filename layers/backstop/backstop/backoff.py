"""How often something failed in, how long to wait before it is tried again out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

_LARGEST_EXPONENT = 30  # beyond any limit, and far from overflowing a float


class Shape(StrEnum):
    """How delays grow from one attempt to the next."""

    EXPONENTIAL = "exponential"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays between attempts.

    `base` is the first delay's bound, `limit` no delay exceeds (SQS delays a message by at most 900 s).
    """

    base: timedelta = timedelta(seconds=5)
    limit: timedelta = timedelta(seconds=900)
    shape: Shape = Shape.EXPONENTIAL

    def delay(self, failures: int, dice: float) -> timedelta:
        """Return the delay after the `failures`-th failure (1 or more).

        Exponential: anywhere between nothing and base × 2^(failures − 1), as `dice` (0 ≤ dice < 1) falls: "full jitter"
        of Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015). Fixed: `base`.
        """
        if self.shape is Shape.FIXED:
            return min(self.base, self.limit)
        bound = self.base.total_seconds() * 2.0 ** min(failures - 1, _LARGEST_EXPONENT)
        return timedelta(seconds=dice * min(bound, self.limit.total_seconds()))

    def deferral(self, age: timedelta, dice: float) -> timedelta:
        """Return the delay of a message that waits for something that is not its fault, for `age` so far.

        No attempt is counted, so the time it has waited stands in for the exponent: each delay lies between half of
        that time and all of it, `base` at least, `limit` at most. So retries thin out as an outage lasts.
        """
        waited = age.total_seconds() * (0.5 + dice / 2)
        return min(max(timedelta(seconds=waited), self.base), self.limit)
