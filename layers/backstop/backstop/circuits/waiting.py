"""Circuits in, the one that events wait for out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from backstop.circuits.state import Standing


def open_circuit(circuits: Iterable[Standing], now: datetime) -> str:
    """Return a circuit that events wait for, if there is any.

    One that nobody probes holds nothing up: what is redriven finds out.
    """
    waited_for = (one for one in circuits if one.dependents and one.is_down)
    return next((one.name for one in waited_for if not one.is_unprobed(now)), "")
