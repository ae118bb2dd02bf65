"""A lane for each test: queues, tables, a clock, and the function as it is deployed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.handler import ScriptedHandler
from tests.lane import ProcessLane
from tests.support import process_lane


@pytest.fixture
def lane() -> Iterator[ProcessLane]:
    """Give the function a handler that does as the test says."""
    with process_lane(ScriptedHandler()) as lane:
        yield lane


@pytest.fixture
def shop() -> Iterator[ProcessLane]:
    """Give the function the sample's own handler."""
    with process_lane() as lane:
        yield lane
