"""A stream with 1 % poison through a naive function, a bare partial batch and Backstop, on the faithful fake."""

from __future__ import annotations

from benchmarks.table import Row
from tests.fakes.simulate import compare

_EVENTS = 1000


def measure() -> list[Row]:
    return [
        row
        for kills_workers in (False, True)
        for outcome in compare(_EVENTS, poison=0.01, seed=1, poison_kills_workers=kills_workers)
        for row in (
            Row(
                "deliveries an event", _case(kills_workers=kills_workers), outcome.deliveries_an_event, outcome.consumer
            ),
            Row("good events dead", _case(kills_workers=kills_workers), outcome.good_events_dead, outcome.consumer),
        )
    ]


def _case(*, kills_workers: bool) -> str:
    return "1 % poison that kills its worker" if kills_workers else "1 % poison"
