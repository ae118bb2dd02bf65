"""A drill says what people were told of its failures, once the watchers have read all of the log."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backstop.publication import publication
from ops.alerts.sent import Sent
from ops.drill.told import Told, show, told_since
from ops.stack import Stack
from tests.fakes.clock import START, VirtualClock
from tests.ops.alerts.test_sent import Log, log, one_of
from tests.ops.command import Ran
from tests.ops.groups.ground import A, B, Ground, clock, faults, ground, is_harmless, stack

__all__ = ["clock", "faults", "ground", "log", "stack"]


class Time:
    """Time that passes only where somebody waits; what happens meanwhile is done step by step."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.now = 0.0
        self._steps = list(steps)

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds
        if self._steps:
            self._steps.pop(0)()


def test_watchers_that_are_behind_are_waited_for(ground: Ground, log: Log, stack: Stack) -> None:
    time = Time(
        lambda: None,
        lambda: ground.fail(A, times=3),
        lambda: log.alert(publication(one_of(), "shop").document),
        lambda: ground.fail(B, times=2),
    )
    told = told_since(stack, START, time.clock, time.wait)
    assert (told.groups, told.occurrences, len(told.alerts)) == (2, 5, 1)
    assert told.as_json() == {"groups": 2, "alerts": 1}


def test_a_drill_without_a_failure_is_waited_for_but_not_for_ever(log: Log, stack: Stack) -> None:
    time = Time()
    assert told_since(stack, START, time.clock, time.wait) == Told(0, 0, ())
    assert time.now <= 31


def test_what_failed_before_is_not_the_drills(ground: Ground, log: Log, stack: Stack, clock: VirtualClock) -> None:
    from datetime import timedelta

    ground.fail(A, times=3)
    clock.advance(timedelta(minutes=1))
    began = clock.now()
    ground.fail(B)
    time = Time()
    assert told_since(stack, began, time.clock, time.wait).groups == 1


def test_the_first_alert_is_shown_as_people_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    document = publication(one_of(), "shop").document
    alerts = tuple(Sent(str(number), START, document, is_doubtful=False) for number in range(2))
    show(Told(1, 2, alerts), is_full=True)
    out = capsys.readouterr().out
    assert "Failures: 2 in 1 groups. Alerts sent: 2\n" in out
    assert out.count("Next:") == 1
    assert is_harmless(Ran(0, out, ""))
