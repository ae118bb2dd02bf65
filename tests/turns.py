"""Jobs that take turns: each runs alone until it pauses, then any one goes on; the same seed, the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from threading import Semaphore, Thread, current_thread
from typing import Any

from tests.fakes.source import WorkerDied


@dataclass(eq=False)
class _Job:
    run: Callable[[], object]
    may_go: Semaphore = field(default_factory=lambda: Semaphore(0))
    fault: BaseException | None = None
    is_done: bool = False


class Turns:
    """Runs jobs in threads of which one goes at a time: what watchers do at once, and nothing by chance."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._paused = Semaphore(0)
        self._jobs: dict[Thread, _Job] = {}

    def run(self, jobs: Iterable[Callable[[], object]]) -> None:
        """Run jobs to their ends. One that is killed is gone; what another one raises, is raised."""
        self._jobs = {}
        for job in map(_Job, jobs):
            self._jobs[Thread(target=self._run, args=(job,), daemon=True)] = job
        for thread in self._jobs:
            thread.start()
        left = list(self._jobs.values())
        while left:
            job = self._random.choice(left)
            job.may_go.release()
            self._paused.acquire()
            if job.is_done:
                left.remove(job)
            if job.fault is not None:
                raise job.fault

    def pause(self) -> None:
        """Let another job go on, if one calls this."""
        job = self._jobs.get(current_thread())
        if job is not None:
            self._paused.release()
            job.may_go.acquire()

    def _run(self, job: _Job) -> None:
        job.may_go.acquire()
        try:
            job.run()
        except WorkerDied:
            pass
        except BaseException as error:  # noqa: BLE001  # an assertion of the job, too: `run` raises it
            job.fault = error
        job.is_done = True
        self._paused.release()


class Interleaved:
    """A client or a store, every call of which is a place where another job may go on."""

    def __init__(self, one: Any, turns: Turns) -> None:
        self._one = one
        self._turns = turns

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self._turns.pause()
            return getattr(self._one, name)(*arguments, **named)

        return call
