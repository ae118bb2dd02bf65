"""The clients of a bucket and of a stream, with a point before and after each call at which something may happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.ops.replay.ground import Ground

Point = Callable[[], None]


class Killed(BaseException):
    """Raised where the process ends: nothing may catch it."""


class Killer:
    """A point at which it ends, counted from 1; without one it only counts."""

    def __init__(self, last: int | None = None) -> None:
        self.passed = 0
        self._last = last

    def __call__(self) -> None:
        self.passed += 1
        if self.passed == self._last:
            raise Killed


class Interrupted:
    """A client whose calls pass a point before and after they take effect."""

    def __init__(self, client: Any, point: Point, *operations: str) -> None:
        self._client = client
        self._point = point
        self._operations = operations

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._client, name)
        if name not in self._operations:
            return called

        def call(**request: Any) -> Any:
            self._point()
            answer = called(**request)
            self._point()
            return answer

        return call


def clients(ground: Ground, point: Point) -> dict[str, Any]:
    """Return the clients for a replay whose every call, but for the listing, passes the point before and after."""
    return {
        "s3": Interrupted(ground.s3, point, "get_object", "put_object"),
        "firehose": Interrupted(ground.stream, point, "put_record_batch"),
    }
