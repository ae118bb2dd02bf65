"""Calls to SQS and DynamoDB that the real function makes for an event, besides its handler's."""

from __future__ import annotations

from backstop import PermanentError
from benchmarks.table import Row
from tests.support import ScriptedHandler, process_lane

_BATCH = 10


def measure() -> list[Row]:
    return [_row(failing) for failing in (0, 1, _BATCH)]


def _row(failing: int) -> Row:
    handler = ScriptedHandler()
    with process_lane(handler) as lane:
        for number in range(failing):
            handler.will(f"event-{number}", PermanentError("poison"))
        lane.send(*(lane.order(f"event-{number}") for number in range(_BATCH)))
        lane.faults.calls.clear()  # those that sent the events
        lane.deliver()
        calls = lane.faults.calls
        told = ", ".join(f"{count} {name}" for name, count in sorted(calls.items()))
        return Row("calls an event", f"{_BATCH} messages, {failing} failing", sum(calls.values()) / _BATCH, told)
