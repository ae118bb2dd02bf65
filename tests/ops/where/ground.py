"""An event and all that is known of it: its history, its record, its place in the ordered lane, what operators did."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final

from botocore.exceptions import ClientError

from backstop.aws.idempotency import Idempotency
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.ops.groups import ground as groups
from tests.ops.keys import ground as keys

FUNCTIONS: Final[dict[str, dict[str, str]]] = {
    "shop-process": {"IDEMPOTENCY_DAYS": "14", "MAX_ATTEMPTS": "6"},
    "shop-process-ordered": {"IDEMPOTENCY_DAYS": "14", "MAX_ATTEMPTS": "4"},
    "shop-watch": {"FAILED_EVENT_DAYS": "35"},
}


class WorkerDied(BaseException):
    """Raised where a worker dies: nothing that it would have done is done."""


class Functions:
    """A Lambda that knows how the functions are set up, or refuses to say."""

    def __init__(self) -> None:
        self.variables = {name: dict(variables) for name, variables in FUNCTIONS.items()}
        self.refuses = False

    def get_function_configuration(self, FunctionName: str) -> Any:  # noqa: N803  # boto3's own name
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetFunctionConfiguration")
        return {"Environment": {"Variables": self.variables[FunctionName]}}


@dataclass
class Ground:
    """A stack, and what stands behind it: `client` is touched by no fault of the stack's clients."""

    stack: Stack
    clock: VirtualClock
    client: Any
    functions: Functions
    faults: Faults
    failing: groups.Ground
    keys: keys.Ground

    def fail(self, event: str = "e-1", group: str = groups.A, **known: Any) -> None:
        """Let something befall an event, as a log tells it."""
        self.failing.fail(group, event, **known)

    def row(self, event: str = "e-1", **texts: str) -> None:
        """Write a row of an event's history, whatever stands in it."""
        told = {"event_id": event, "at": f"{self.clock.now().isoformat(timespec='milliseconds')}#0"} | texts
        self.client.put_item(TableName="events", Item={name: {"S": text} for name, text in told.items()})

    def run(self, event: str = "e-1", *, prefix: str = "process", days: int = 14) -> None:
        """Let a worker run an event, and be done."""
        self._begun(prefix, days).run(event, lambda: None, was_received_before=False)

    def kill(self, event: str = "e-1", *, seconds: int = 30, prefix: str = "process") -> None:
        """Let a worker die while it runs an event, for which it has so long: its record stays as it is."""

        def die() -> None:
            raise WorkerDied

        with suppress(WorkerDied):
            self._begun(prefix, 14, seconds).run(event, die, was_received_before=False)

    def _begun(self, prefix: str, days: int, seconds: int = 30) -> Idempotency:
        idempotency = Idempotency(self.client, "idempotency", prefix, timedelta(days=days))
        context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: seconds * 1000)
        idempotency.begin(context)
        return idempotency

    def wait(self, **time: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(**time))
