"""Calls to a downstream in, whether each goes through out: what becomes of them opens its circuit, and closes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from backstop.circuits.counts import Counts
from backstop.circuits.outcome import Outcome, outcome_of
from backstop.circuits.state import CircuitState, CircuitStore, Opening, Standing, Thresholds, Transition
from backstop.circuits.window import fails_too_often, total
from backstop.errors import CircuitOpen, Kinds, StoreUnavailable

CACHED: Final = timedelta(seconds=5)
"""How long a process goes by what it knows of a circuit."""
SILENCE: Final = timedelta(seconds=5)
"""How long a process does not ask a store again that did not answer: waiting for it would cost each call seconds."""
LEAST_LEASE: Final = timedelta(seconds=10)
AFTER_INVOCATION: Final = timedelta(seconds=2)
"""What a lease lasts longer than its invocation: then its prober is surely dead."""
LEAST_WAIT: Final = timedelta(seconds=1)
"""What a call waits while another one probes."""


def _unheard(_: StoreUnavailable) -> None:
    """Tell nobody."""


@dataclass
class Circuits:
    """All circuits of one process. `environment` is a name that no other process has.

    `remaining` returns what is left of the invocation, None outside of one. `tell` is given each transition that this
    process made; `tell_silence`, once in 5 s at most, that the store does not answer: calls go through then.
    """

    store: CircuitStore
    environment: str
    function: str
    kinds: Kinds
    now: Callable[[], datetime]
    remaining: Callable[[], timedelta | None]
    tell: Callable[[Transition], None]
    tell_silence: Callable[[StoreUnavailable], None] = _unheard
    _breakers: dict[str, Breaker] = field(default_factory=dict, init=False, repr=False)
    _silent_until: datetime | None = field(default=None, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def breaker(self, name: str, thresholds: Thresholds) -> Breaker:
        """Return the circuit of that name. Raises ValueError where it is known by other thresholds."""
        with self._lock:
            breaker = self._breakers.setdefault(name, Breaker(name, thresholds, self))
        if breaker.thresholds != thresholds:
            raise ValueError(f"circuit {name}: it has other parameters elsewhere in this process")
        return breaker

    def are_silent(self) -> bool:
        """Whether the store did not answer a moment ago."""
        return self._silent_until is not None and self.now() < self._silent_until

    def fell_silent(self, error: StoreUnavailable) -> None:
        """Do not ask the store for a while."""
        if not self.are_silent():
            self.tell_silence(error)
        self._silent_until = self.now() + SILENCE


@dataclass(frozen=True, slots=True)
class Call:
    """A call that went through. `seen` is the circuit as it was: None where the store did not answer."""

    breaker: Breaker
    seen: Standing | None
    is_probe: bool = False
    has_fallback: bool = False

    def end(self, error: BaseException | None) -> None:
        """Count what became of it."""
        self.breaker.end(self, error)


class Breaker:
    """One circuit, as one process knows it. Several threads may use it at once: one at a time asks the store."""

    def __init__(self, name: str, thresholds: Thresholds, circuits: Circuits) -> None:
        self.name = name
        self.thresholds = thresholds
        self._circuits = circuits
        self._lock = Lock()
        self._known = Standing(name)
        self._stale_at: datetime | None = None
        self._counts = Counts(thresholds)
        self._probing: int | None = None
        """The generation of the turn in which a call of this process probes."""

    def enter(self, *, has_fallback: bool = False) -> Call:
        """Let a call through. Raises CircuitOpen; without a fallback, its function depends on the circuit then."""
        with self._lock:
            if not self._circuits.are_silent():
                try:
                    return self._admit(has_fallback)
                except StoreUnavailable as error:
                    self._lose(error)
            return Call(self, None)

    def end(self, call: Call, error: BaseException | None) -> None:
        """Count what became of a call, unless the store did not answer when it began, or does not now."""
        outcome = outcome_of(error, self._circuits.kinds)
        with self._lock:
            if call.is_probe:
                self._probing = None
            if call.seen is None or self._circuits.are_silent():
                return
            try:
                if call.is_probe:
                    self._end_probe(call.seen, outcome)
                elif self._count(call.seen, outcome) and not call.has_fallback:
                    self._depend(self._known)
            except StoreUnavailable as unavailable:
                self._lose(unavailable)

    def _admit(self, has_fallback: bool) -> Call:
        held = self._take_turn(self._look())
        if held is not None:
            self._probing = held.generation
            return Call(self, held, is_probe=True)
        seen = self._look()
        if seen.state is CircuitState.CLOSED:
            return Call(self, seen, has_fallback=has_fallback)
        if not has_fallback:
            self._depend(seen)
        raise self._refusal(seen)

    def _take_turn(self, seen: Standing) -> Standing | None:
        """Return the circuit if it is this call's turn to probe it.

        It may be this process's although no call of it probes: an answer about its turn was lost.
        """
        if seen.may_be_probed(self._circuits.now()):
            return self._elect(seen)
        is_own = seen.prober == self._circuits.environment and seen.generation != self._probing
        return seen if is_own else None

    def _elect(self, seen: Standing) -> Standing | None:
        now = self._circuits.now()
        left = self._circuits.remaining()
        lease = LEAST_LEASE if left is None else max(left + AFTER_INVOCATION, LEAST_LEASE)
        held = self._circuits.store.elect(seen, self._circuits.environment, now + lease, now)
        return self._changed(seen, held, "its open time is over")

    def _depend(self, seen: Standing) -> None:
        """Remember once that this function waits. What the store knows of it says whether it was."""
        function = self._circuits.function
        if function in seen.dependents:
            return
        self._circuits.store.depend(self.name, function)
        self._known = replace(seen, dependents=seen.dependents | {function})

    def _refusal(self, seen: Standing) -> CircuitOpen:
        due = seen.opens_again_at()
        wait = LEAST_WAIT if due is None else max(due - self._circuits.now(), LEAST_WAIT)
        return CircuitOpen(self.name, retry_after=wait, open_for=seen.open_for)

    def _end_probe(self, held: Standing, outcome: Outcome) -> None:
        store, now = self._circuits.store, self._circuits.now()
        self._stale_at = None  # whatever is known now, it is not what was
        match outcome:
            case Outcome.ANSWERED:
                self._changed(
                    held, store.succeed(held, self.thresholds, now), f"{self.thresholds.successes} probes succeeded"
                )
            case Outcome.FAILED:
                self._changed(held, store.fail(held, now), "a probe failed")
            case Outcome.UNTOLD:
                store.give_up(held, now)

    def _count(self, seen: Standing, outcome: Outcome) -> bool:
        """Count a call, unless the circuit changed meanwhile; return whether it opened: that was one too many."""
        if outcome is Outcome.UNTOLD or seen.generation != self._known.generation:
            return False
        now = self._circuits.now()
        self._counts.add(outcome is Outcome.FAILED, now)
        if self._counts.row >= self.thresholds.failures:
            return self._open(f"{self._counts.row} failures in a row")
        if not self._counts.are_due(self._known.window, now):
            return False
        self._share(now)
        counted = total(self._known.window, now, self.thresholds)
        if self._known.state is CircuitState.CLOSED and fails_too_often(counted, self.thresholds):
            window = f"{self.thresholds.window.total_seconds():g} s"
            return self._open(f"{counted.failures} of {counted.calls} calls within {window} failed")
        return False

    def _share(self, now: datetime) -> None:
        self._learn(self._circuits.store.add(self._known, self._counts.taken(now), now))

    def _open(self, why: str) -> bool:
        circuits, seen = self._circuits, self._known
        opening = Opening(circuits.now(), circuits.environment, circuits.function)
        opened = circuits.store.open(seen, why, opening, self.thresholds.open_for)
        return self._changed(seen, opened, why) is not None

    def _changed(self, before: Standing, after: Standing | None, why: str) -> Standing | None:
        """Learn of a change and tell of it, if it changed the state; where another one was first, look again soon."""
        if after is None:
            self._stale_at = None
            return None
        self._learn(after)
        if after.state is not before.state:
            at = self._circuits.now()
            self._circuits.tell(Transition(self.name, before.state, after.state, after.generation, at, why))
        return after

    def _look(self) -> Standing:
        now = self._circuits.now()
        if self._stale_at is not None and self._stale_at - CACHED <= now < self._stale_at:
            return self._known
        self._learn(self._circuits.store.read(self.name))
        return self._known

    def _learn(self, standing: Standing) -> None:
        """Go by what the store said for a while. What was counted before the circuit changed is over."""
        if standing.generation != self._known.generation:
            self._counts = Counts(self.thresholds)
        self._known = standing
        self._stale_at = self._circuits.now() + CACHED

    def _lose(self, error: StoreUnavailable) -> None:
        self._stale_at = None
        self._circuits.fell_silent(error)
