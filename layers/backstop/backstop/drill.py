"""A marked message in, the fault that its mark asks for out: what a drill injects, where the stack allows drills."""

from __future__ import annotations

import json
import os
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, NoReturn, assert_never

from backstop.errors import PermanentError, SystemFault, TransientError
from backstop.message import Message

ATTRIBUTE: Final = "backstop-drill"


class Fault(StrEnum):
    """What a drill can do to the run of an event."""

    EXIT = "exit"
    """Ends the worker's process at every run."""
    EXIT_ONCE = "exit once"
    """Ends the worker's process, unless the message was received before: parked ones were."""
    LOOP = "loop"
    """Keeps the worker busy until its time is over."""
    SYSTEM = "system"
    """Fails until a time, and is ours."""
    TRANSIENT = "transient"
    """Fails at the first attempt."""
    PERMANENT = "permanent"
    """Fails at every attempt."""


class Mark(NamedTuple):
    """What a drill writes on its messages: its own id, the event's number, and the fault to inject until a time."""

    drill: str
    number: int
    fault: Fault | None = None
    until: float = 0.0
    """Seconds since 1970: a system fault is over then."""

    def serialise(self) -> str:
        """Return the value of the message attribute `backstop-drill`."""
        return json.dumps(self._asdict())


class DrillFault(SystemFault):
    """Raised in place of the handler while a drill's system fault lasts."""


class DrillHiccup(TransientError):
    """Raised in place of the handler at the first attempt of an event that a drill lets fail once."""


class DrillRefusal(PermanentError):
    """Raised in place of the handler for an event that a drill lets fail for good."""


def mark_of(attribute: str | None) -> Mark | None:
    """Read a mark; None where there is none, or it is none of ours."""
    try:
        fields = json.loads(attribute or "null")
        fault = fields.get("fault")
        return Mark(
            str(fields["drill"]), int(fields["number"]), Fault(fault) if fault else None, float(fields["until"])
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return None


def inject(message: Message, now: datetime) -> None:
    """Do to this run what its message's mark asks for.

    Raises DrillFault, DrillHiccup or DrillRefusal; ends or blocks the worker's process.
    """
    mark = mark_of((message.attributes.get(ATTRIBUTE) or {}).get("stringValue"))
    if mark is not None and mark.fault is not None:
        _act(mark.fault, message, is_before_its_end=now.timestamp() < mark.until)


def _act(fault: Fault, message: Message, *, is_before_its_end: bool) -> None:
    match fault:
        case Fault.EXIT:
            os._exit(1)
        case Fault.EXIT_ONCE:
            if not message.was_received_before:
                os._exit(1)
        case Fault.LOOP:
            _loop()
        case Fault.SYSTEM:
            if is_before_its_end:
                raise DrillFault("a drill's system fault")
        case Fault.TRANSIENT:
            if message.attempt == 1:
                raise DrillHiccup("a drill's transient fault")
        case Fault.PERMANENT:
            raise DrillRefusal("a drill's permanent fault")
        case _:
            assert_never(fault)


def _loop() -> NoReturn:
    while True:
        pass
