"""A lane for each test: queues or a stream, tables or a bucket, a clock, and the function as it is deployed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.handler import ScriptedHandler
from tests.lane import ProcessLane
from tests.ordered_lane import OrderedLane
from tests.ordered_support import ordered_lane
from tests.stream_lane import ScriptedTransform, StreamLane, stream_lane
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


@pytest.fixture
def stream() -> Iterator[StreamLane]:
    """Give the stream's function a handler that does as the test says."""
    with stream_lane(ScriptedTransform()) as lane:
        yield lane


@pytest.fixture
def clicks() -> Iterator[StreamLane]:
    """Give the stream's function the sample's own handler."""
    with stream_lane() as lane:
        yield lane


@pytest.fixture
def ordered() -> Iterator[OrderedLane]:
    """Give the ordered lane's function a handler that does as the test says; dead heads are held."""
    with ordered_lane(ScriptedHandler()) as lane:
        yield lane


@pytest.fixture
def skipping() -> Iterator[OrderedLane]:
    """Do as `ordered`, where dead heads are skipped."""
    with ordered_lane(ScriptedHandler(), ON_DEAD_HEAD="skip") as lane:
        yield lane


@pytest.fixture
def orders() -> Iterator[OrderedLane]:
    """Give the ordered lane's function the sample's own handler."""
    with ordered_lane() as lane:
        yield lane
