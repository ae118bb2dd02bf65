"""A burst of ordered events, with failures and dying workers, against the same one without: who waits, how long."""

from __future__ import annotations

from statistics import median

from benchmarks.burst import EVENTS, KEYS, Burst
from benchmarks.table import Row

_SEEDS = (1, 2, 3, 4, 5)
"""One burst says little: a key that is hit again and again makes its p99."""


def measure() -> list[Row]:
    calm = Burst(fails=False).run()
    failing = [Burst(fails=True, seed=seed).run() for seed in _SEEDS]
    case = f"{KEYS} keys of {EVENTS} events, 5 % transient, a worker killed each 2 s"
    p99 = [outcome.p99 / calm.p99 for outcome in failing]
    return [
        Row("delay of keys that never fail, p99", f"{case}: the median", median(p99), "nothing fails", 1.5),
        Row("delay of keys that never fail, p99", f"{case}: the worst", max(p99), "nothing fails"),
        Row("order violations", case, sum(outcome.violations for outcome in failing), "", 0),
        Row("events lost", case, sum(outcome.lost for outcome in failing), "", 0),
        Row("effects twice", case, sum(outcome.twice for outcome in failing), "", 0),
    ]
