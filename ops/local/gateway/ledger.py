"""Charges in, each made once; how often an entrance was called and what became of it out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from threading import Lock
from typing import Final, NamedTuple

DECLINED: Final = "declined-"
"""Orders whose ids begin so are never charged."""


class Charge(NamedTuple):
    """What is to be paid: an amount in the currency's smallest unit."""

    order: str
    amount: int
    currency: str


class Charged(IntEnum):
    """What became of a charge, as the HTTP status that says so."""

    NOW = 201
    BEFORE = 200
    DECLINED = 402


@dataclass(frozen=True, slots=True)
class Counts:
    """How often an entrance was called, and what became of it. A connection that was refused is no call."""

    calls: int = 0
    failed: int = 0
    """Answered with 503, too late, or not at all."""
    charges: int = 0
    """Charges that were made."""
    charged_twice: int = 0
    """Charges of an order that had been charged before, under another idempotency key."""
    since_outage: int = 0
    """Calls since the last outage began; none where there was no outage."""
    in_outage: int = 0
    """Those of them that came before it ended."""


@dataclass
class Ledger:
    """The charges that were made, by idempotency key: what a provider knows, whichever entrance one takes."""

    charges: dict[str, Charge] = field(default_factory=dict)
    _orders: set[str] = field(default_factory=set)
    _alone: Lock = field(default_factory=Lock)

    def charge(self, key: str, charge: Charge) -> tuple[Charged, bool]:
        """Make a charge unless its key is known; also say whether the order had been charged under another key."""
        if charge.order.startswith(DECLINED):
            return Charged.DECLINED, False
        with self._alone:
            if key in self.charges:
                return Charged.BEFORE, False
            is_second = charge.order in self._orders
            self.charges[key] = charge
            self._orders.add(charge.order)
            return Charged.NOW, is_second


@dataclass
class Tally:
    """Counts the calls of one entrance, from many threads."""

    counts: Counts = Counts()
    _is_out: bool = False
    _was_out: bool = False
    _alone: Lock = field(default_factory=Lock)

    def health_is(self, *, ok: bool) -> None:
        """Take note that an outage begins, or that none is left."""
        with self._alone:
            self._is_out = not ok
            if self._is_out:
                self._was_out = True
                self.counts = replace(self.counts, since_outage=0, in_outage=0)

    def called(self) -> None:
        """Count a call."""
        with self._alone:
            now = self.counts
            since, within = now.since_outage + int(self._was_out), now.in_outage + int(self._is_out)
            self.counts = replace(now, calls=now.calls + 1, since_outage=since, in_outage=within)

    def failed(self) -> None:
        """Count that a call failed."""
        with self._alone:
            self.counts = replace(self.counts, failed=self.counts.failed + 1)

    def charged(self, *, is_second: bool) -> None:
        """Count a charge that was made."""
        with self._alone:
            now = self.counts
            twice = now.charged_twice + int(is_second)
            self.counts = replace(now, charges=now.charges + 1, charged_twice=twice)
