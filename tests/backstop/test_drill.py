from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any, NoReturn

import pytest

from backstop.drill import DrillFault, Fault, Mark, inject, mark_of
from backstop.errors import classify
from backstop.kinds import Kind
from backstop.message import Message
from tests.backstop import NOW, message, string

LATER = (NOW + timedelta(minutes=1)).timestamp()


def marked(fault: Fault | None, until: float = 0.0) -> Message:
    return message(attributes={"backstop-drill": string(Mark("d-1", 7, fault, until).serialise())})


class Exited(BaseException):
    """Stands for the end of the process."""


class Interrupted(BaseException):
    """Stands for whoever ends a process that does not end by itself."""


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("fault", [None, *Fault])
def test_a_mark_that_is_written_is_read_again(fault: Fault | None) -> None:
    mark = Mark("d-1", 7, fault, LATER)
    assert mark_of(mark.serialise()) == mark


def spelled(**fields: Any) -> str:
    return json.dumps({"drill": "d-1", "number": 1, "fault": None, "until": 0.0} | fields)


HOSTILE = {
    "none": None,
    "empty": "",
    "not JSON": "{",
    "null": "null",
    "a text": '"exit"',
    "a number": "5",
    "a list": '["exit"]',
    "no drill": '{"number": 1, "until": 0}',
    "no number": '{"drill": "d-1", "until": 0}',
    "no time": '{"drill": "d-1", "number": 1}',
    "number as a word": spelled(number="one"),
    "number null": spelled(number=None),
    "number infinite": spelled(number=float("inf")),
    "number not a number": spelled(number=float("nan")),
    "time as a word": spelled(until="soon"),
    "time as a list": spelled(until=[]),
    "time beyond all bounds": '{"drill": "d-1", "number": 1, "until": ' + "9" * 400 + "}",
    "a number of 5,000 digits": '{"drill": "d-1", "until": 0, "number": ' + "9" * 5000 + "}",
    "a fault of nobody's": spelled(fault="rm"),
    "a fault in capitals": spelled(fault="EXIT"),
    "a fault as a list": spelled(fault=["exit"]),
    "nested 100,000 deep": "[" * 100_000,
}


@pytest.mark.parametrize("attribute", HOSTILE.values(), ids=HOSTILE)
def test_what_is_none_of_our_marks_is_no_mark(attribute: str | None) -> None:
    assert mark_of(attribute) is None


@pytest.mark.parametrize("attribute", HOSTILE.values(), ids=HOSTILE)
def test_what_is_none_of_our_marks_injects_nothing(attribute: str | None) -> None:
    inject(message(attributes={"backstop-drill": string(attribute or "")}), NOW)


def test_a_message_without_a_mark_or_without_a_fault_is_left_alone() -> None:
    inject(message(), NOW)
    inject(marked(None), NOW)
    inject(message(attributes={"backstop-drill": {"dataType": "Binary", "binaryValue": ""}}), NOW)


def test_exit_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(status: int) -> NoReturn:
        raise Exited(status)

    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(Exited, match="1"):
        inject(marked(Fault.EXIT), NOW)


def test_loop_never_returns() -> None:
    with pytest.raises(Interrupted), interrupted_after(0.02):
        inject(marked(Fault.LOOP), NOW)


def test_a_system_fault_lasts_until_its_time() -> None:
    with pytest.raises(DrillFault) as caught:
        inject(marked(Fault.SYSTEM, LATER), NOW)
    assert classify(caught.value) is Kind.SYSTEM
    inject(marked(Fault.SYSTEM, LATER), NOW + timedelta(minutes=1))


def test_a_system_fault_that_has_no_end_is_none() -> None:
    inject(marked(Fault.SYSTEM, float("nan")), NOW)
