"""A stack with an ordered lane, and the function as it is deployed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ops.drill.ordered import run as running
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.sqs import FakeSqs
from tests.ops.ordered.world import World, give, ordered_world


@pytest.fixture
def world(clock: VirtualClock, sqs: FakeSqs, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with ordered_world(clock, sqs) as world:
        give(stack, world)
        monkeypatch.setattr(running, "sleep", world.wait)
        monkeypatch.setattr(running, "monotonic", lambda: clock.now().timestamp())
        yield world
