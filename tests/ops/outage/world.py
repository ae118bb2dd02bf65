"""A gateway, its circuit and recovery as a drill meets them, on one clock with a worker that stores orders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backstop.recovery.mode import Mode
from backstop.recovery.state import CauseKind, Strategy
from ops.drill.outage.account import Recovered, Step
from ops.drill.outage.ground import Charges
from ops.drill.outage.plan import Outage
from ops.local.gateway.health import Mode as Failing
from tests.fakes.clock import VirtualClock
from tests.ops.test_run import Worker


@dataclass
class Downstream:
    """Stands for the gateway, the circuit and recovery: in an outage nothing is charged, and the intake is paused."""

    worker: Worker
    clock: VirtualClock
    outage: Outage | None = None
    began_at: datetime | None = None
    called_before: int = 0
    """What was counted before the drill."""
    failed: int = 0
    steps_taken: list[Step] = field(default_factory=list)
    closes_late: timedelta = timedelta(seconds=10)
    """How long after the outage the circuit closes."""
    pace: int = 4
    """Orders that are charged each second."""
    charged: int = 0

    def work(self) -> None:
        """Let a second's orders be done, unless the gateway is out."""
        if self.is_out:
            self.failed += 1
            return
        queue = self.worker.sqs.queue("shop-events")
        for message in queue.receive(self.pace):
            self.worker._take(message)
            queue.delete(message.receipt_handle)
            self.charged += 1

    @property
    def is_out(self) -> bool:
        if self.outage is None or self.began_at is None:
            return False
        return self.clock.now() < self.began_at + timedelta(seconds=self.outage.seconds)

    def charges(self) -> Charges:
        calls = self.called_before + self.charged + self.failed
        return Charges(calls, self.called_before + self.charged, self.called_before)

    def break_gateway(self, outage: Outage) -> None:
        self.outage, self.began_at = outage, self.clock.now()
        self._take(Strategy.PAUSE, self.began_at + timedelta(seconds=2))
        self._take(Strategy.RESUME, self.began_at + timedelta(seconds=outage.seconds + 5))

    def mend_gateway(self) -> None:
        self.outage = None

    def calls_in_outage(self) -> int:
        return self.failed if self.outage is None or self.outage.mode is not Failing.REFUSE else 0

    def failed_calls(self) -> int:
        return self.called_before + self.failed

    def recovered(self, since: datetime) -> Recovered:
        closes_at = None if self.began_at is None else self.began_at + timedelta(seconds=20) + self.closes_late
        is_closed = closes_at is None or self.clock.now() >= closes_at
        return Recovered(Mode.ACT, self.began_at is not None, is_closed, is_closed)

    def steps(self, since: datetime) -> Iterator[Step]:
        return iter(self.steps_taken)

    def _take(self, strategy: Strategy, at: datetime) -> None:
        self.steps_taken.append(Step(at, strategy, "events", CauseKind.CIRCUIT))
