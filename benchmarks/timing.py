"""Ways to do the same thing in, how long each takes relative to the first out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from statistics import median
from time import process_time


def ratios(ways: Mapping[str, Callable[[], object]], rounds: int, calls: int = 1) -> dict[str, float]:
    """Run the ways in turn, round after round, and return each one's median time as a ratio to the first way's.

    Ratios are taken within a round and their median over the rounds, so that a machine whose speed drifts, or a
    neighbour, changes both sides. Times are of the processor, not of the wall.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(_time(way, calls))
    first = times[next(iter(ways))]
    return {name: median(mine / base for mine, base in zip(taken, first, strict=True)) for name, taken in times.items()}


def _time(way: Callable[[], object], calls: int) -> float:
    gc.collect()
    gc.disable()
    try:
        started = process_time()
        for _ in range(calls):
            way()
        return process_time() - started
    finally:
        gc.enable()
