"""A circuit's transition in, the pipeline event that tells of it out: one that opens is a failure, and has a group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, Self

from backstop.circuits.state import CircuitState, Transition
from backstop.errors import CircuitOpen
from backstop.fingerprint import Surroundings
from backstop.kinds import Kind
from backstop.parametrise import parametrise
from backstop.redact import redact
from backstop.release_counts import Hold
from backstop.report import Description, describe, tellable
from backstop.trail import MAX_REASON

_NO_TIME: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class CircuitReport:
    """A pipeline event of no message: a circuit changed its state, or a release was held as one would be."""

    circuit: str
    before: str
    after: str
    generation: int
    why: str
    kind: str = ""
    error_type: str = ""
    error: str = ""
    group: str = ""
    fingerprint: tuple[tuple[str, str], ...] = ()
    """What the group is made of."""
    pipeline_event: str = "circuit"

    @classmethod
    def turned(cls, transition: Transition, surroundings: Surroundings) -> Self:
        """Tell of a circuit. One that opens is of the group that the refusals of its function's messages are of."""
        told = cls._of(transition)
        if transition.after is not CircuitState.OPEN:
            return told
        refusal = CircuitOpen(transition.circuit, retry_after=_NO_TIME, open_for=_NO_TIME)
        found = describe(refusal, "", surroundings._replace(kind=Kind.TRANSIENT))
        return told._failed(found._replace(error=_said(f"{refusal}: {transition.why}")), Kind.TRANSIENT)

    @classmethod
    def held(cls, hold: Hold) -> Self:
        """Tell that a release was held. It is no failure of its own: recovery tells people, and when it is over."""
        why = f"{hold.failed} of {hold.ran} messages of release {hold.release} fail alike: group g{hold.group}"
        return cls(f"release {hold.function}", CircuitState.CLOSED, CircuitState.OPEN, 0, why)

    @classmethod
    def _of(cls, transition: Transition) -> Self:
        circuit, why = redact(transition.circuit), redact(transition.why)[:MAX_REASON]
        return cls(circuit, transition.before, transition.after, transition.generation, why)

    def _failed(self, description: Description, kind: Kind) -> Self:
        return replace(
            self,
            kind=kind,
            error_type=description.error_type,
            error=description.error,
            group=description.group,
            fingerprint=tellable(description.parts),
        )

    def fields(self) -> dict[str, Any]:
        """Return what goes into the log line; what is empty is left out."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value not in ("", ())}


def _said(text: str) -> str:
    return parametrise(redact(text))[:MAX_REASON]
