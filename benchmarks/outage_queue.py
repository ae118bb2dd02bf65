"""A queue on a virtual clock that is not looked through again before something in it is due: thousands take time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Final

from tests.fakes.clock import VirtualClock
from tests.fakes.queue import Attributes, FakeQueue, QueuedMessage, QueueSettings

_FAR: Final = timedelta(days=1)


class PatientQueue:
    """A standard queue whose messages are hidden for `hidden` once they are received."""

    def __init__(self, name: str, clock: VirtualClock, random: Random, hidden: timedelta) -> None:
        self._queue = FakeQueue(name, clock, random, QueueSettings(hidden))
        self._clock = clock
        self._empty_until: datetime = clock.now() + _FAR
        self.arn = self._queue.arn

    def put(self, body: str, attributes: Attributes, delay: timedelta) -> None:
        """Take a message."""
        self._queue.put(body, attributes, {}, delay)
        self._empty_until = min(self._empty_until, self._clock.now() + delay)

    def receive(self) -> Sequence[QueuedMessage]:
        """Hand out up to ten messages."""
        now = self._clock.now()
        if now < self._empty_until:
            return ()
        messages = self._queue.receive(10)
        if not messages:
            self._empty_until = self._queue.next_due() or now + _FAR
        return messages

    def delete(self, receipt_handle: str) -> None:
        """Forget a message."""
        self._queue.delete(receipt_handle)
