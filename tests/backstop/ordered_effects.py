"""What the ordered lane does to its small world besides parking: dead letters, wake-ups, who sees a message when."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from backstop.errors import StoreUnavailable
from backstop.message import Message, Outgoing, Record
from backstop.report import Report
from tests.backstop.ordered_worker import Worker
from tests.fakes.queue import FakeQueue, HandleInvalid, NotInFlight


@dataclass(frozen=True)
class Acts:
    """One worker's acts. What is told of them is of no interest here."""

    worker: Worker
    queue: FakeQueue
    dies: Callable[[Outgoing], None]
    wakes: Callable[[Sequence[str]], None]

    def bury(self, letter: Outgoing) -> str:
        try:
            with self.worker.around("bury"):
                self.dies(letter)
        except StoreUnavailable as error:
            return str(error)
        return ""

    def wake(self, keys: Sequence[str], delay_seconds: int) -> None:
        with suppress(StoreUnavailable), self.worker.around("wake"):
            self.wakes(keys)

    def keep(self, records: Sequence[Record], seconds: int) -> Collection[str]:
        own = [record for record in records if record["eventSourceARN"] == self.queue.arn]
        with suppress(StoreUnavailable), self.worker.around("keep"):
            return [record["messageId"] for record in own if not self._hide(record, seconds)]
        return []

    def give_back(self, records: Sequence[Record]) -> None:
        with suppress(StoreUnavailable), self.worker.around("make visible"):
            for record in records:
                self._hide(record, 0)

    def let_go(self, records: Sequence[Record]) -> None:
        with suppress(StoreUnavailable), self.worker.around("let go"):
            for record in records:
                with suppress(HandleInvalid):
                    self.queue.delete(record["receiptHandle"])

    def report(self, report: Report) -> None:
        pass

    def left_to_sqs(self, message: Message, why: str) -> None:
        pass

    def not_buried(self, message: Message, why: str) -> None:
        pass

    def measure(self, **values: float) -> None:
        pass

    def count(self) -> None:
        pass

    def _hide(self, record: Record, seconds: int) -> bool:
        """Hide a message for so long; returns whether it is this worker's."""
        handles = [message.receipt_handle for message in self.queue.messages]
        if record["receiptHandle"] not in handles:  # deleted, or received by another since
            return False
        try:
            self.queue.change_visibility(record["receiptHandle"], timedelta(seconds=seconds))
        except (HandleInvalid, NotInFlight):
            return False
        return True
