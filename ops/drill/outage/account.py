"""Where the orders ended, and what gateway, circuit and intakes tell in, whether the outage harmed anything out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from backstop.recovery.mode import Mode
from backstop.recovery.state import CauseKind, Strategy
from ops.drill import account as orders
from ops.drill.outage.plan import Outage
from ops.times import iso

MOST: Final = 0.03
"""The most calls to a dead gateway, as a share of a naive consumer's. Each environment may make five before its circuit
opens, however few orders there are: hundreds of them are too few to meet this."""


@dataclass(frozen=True, slots=True)
class Before:
    """How it was when the outage began, `at` that time.

    So many `calls` had come in the `seconds` before; `undone` is how many of the orders were not charged yet.
    """

    at: datetime
    calls: int
    seconds: float
    undone: int


@dataclass(frozen=True, slots=True)
class Called:
    """What the gateway was called for: calls while it was out, and charges of the whole drill."""

    in_outage: int
    charges: int
    charged_twice: int


@dataclass(frozen=True, slots=True)
class Step:
    """What recovery did to an intake, or would have done, and when."""

    at: datetime
    strategy: Strategy
    intake: str
    cause: CauseKind
    is_suggested: bool = False


@dataclass(frozen=True, slots=True)
class Recovered:
    """How circuit and intakes are, whether the circuit opened since the drill began, and what recovery may do."""

    mode: Mode
    has_opened: bool
    is_closed: bool
    are_intakes_on: bool

    @property
    def is_over(self) -> bool:
        """Whether nothing is left that stands still."""
        return self.is_closed and self.are_intakes_on


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in the end: nothing here is taken from the plan.

    `before` is None where no outage began. `steps` are recovery's since the drill began, the oldest first.
    """

    before: Before | None
    called: Called
    steps: tuple[Step, ...]
    recovered: Recovered


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the orders, the gateway and the intakes. It balances if nobody had to do anything."""

    orders: orders.Account
    outage: Outage
    began_at: datetime | None
    calls_in_outage: int
    naive_calls: int
    charges: int
    charged_twice: int
    recovery_mode: Mode
    paused_at: datetime | None
    resumed_at: datetime | None
    circuit_opened: bool
    circuit_closed: bool
    intakes_enabled: bool

    @property
    def ratio(self) -> float | None:
        """The calls of the outage as a share of the naive number; None where that is nothing."""
        return round(self.calls_in_outage / self.naive_calls, 4) if self.naive_calls else None

    @property
    def wrongs(self) -> list[str]:
        """What is not as it should be, a sentence each."""
        return [*self._wrong_with_orders(), *self._wrong_with_gateway(), *self._wrong_with_recovery()]

    @property
    def is_balanced(self) -> bool:
        """Whether all of it is as it should be."""
        return not self.wrongs

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        times = {name: None if at is None else iso(at) for name, at in self._times().items()}
        numbers = ("calls_in_outage", "naive_calls", "ratio", "charges", "charged_twice")
        holds = ("recovery_mode", "circuit_opened", "circuit_closed", "intakes_enabled")
        return {
            **self.orders.as_json(),
            "outage": asdict(self.outage),
            **{name: getattr(self, name) for name in (*numbers, *holds)},
            **times,
            "wrongs": self.wrongs,
        }

    def _times(self) -> dict[str, datetime | None]:
        return {"began_at": self.began_at, "paused_at": self.paused_at, "resumed_at": self.resumed_at}

    def _wrong_with_orders(self) -> Iterator[str]:
        if self.orders.dead:
            yield f"{sum(self.orders.dead.values())} good orders are dead letters"
        elif not self.orders.is_balanced:
            yield "the orders do not balance"
        if self.began_at is None:
            yield "the orders were done before an outage could begin: send more of them"

    def _wrong_with_gateway(self) -> Iterator[str]:
        if self.charges != self.orders.done:
            yield f"{self.charges} charges were made for {self.orders.done} orders"
        if self.charged_twice:
            yield f"{self.charged_twice} orders were charged twice"
        if self.outage.is_whole and self.calls_in_outage > MOST * self.naive_calls:
            yield (
                f"the gateway was called {self.calls_in_outage} times while it was out: "
                f"at most {MOST:.0%} of the naive {self.naive_calls:,} may be"
            )

    def _wrong_with_recovery(self) -> Iterator[str]:
        if not self.circuit_opened:
            yield "the circuit did not open"
        if not self.circuit_closed:
            yield "the circuit has not closed again"
        if self.recovery_mode is Mode.ACT and self.paused_at is None:
            yield "no intake was paused"
        if self.paused_at is not None and self.resumed_at is None:
            yield "an intake was paused and not resumed by itself"
        if not self.intakes_enabled:
            yield "not all intakes are enabled"


def balance(outage: Outage, account: orders.Account, found: Found) -> Account:
    """Account for an outage."""
    paused_at, resumed_at = _pause(found.steps)
    return Account(
        orders=account,
        outage=outage,
        began_at=None if found.before is None else found.before.at,
        calls_in_outage=found.called.in_outage,
        naive_calls=0 if found.before is None else naive_calls(outage, found.before),
        charges=found.called.charges,
        charged_twice=found.called.charged_twice,
        recovery_mode=found.recovered.mode,
        paused_at=paused_at,
        resumed_at=resumed_at,
        circuit_opened=found.recovered.has_opened,
        circuit_closed=found.recovered.is_closed,
        intakes_enabled=found.recovered.are_intakes_on,
    )


def naive_calls(outage: Outage, before: Before) -> int:
    """Return how often a naive consumer would have called the gateway while it was out: at the pace of before.

    At most once an order that was not done yet, and so a low estimate, by which the ratio is high: a naive consumer
    tries the same orders again and again, each time that they are visible again, and it fails faster than it succeeds.
    """
    if before.seconds <= 0:
        return 0
    return min(round(before.calls / before.seconds * outage.seconds), before.undone)


def _pause(steps: tuple[Step, ...]) -> tuple[datetime | None, datetime | None]:
    """Return when an intake was first paused for a circuit, and when the last of those paused so was resumed.

    What people do is not done by itself, and what is only suggested is not done.
    """
    done = [step for step in steps if not step.is_suggested and step.cause is not CauseKind.PERSON]
    pauses = [step for step in done if step.strategy is Strategy.PAUSE and step.cause is CauseKind.CIRCUIT]
    ends = [_resumed(pause.intake, pause.at, done) for pause in pauses]
    if not pauses:
        return None, None
    known = [at for at in ends if at is not None]
    return pauses[0].at, max(known) if len(known) == len(ends) else None


def _resumed(intake: str, paused_at: datetime, steps: list[Step]) -> datetime | None:
    """Return when an intake was first resumed after a pause."""
    ats = (step.at for step in steps if step.strategy is Strategy.RESUME and step.intake == intake)
    return next((at for at in ats if at >= paused_at), None)
