"""What a worker does to its queues amid an outage: what is tried again is sent on, what is dead is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backstop.effects import Destination
from backstop.message import Message, Outgoing, Record, Refused
from backstop.report import Report


class OutageActs:
    """Acts on verdicts; what it tells, nobody reads."""

    def __init__(self, resend: Callable[[Outgoing], None], bury: Callable[[Outgoing], None]) -> None:
        self._acts = {Destination.RETRY: resend, Destination.DEAD: bury}

    def send(self, destination: Destination, messages: Sequence[Outgoing]) -> Sequence[Refused]:
        for outgoing in messages:
            self._acts[destination](outgoing)
        return ()

    def give_back(self, records: Sequence[Record]) -> None:
        raise AssertionError("no batch takes that long")

    def let_go(self, records: Sequence[Record]) -> None:
        raise AssertionError("no worker dies here")

    def report(self, report: Report) -> None:
        """Nobody looks."""

    def left_to_sqs(self, message: Message, why: str) -> None:
        raise AssertionError(f"{message.message_id}: {why}")

    def count(self) -> None:
        """Nobody looks."""
