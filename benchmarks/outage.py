"""An outage amid a stream of orders: how often the dead downstream is called, and what becomes of the orders."""

from __future__ import annotations

from datetime import timedelta

from benchmarks.outage_downstream import OUTAGE, Fails, by_chance, flaky
from benchmarks.outage_stream import A_TENTH, EVENTS, Stream, Way
from benchmarks.table import Row

_CASE = f"{EVENTS:,} orders, 50 a second, {OUTAGE.total_seconds():g} s down"
_WAYS = {
    Way.RETRIES: "Backstop's retries, no circuit",
    Way.CIRCUIT: "a circuit",
    Way.PAUSING: "a circuit, and intake paused",
}
_MOST = 0.03
_MOST_CALLS = 30


def measure() -> list[Row]:
    naive = Stream(Way.NAIVE).run(lambda stream: stream.downstream.is_well_again).downstream.calls_in_outage
    streams = {way: Stream(way).run() for way in _WAYS}
    return [
        *(_calls(way, stream, naive) for way, stream in streams.items()),
        *(_refused(way, streams[way]) for way in (Way.CIRCUIT, Way.PAUSING)),
        *(_dead(way, stream) for way, stream in streams.items()),
        *(_wrong(stream) for way, stream in streams.items() if way is Way.PAUSING),
        _flaky(flaky, timedelta(0), "60 % fail, three in a row at most, from the first call on", _MOST_CALLS),
        _flaky(flaky, A_TENTH, "60 % fail, three in a row at most, after 500 good calls", None),
        _flaky(by_chance(), A_TENTH, "60 % fail by chance, after 500 good calls", None),
    ]


def _calls(way: Way, stream: Stream, naive: int) -> Row:
    against = f"a naive consumer's {naive:,}, each order once"
    limit = _MOST if way is Way.PAUSING else None
    return Row(
        "calls to a dead downstream",
        f"{_CASE}: {_WAYS[way]}",
        stream.downstream.calls_in_outage / naive,
        against,
        limit,
    )


def _refused(way: Way, stream: Stream) -> Row:
    return Row("runs that met an open circuit, an order", f"{_CASE}: {_WAYS[way]}", stream.refused / EVENTS, "")


def _dead(way: Way, stream: Stream) -> Row:
    limit = None if way is Way.RETRIES else 0
    return Row("good orders dead", f"{_CASE}: {_WAYS[way]}", stream.dead, "", limit)


def _wrong(stream: Stream) -> Row:
    """Count orders that were lost or charged twice."""
    charged = stream.downstream.charged
    twice = charged.total() - len(charged)
    return Row("orders lost or charged twice", _CASE, EVENTS - len(charged) - stream.dead + twice, "", 0)


def _flaky(fails: Fails, begins: timedelta, case: str, limit: float | None) -> Row:
    """Measure at 50 calls a second. Without five failures in a row, good calls must leave the window first."""
    stream = Stream(Way.CIRCUIT, fails, begins)
    stream.run(lambda one: one.opened_after is not None or one.downstream.is_well_again)
    calls = float("inf") if stream.opened_after is None else stream.opened_after
    return Row("calls until a circuit opens", case, calls, "", limit)
