"""A marked message in, the fault that its mark asks for out: what a drill injects, where the stack allows drills."""

from __future__ import annotations

import json
import os
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, NoReturn

from backstop.errors import SystemFault
from backstop.message import Message

ATTRIBUTE: Final = "backstop-drill"


class Fault(StrEnum):
    """What a drill can do to the run of an event."""

    EXIT = "exit"
    LOOP = "loop"
    SYSTEM = "system"


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
    """Do to this run what its message's mark asks for. Raises DrillFault; ends or blocks the worker's process."""
    mark = mark_of((message.attributes.get(ATTRIBUTE) or {}).get("stringValue"))
    if mark is None or mark.fault is None:
        return
    if mark.fault is Fault.EXIT:
        os._exit(1)
    if mark.fault is Fault.LOOP:
        _loop()
    if now.timestamp() < mark.until:
        raise DrillFault("a drill's system fault")


def _loop() -> NoReturn:
    while True:
        pass
