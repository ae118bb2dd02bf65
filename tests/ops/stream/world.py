"""A stream lane whose objects are in a bucket and whose lines are in a log: what a drill of the stream looks at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

from tests.stream_lane import StreamLane

LOG: Final = "shop-pipeline"
BUCKET: Final = "shop-data"


@dataclass
class FakeLogs:
    """A log group in memory: lines are found by their time and by plain terms, two a page; the first page is empty."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def put(self, message: str, at: datetime) -> None:
        """Write a line."""
        self.events.append({"timestamp": int(at.timestamp() * 1000), "message": message})

    def get_paginator(self, operation: str) -> FakeLogs:
        assert operation == "filter_log_events"
        return self

    def paginate(self, *, logGroupName: str, startTime: int, filterPattern: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        """Yield pages of what was written at `startTime` or later and holds each term."""
        assert logGroupName == LOG
        terms = re.findall(r'"([^"]+)"', filterPattern)
        found = [
            event
            for event in self.events
            if event["timestamp"] >= startTime and all(term in event["message"] for term in terms)
        ]
        yield {"events": []}
        for start in range(0, len(found), 2):
            yield {"events": found[start : start + 2]}


@dataclass
class World:
    """The lane works while the drill waits; what it does beyond that, a test says."""

    lane: StreamLane
    s3: Any
    logs: FakeLogs
    is_working: bool = True
    waits: list[float] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def now(self) -> datetime:
        return self.lane.clock.now().astimezone(UTC)

    def write(self, body: bytes, key: str = "") -> None:
        """Write an object under data/, by default under the key of this day."""
        key = key or f"data/{self.now():%Y/%m/%d}/o-{next(self._numbers)}"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def wait(self, seconds: float) -> None:
        """Let time pass, in which batches are handed over and delivered."""
        self.waits.append(seconds)
        self.lane.clock.advance(timedelta(seconds=seconds))
        while self.is_working and self._is_due():
            written, printed = set(self.lane.stream.objects), len(self.lane.worker.lines())
            self.lane.stream.poll()
            for key, body in self.lane.stream.objects.items():
                if key not in written:
                    self.write(body, key)
            for line in self.lane.worker.printed().splitlines()[printed:]:
                self.logs.put(line, self.now())

    def _is_due(self) -> bool:
        due = self.lane.stream.next_due()
        return due is not None and due <= self.lane.clock.now()
