from __future__ import annotations

from datetime import timedelta

import pytest

from ops.drill import run as orders
from ops.drill.outage import command
from ops.drill.outage import run as running
from ops.drill.told import Told
from ops.local import state
from ops.local.state import LocalAws
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.sqs import FakeSqs
from tests.ops.outage.world import Downstream
from tests.ops.test_run import Worker


@pytest.fixture
def downstream(
    stack: Stack, sqs: FakeSqs, clock: VirtualClock, tables: None, monkeypatch: pytest.MonkeyPatch
) -> Downstream:
    """Works while the drill waits; no time passes but the clock's."""
    downstream = Downstream(Worker(stack, sqs), clock)

    def wait(seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))
        downstream.work()

    for module in (orders, running):
        monkeypatch.setattr(module, "sleep", wait)
        monkeypatch.setattr(module, "monotonic", lambda: clock.now().timestamp())
    monkeypatch.setattr(running, "Ground", lambda _stack, _gateway: downstream)
    return downstream


@pytest.fixture
def local(found_by_commands: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a local AWS run whose watchers have told people this."""
    monkeypatch.setattr(state, "running", lambda: LocalAws(1, 2, "http://127.0.0.1:3"))
    monkeypatch.setattr(command, "told_since", lambda *_: Told(groups=2, occurrences=5, alerts=()))
