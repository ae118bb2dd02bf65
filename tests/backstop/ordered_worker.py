"""A worker that stands still before each call: it goes on, sees the call fail, or dies, as a test says.

A worker is a thread, but only one of all of them and the test runs at a time, each until it hands over: what happens is
the same each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Semaphore, Thread

from backstop.errors import StoreUnavailable
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault
from tests.fakes.source import WorkerDied


class Worker:
    """An invocation: it runs `flow` until it is over, it is killed, or its time is up."""

    def __init__(self, name: str, flow: Callable[[Worker], None], clock: VirtualClock, deadline: datetime) -> None:
        self.name = name
        self.deadline = deadline
        self.calls: list[str] = []
        """What it was about to call, the call that it stands before included."""
        self.is_over = False
        self._flow = flow
        self._clock = clock
        self._fault: Fault | None = None
        self._is_killed = False
        self._error: BaseException | None = None
        self._mine, self._tests = Semaphore(0), Semaphore(0)
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def go_on(self, fault: Fault | None = None) -> None:
        """Begin, or make the call that it stands before, which may fail; and stand still before the next."""
        self._fault = fault
        self._mine.release()
        self._tests.acquire()
        if self._error is not None:
            raise self._error

    def kill(self) -> None:
        """End before the next call."""
        self._is_killed = True
        self.go_on()

    @contextmanager
    def around(self, call: str) -> Iterator[None]:
        """Stand still before a call; raises StoreUnavailable before or after it, as the test says."""
        fault = self.stand(call)
        if fault is not None and not fault.takes_effect:
            raise StoreUnavailable(fault)
        yield
        if fault is not None:
            raise StoreUnavailable(fault)

    def stand(self, call: str) -> Fault | None:
        """Stand still before a call and return how it fails."""
        self.calls.append(call)
        self._tests.release()
        self._wait()
        fault, self._fault = self._fault, None
        return fault

    def require_alive(self) -> None:
        """Die where the test says so, or the invocation's time is up."""
        if self._is_killed or self._clock.now() >= self.deadline:
            self._is_killed = True
            raise WorkerDied(self.name)

    def _wait(self) -> None:
        self._mine.acquire()
        self.require_alive()

    def _run(self) -> None:
        try:
            self._wait()
            self._flow(self)
        except WorkerDied:
            pass
        except BaseException as error:  # noqa: BLE001  # it is the test's: raised where the test goes on
            self._error = error
        self.is_over = True
        self._tests.release()
