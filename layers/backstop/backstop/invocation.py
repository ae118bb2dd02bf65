"""What is left of the invocation that is running, for whoever must not outlast it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta

_remaining_millis: ContextVar[Callable[[], int] | None] = ContextVar("remaining_millis", default=None)


@contextmanager
def running(remaining_millis: Callable[[], int]) -> Iterator[None]:
    """Mark what runs inside as part of an invocation that has `remaining_millis` left."""
    token = _remaining_millis.set(remaining_millis)
    try:
        yield
    finally:
        _remaining_millis.reset(token)


def remaining() -> timedelta | None:
    """Return how much of the running invocation is left; None outside of one."""
    remaining_millis = _remaining_millis.get()
    return None if remaining_millis is None else timedelta(milliseconds=remaining_millis())
