"""A worker's settings in; its circuits and what guards its release out: both tell of themselves, by log and metric."""

from __future__ import annotations

import secrets
from functools import cached_property

from backstop import invocation
from backstop.aws import clients, metrics
from backstop.aws.circuits import CircuitTable
from backstop.aws.logs import PipelineLog
from backstop.aws.release_counts import ReleaseCounts
from backstop.circuits.breaker import Circuits
from backstop.circuits.report import CircuitReport
from backstop.circuits.state import CircuitState, Transition
from backstop.drill import DrillRefusal
from backstop.errors import Kinds, MalformedEvent
from backstop.fingerprint import Surroundings
from backstop.kinds import Kind
from backstop.recovery.mode import Mode
from backstop.release_counts import Hold
from backstop.release_guard import ReleaseGuard
from backstop.report import describe
from backstop.settings.workers import WorkerSettings
from backstop.wiring.clock import now


class Guards:
    """The circuits of a process, and the guard of its release. Nothing of it calls AWS before something fails."""

    def __init__(self, settings: WorkerSettings, kinds: Kinds, surroundings: Surroundings, log: PipelineLog) -> None:
        self._settings = settings
        self._kinds = kinds
        self._surroundings = surroundings
        self._log = log
        self._environment = secrets.token_hex(8)
        self._has_probed_in_vain = False

    @cached_property
    def circuits(self) -> Circuits:
        """The circuits of all downstreams that the handler calls."""
        return Circuits(
            store=CircuitTable(clients.client("dynamodb"), self._settings.circuits_table),
            environment=self._environment,
            function=self._settings.function,
            kinds=self._kinds,
            now=now,
            remaining=invocation.remaining,
            tell=self._turned,
            tell_silence=self._log.not_counted,
        )

    @cached_property
    def release(self) -> ReleaseGuard:
        """What holds the failures of a bad release back."""
        return ReleaseGuard(
            store=ReleaseCounts(clients.client("dynamodb"), self._settings.circuits_table),
            function=self._settings.function,
            release=self._settings.release,
            environment=self._environment,
            is_acting=self._settings.recovery_mode is Mode.ACT,
            now=now,
            tell=self._held,
        )

    def run_begins(self) -> None:
        """Note that a message is run."""
        self._has_probed_in_vain = False
        self.release.ran += 1

    def excuses(self, error: Exception, kind: Kind) -> bool:
        """Return whether a failure is not its message's own fault, but a downstream's that it probed, or its release's.

        However long a downstream is down, what probes it does not become a dead letter of that.
        """
        return self._has_probed_in_vain if kind is Kind.TRANSIENT else self._is_held(error, kind)

    def _is_held(self, error: Exception, kind: Kind) -> bool:
        if isinstance(error, DrillRefusal) or self.release.is_over:  # a drill's faults say nothing of the release
            return False
        if isinstance(error, MalformedEvent):
            self.release.ran += 1  # it never came to be run
        surroundings = self._surroundings._replace(kind=kind)
        return self.release.holds(describe(error, self._settings.own_root, surroundings).group)

    def _turned(self, transition: Transition) -> None:
        if transition.before is CircuitState.HALF_OPEN and transition.after is CircuitState.OPEN:
            self._has_probed_in_vain = True
        self._tell(CircuitReport.turned(transition, self._surroundings))

    def _held(self, hold: Hold) -> None:
        self._tell(CircuitReport.held(hold))

    def _tell(self, report: CircuitReport) -> None:
        self._log.write_circuit(report)
        metrics.count_transition(report)
