"""A stack and its gateway in, what is known of an outage there out: the drill's eyes and hands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from backstop.circuits.state import CircuitState, Standing
from backstop.recovery.state import MappingState
from ops.circuits.found import circuit_table
from ops.drill.outage.account import Recovered, Step
from ops.drill.outage.plan import Outage
from ops.failure import CallFailed, told_in_a_sentence
from ops.groups.found import list_groups
from ops.intake.found import recovery_of
from ops.intake.reconcile import look
from ops.local.gateway.client import BACKUP, PAYMENTS, Gateway
from ops.local.gateway.health import Mode as Failing
from ops.recovery.remembered import recovery_log
from ops.stack import Stack

CIRCUIT: Final = "payments"
"""The circuit through which the sample charges."""
REFUSED: Final = "CircuitOpen"
"""What a call that the circuit did not let through fails with: the gateway saw nothing of it."""

_INTAKE: Final = "events"
_STEPS: Final = 1000


class Charges(NamedTuple):
    """What the gateway has counted, at all of its entrances."""

    calls: int
    charges: int
    charged_twice: int

    def since(self, before: Charges) -> Charges:
        """Return what was counted after `before`."""
        return Charges(*(now - then for now, then in zip(self, before, strict=True)))


class Ground:
    """A stack that charges at a gateway, and that gateway."""

    def __init__(self, stack: Stack, gateway: Gateway) -> None:
        self._stack = stack
        self._gateway = gateway
        self._recovery = recovery_of(stack)
        if not self._charges_somewhere():
            raise CallFailed(f"stack {stack.name!r} charges nowhere: start the local AWS anew, with its gateway")

    def charges(self) -> Charges:
        """Return what the gateway has counted so far."""
        counts = [self._gateway.counts(name) for name in (PAYMENTS, BACKUP)]
        return Charges(
            calls=counts[0].calls,
            charges=sum(one.charges for one in counts),
            charged_twice=sum(one.charged_twice for one in counts),
        )

    def break_gateway(self, outage: Outage) -> None:
        """Let the gateway fail from now on, and be well again by itself."""
        self._gateway.outage(PAYMENTS, outage.mode, outage.seconds, outage.rate)

    def mend_gateway(self) -> None:
        """End what is left of an outage."""
        if self._gateway.mode(PAYMENTS) != Failing.OK:
            self._gateway.outage(PAYMENTS, Failing.OK, 1)

    def calls_in_outage(self) -> int:
        """Return how often the gateway was called while it was out. Connections that it refused it does not know of."""
        return self._gateway.counts(PAYMENTS).in_outage

    def failed_calls(self) -> int:
        """Return how many failures the watchers have counted that were no refusals of the circuit."""
        groups = [one.group for one in list_groups(self._stack).groups]
        return sum(group.occurrences for group in groups if group.error_type != REFUSED)

    def recovered(self, since: datetime) -> Recovered:
        """Return how circuit and intakes are, and whether the circuit has opened since then."""
        circuit = self._circuit()
        mappings = look(self._stack, self._recovery.intakes).values()
        return Recovered(
            mode=self._recovery.mode,
            has_opened=any(opening.at >= since.replace(microsecond=0) for opening in circuit.openings),
            is_closed=circuit.state is CircuitState.CLOSED,
            are_intakes_on=all(mapping.state is MappingState.ENABLED for mapping in mappings),
        )

    def steps(self, since: datetime) -> Iterator[Step]:
        """Return what recovery did since then, the oldest first."""
        with told_in_a_sentence():
            written = recovery_log(self._stack).entries(since, _STEPS)
        for one in reversed(written):
            entry = one.entry
            yield Step(one.at, entry.strategy, entry.target, entry.cause.kind, entry.is_suggested)

    def _circuit(self) -> Standing:
        with told_in_a_sentence():
            return circuit_table(self._stack).read(CIRCUIT)

    def _charges_somewhere(self) -> bool:
        """Whether the function of the orders' intake has a gateway."""
        name = next(one.function for one in self._recovery.intakes if one.name == _INTAKE)
        told = self._stack.functions.get_function_configuration(FunctionName=name).get("Environment", {})
        return bool(told.get("Variables", {}).get("PAYMENT_URL"))
