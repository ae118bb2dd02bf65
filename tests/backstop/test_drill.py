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

from backstop.drill import DrillFault, DrillHiccup, DrillRefusal, Fault, Mark, inject, mark_of
from backstop.errors import classify
from backstop.kinds import Kind
from backstop.message import Message, read
from backstop.parking import parked
from backstop.trail import Trail
from tests.backstop import NOW, QUEUES, message, string

LATER = (NOW + timedelta(minutes=1)).timestamp()


def marked(fault: Fault | None, until: float = 0.0, **details: Any) -> Message:
    return message(attributes={"backstop-drill": string(Mark("d-1", 7, fault, until).serialise())}, **details)


def parked_and_read(fault: Fault, trail: Trail | None = None) -> Message:
    """Return the message as whoever drains its key reads it; with a trail it failed before, else it only waited."""
    event = parked(marked(fault, SequenceNumber="1").record, "a")
    return read((event if trail is None else event.after(trail)).record, "a", QUEUES, NOW)


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


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the end of the process be seen, and survived."""

    def end(status: int) -> NoReturn:
        raise Exited(status)

    monkeypatch.setattr(os, "_exit", end)


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("receives", [1, 2, 10])
def test_exit_ends_the_process_however_often_its_message_was_received(receives: int) -> None:
    with pytest.raises(Exited, match="1"):
        inject(marked(Fault.EXIT, receives=receives), NOW)


@pytest.mark.usefixtures("process")
def test_exit_ends_the_process_of_who_drains_its_key_too() -> None:
    with pytest.raises(Exited, match="1"):
        inject(parked_and_read(Fault.EXIT), NOW)


@pytest.mark.usefixtures("process")
def test_exit_once_ends_the_process_where_its_message_was_not_received_before() -> None:
    with pytest.raises(Exited, match="1"):
        inject(marked(Fault.EXIT_ONCE), NOW)
    inject(marked(Fault.EXIT_ONCE, receives=2), NOW)


@pytest.mark.usefixtures("process")
def test_exit_once_spares_who_drains_its_key() -> None:
    inject(parked_and_read(Fault.EXIT_ONCE), NOW)


@pytest.mark.parametrize("receives", [1, 2], ids=["fresh", "received again"])
def test_a_transient_fault_fails_the_first_attempt_however_often_its_message_was_received(receives: int) -> None:
    with pytest.raises(DrillHiccup) as caught:
        inject(marked(Fault.TRANSIENT, receives=receives), NOW)
    assert classify(caught.value) is Kind.TRANSIENT


def test_a_transient_fault_fails_the_first_attempt_of_an_event_that_was_parked_behind_another() -> None:
    """It waited and was not tried: that used up no attempt."""
    with pytest.raises(DrillHiccup):
        inject(parked_and_read(Fault.TRANSIENT), NOW)


@pytest.mark.parametrize("attempt", [1, 4])
def test_a_transient_fault_is_over_once_an_attempt_was_counted(attempt: int) -> None:
    inject(parked_and_read(Fault.TRANSIENT, Trail(attempt=attempt, verdict="retry")), NOW)


@pytest.mark.parametrize("attempt", [0, 1, 5])
def test_a_permanent_fault_fails_every_attempt(attempt: int) -> None:
    with pytest.raises(DrillRefusal) as caught:
        inject(parked_and_read(Fault.PERMANENT, Trail(attempt=attempt)), NOW)
    assert classify(caught.value) is Kind.PERMANENT


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
