"""An alarm, an alert or the minute in; what is made what should be, people told: the Lambda handler of `recover`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from backstop import invocation
from backstop.aws import clients, metrics
from backstop.aws.alarms import Alarms
from backstop.aws.circuits import CircuitTable
from backstop.aws.intakes import Intakes
from backstop.aws.recovery_lines import RecoveryLines
from backstop.aws.recovery_log import RecoveryLog
from backstop.aws.release_counts import ReleaseCounts
from backstop.aws.restarts import Functions
from backstop.aws.switches import Switches
from backstop.aws.topic import Topic
from backstop.recovery.alert import recovery_alert
from backstop.recovery.observing import Places, Rules
from backstop.recovery.plan import plan
from backstop.recovery.recovering import Outcome, Recovering, recover
from backstop.recovery.state import Tell
from backstop.recovery.waking import waking
from backstop.settings.recovery import RecoverySettings
from backstop.wiring import LambdaHandler
from backstop.wiring.clock import now

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def recover_function() -> LambdaHandler:
    """Make the Lambda handler that pauses, resumes, scales, switches and restarts, and tells people when it cannot."""
    return _Recover().handler


class _Recover:
    def handler(self, event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
        self._lines.begin(context.aws_request_id)
        woken = waking(event)
        if woken.is_own:
            return {"woken_by": woken.by, "done": False}
        if not woken.is_reconcile:
            self._lines.woken(woken.by)
        with invocation.running(context.get_remaining_time_in_millis):
            outcome = recover(self._recovering, is_reconcile=woken.is_reconcile)
        return self._account(outcome, woken.by, is_reconcile=woken.is_reconcile)

    def _account(self, outcome: Outcome, by: tuple[str, ...], *, is_reconcile: bool) -> Mapping[str, Any]:
        """Say what became of a run. Raises where something could not be seen, done or told, so that an alarm rings."""
        for entry in outcome.entries:
            self._lines.done(entry)
        if not outcome.is_first:
            self._lines.was_second()
        if is_reconcile and outcome.measures:
            metrics.measure(outcome.measures, self._settings.function)
        for fault in outcome.faults:
            self._lines.failed(str(fault))
        if outcome.faults:
            raise outcome.faults[0]
        return {"woken_by": by, "done": outcome.is_first, "actions": len(outcome.actions), "told": len(outcome.told)}

    def _tell(self, tell: Tell) -> bool:
        settings = self._settings
        written = recovery_alert(tell, settings.stack, settings.stage, now())
        is_published = self._topic.publish(written)
        self._lines.sent(written.document, is_doubtful=not is_published)
        return is_published

    @cached_property
    def _recovering(self) -> Recovering:
        settings = self._settings
        return Recovering(
            rules=Rules(settings.mode, settings.bounds, settings.intakes),
            places=self._places,
            log=RecoveryLog(clients.client("dynamodb"), settings.recovery_log_table),
            plan=plan,
            tell=self._tell,
            now=now,
        )

    @cached_property
    def _places(self) -> Places:
        dynamodb, table = clients.client("dynamodb"), self._settings.circuits_table
        return Places(
            mappings=Intakes(clients.client("lambda")),
            functions=Functions(clients.client("lambda")),
            releases=ReleaseCounts(dynamodb, table),
            switches=Switches(clients.client("ssm"), self._settings.switches),
            circuits=CircuitTable(dynamodb, table).all,
            ringing=Alarms(clients.client("cloudwatch")).ringing,
        )

    @cached_property
    def _topic(self) -> Topic:
        return Topic(clients.client("sns"), self._settings.topic_arn)

    @cached_property
    def _settings(self) -> RecoverySettings:
        return RecoverySettings.from_environment()

    @cached_property
    def _lines(self) -> RecoveryLines:
        settings = self._settings
        return RecoveryLines(function=settings.function, stage=settings.stage, release=settings.release)
