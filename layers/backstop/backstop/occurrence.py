"""What a log says of failures in, a tally a group out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from backstop.errors import CircuitOpen
from backstop.kinds import Kind


class Severity(StrEnum):
    """How urgent a failure is, the most urgent first: what a subscription's filter policy and a channel go by."""

    CRITICAL = "critical"
    """A fault of ours, a worker that died, an open circuit, or a dead event that holds up its key: more and more stands
    still."""
    ERROR = "error"
    """A dead letter, a record that was not transformed, or a failure that nobody tries again."""
    WARNING = "warning"
    """What is tried again by itself."""
    INFO = "info"
    """It is over."""

    @property
    def urgency(self) -> int:
        """The place in the order of telling: 0 is told of first."""
        return _URGENCY[self]


_URGENCY: Final = {severity: place for place, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What one log line tells of: a failure, or that a failed event is done or sent back.

    All texts are redacted and cut to a length. `line` is the line's own id, the same at each delivery. `verdict` is the
    pipeline event's, `Redriven` for one that was redriven, and empty for a failure that no verdict was given on, such
    as an ERROR line or a timeout. `parts` say what the group is made of.
    """

    line: str
    at: datetime
    group: str
    kind: Kind = Kind.UNKNOWN
    error_type: str = ""
    error: str = ""
    where: str = ""
    function: str = ""
    stage: str = ""
    release: str = ""
    verdict: str = ""
    dead_because: str = ""
    event_id: str = ""
    key: str = ""
    queue: str = ""
    source_queue: str = ""
    attempt: int = 0
    max_attempts: int | None = None
    next_at: str = ""
    request_id: str = ""
    redrive_id: str = ""
    is_crash: bool = False
    """Whether the worker itself died: a timeout, out of memory, an exit."""
    parts: tuple[tuple[str, str], ...] = ()

    @property
    def is_failure(self) -> bool:
        """Whether something failed; an event that is done or was redriven has not."""
        return self.verdict not in {"Done", "Redriven"}

    @property
    def severity(self) -> Severity:
        """How urgent it is."""
        holds_up_its_key = self.verdict == "Dead" and self.source_queue.endswith(".fifo")
        waits_for_a_circuit = self.error_type == CircuitOpen.__name__
        if self.kind is Kind.SYSTEM or self.is_crash or holds_up_its_key or waits_for_a_circuit:
            return Severity.CRITICAL
        return Severity.WARNING if self.verdict in {"Retry", "Park"} else Severity.ERROR


@dataclass(frozen=True, slots=True)
class Tally:
    """What one log batch says of one group. `batch` names the batch, the same at each delivery."""

    group: str
    batch: str
    count: int
    first_at: datetime
    last_at: datetime
    severity: Severity
    sample: Occurrence
    """The most urgent of them, the latest of these."""


def tallies(occurrences: Iterable[Occurrence], batch: str) -> list[Tally]:
    """Count a batch's failures by group, the most urgent groups first; what is no failure is left out."""
    by_group: dict[str, list[Occurrence]] = {}
    for occurrence in occurrences:
        if occurrence.is_failure:
            by_group.setdefault(occurrence.group, []).append(occurrence)
    counted = [_tally(group, found, batch) for group, found in by_group.items()]
    return sorted(counted, key=lambda tally: (tally.severity.urgency, tally.first_at))


def _tally(group: str, found: list[Occurrence], batch: str) -> Tally:
    moments = [one.at for one in found]
    sample = min(found, key=lambda one: (one.severity.urgency, -one.at.timestamp()))
    return Tally(group, batch, len(found), min(moments), max(moments), sample.severity, sample)
