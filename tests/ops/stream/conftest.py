"""A stack with a stream, a bucket and a log, and the function as it is deployed."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from ops.drill.stream import run as running
from ops.stack import Stack
from tests.ops.stream.world import BUCKET, LOG, FakeLogs, World
from tests.stream_lane import STREAM, ScriptedTransform, stream_lane

SESSION = boto3.Session("test", "test", region_name="us-east-1")  # of all tests here: reading a model takes its time


@pytest.fixture
def script() -> ScriptedTransform | None:
    """Run the sample's own handler, unless a test says otherwise."""
    return None


@pytest.fixture
def world(script: ScriptedTransform | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with stream_lane(script) as lane:
        s3 = SESSION.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        world = World(lane, s3, FakeLogs())
        monkeypatch.setattr(running, "sleep", world.wait)
        monkeypatch.setattr(running, "monotonic", lambda: lane.clock.now().timestamp())
        yield world


@pytest.fixture
def stack(world: World) -> Stack:
    stack = Stack("shop", SESSION)
    outputs = {
        "ClicksStreamName": STREAM,
        "DataBucketName": BUCKET,
        "PipelineLogsName": LOG,
        "DrillsAllowed": "true",
    }
    vars(stack).update(s3=world.s3, logs=world.logs, firehose=world.lane.stream, _outputs=outputs)
    return stack
