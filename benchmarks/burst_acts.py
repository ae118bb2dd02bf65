"""What a worker of a burst does to its queues: each call takes its time; dead keys are counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from backstop.message import Message, Outgoing, Record
from backstop.report import Report
from backstop.sequence import wake_up
from tests.backstop.ordered_worker import Worker
from tests.fakes.queue import FakeQueue


class BurstActs:
    """What workers do to queues; what they tell is counted only where a key is held."""

    def __init__(self, worker: Worker, queue: FakeQueue, drains: FakeQueue, held: set[str]) -> None:
        self._worker = worker
        self._queues = {one.arn: one for one in (queue, drains)}
        self._queue = queue
        self._drains = drains
        self._held = held

    def bury(self, letter: Outgoing) -> str:
        raise AssertionError(f"dead heads are held: {letter.message.event_id}")

    def wake(self, keys: Sequence[str], delay_seconds: int) -> None:
        self._worker.stand("wake")
        for key in keys:
            self._drains.put(wake_up(key), {}, {}, timedelta(seconds=delay_seconds))

    def keep(self, records: Sequence[Record], seconds: int) -> Collection[str]:
        self._worker.stand("keep")
        self._hide(records, seconds)
        return ()

    def give_back(self, records: Sequence[Record]) -> None:
        self._worker.stand("give back")
        self._hide(records, 0)

    def let_go(self, records: Sequence[Record]) -> None:
        self._worker.stand("let go")
        for record in records:
            self._queue.delete(record["receiptHandle"])

    def report(self, report: Report) -> None:
        if report.verdict == "Dead":
            self._held.add(report.key)

    def left_to_sqs(self, message: Message, why: str) -> None:
        raise AssertionError(f"{message.message_id}: {why}")

    def not_buried(self, message: Message, why: str) -> None:
        raise AssertionError(f"{message.message_id}: {why}")

    def measure(self, **values: float) -> None:
        """Nobody looks."""

    def count(self) -> None:
        """Nobody looks."""

    def _hide(self, records: Sequence[Record], seconds: int) -> None:
        for record in records:
            hidden = timedelta(seconds=seconds)
            self._queues[record["eventSourceARN"]].change_visibility(record["receiptHandle"], hidden)
