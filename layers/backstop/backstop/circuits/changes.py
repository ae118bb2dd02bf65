"""What is known of a circuit in, what is known after it changed out: what every store writes, if it still may."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from backstop.circuits.state import CircuitState, Opening, Standing, Thresholds

_OPENINGS: Final = 5


def opened(seen: Standing, why: str, opening: Opening, open_for: timedelta) -> Standing:
    """Return a circuit that opened out of closed. Who depends on it is found out anew each time."""
    at = opening.at.replace(microsecond=0)
    openings = (*seen.openings, opening._replace(at=at))[-_OPENINGS:]
    return Standing(
        seen.name,
        CircuitState.OPEN,
        seen.generation + 1,
        opened_at=at,
        since=at,
        open_for=open_for,
        why=why,
        openings=openings,
    )


def elected(seen: Standing, prober: str, lease_until: datetime) -> Standing:
    """Return a circuit that is probed; a lease is never shorter than it was asked for."""
    return replace(
        seen,
        state=CircuitState.HALF_OPEN,
        generation=seen.generation + 1,
        prober=prober,
        lease_until=_ceiling(lease_until),
        probes=seen.probes + 1,
    )


def succeeded(held: Standing, thresholds: Thresholds) -> Standing:
    """Return a circuit after a probe that succeeded: closed, if enough have."""
    if held.successes + 1 >= thresholds.successes:
        return closed(held)
    return replace(held, prober="", lease_until=None, successes=held.successes + 1)


def failed(held: Standing, now: datetime) -> Standing:
    """Return a circuit that opened again, as a probe failed."""
    return replace(
        held,
        state=CircuitState.OPEN,
        generation=held.generation + 1,
        opened_at=now.replace(microsecond=0),
        prober="",
        lease_until=None,
        successes=0,
    )


def given_up(held: Standing) -> Standing:
    """Return a circuit whose probe showed nothing."""
    return replace(held, prober="", lease_until=None)


def forced_open(seen: Standing, until: datetime, why: str, now: datetime) -> Standing:
    """Return a circuit that an operator holds open."""
    at = now.replace(microsecond=0)
    dependents = frozenset() if seen.state is CircuitState.CLOSED else seen.dependents
    return Standing(
        seen.name,
        CircuitState.OPEN,
        seen.generation + 1,
        opened_at=at,
        since=seen.since or at,
        open_for=seen.open_for,
        why=why,
        probes=seen.probes,
        openings=seen.openings,
        dependents=dependents,
        forced_until=_ceiling(until),
    )


def closed(seen: Standing) -> Standing:
    """Return a circuit that is closed; its window begins anew."""
    return Standing(
        seen.name,
        generation=seen.generation + 1,
        open_for=seen.open_for,
        openings=seen.openings,
        dependents=seen.dependents,
    )


def _ceiling(moment: datetime) -> datetime:
    return (moment + timedelta(microseconds=999_999)).replace(microsecond=0)
