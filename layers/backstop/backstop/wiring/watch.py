"""A log batch, or the minute's wake-up, in; failures counted and people told out: the Lambda handler of `watch`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from backstop import invocation
from backstop.alert import Alert, Digest
from backstop.aws import clients
from backstop.aws.failed_events import FailedEvents
from backstop.aws.groups_table import GroupsTable
from backstop.aws.topic import Topic
from backstop.aws.watch_log import WatchLog
from backstop.delivery import opened
from backstop.errors import NotPublished, StoreUnavailable
from backstop.followup import follow_up
from backstop.groups import Store
from backstop.lines import read
from backstop.memory import MemoryStore
from backstop.occurrence import Occurrence
from backstop.publication import publication
from backstop.settings.watchers import IN_DYNAMODB, WatchSettings
from backstop.valkey import ValkeyStore
from backstop.valkey_client import connect
from backstop.watch import Watching, watch
from backstop.wiring import LambdaHandler
from backstop.wiring.clock import now

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def watch_function() -> LambdaHandler:
    """Make the Lambda handler that reads what workers log, counts failures by group and tells people."""
    return _Watch().handler


class _Watch:
    def handler(self, event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
        self._log.begin(context.aws_request_id)
        with invocation.running(context.get_remaining_time_in_millis):
            if event.get("sweep") is True:
                return {"untold": follow_up(self._watching)}
            return self._watch(str(event.get("awslogs", {}).get("data", "")))

    def _watch(self, data: str) -> Mapping[str, Any]:
        """Watch a log batch. Raises where it could not be counted or kept: then it comes again, and is counted once."""
        delivery = opened(data)
        occurrences = read(delivery, self._settings.stage)
        outcome = watch(occurrences, delivery.batch, self._watching)
        faults = [*outcome.faults, *self._record(occurrences)]
        for fault in faults:
            self._log.not_kept(str(fault))
        if faults:
            raise faults[0]
        return {"occurrences": len(occurrences), "untold": outcome.untold}

    def _record(self, occurrences: Sequence[Occurrence]) -> list[StoreUnavailable]:
        """Keep where events are now; returns why that could not be kept."""
        try:
            self._failed_events.record(occurrences)
        except StoreUnavailable as fault:
            return [fault]
        return []

    def _publish(self, alert: Alert | Digest) -> None:
        written = publication(alert, self._settings.stack)
        try:
            is_published = self._topic.publish(written)
        except NotPublished as error:
            self._log.not_sent(written.document, str(error))
            raise
        self._log.sent(written.document, is_doubtful=not is_published)

    @cached_property
    def _settings(self) -> WatchSettings:
        return WatchSettings.from_environment()

    @cached_property
    def _watching(self) -> Watching:
        budget = self._settings.budget
        return Watching(self._store, MemoryStore(budget), budget, self._publish, now)

    @cached_property
    def _store(self) -> Store:
        settings = self._settings
        groups = GroupsTable(clients.client("dynamodb"), settings.groups_table, settings.budget)
        if settings.store == IN_DYNAMODB:
            return groups
        return ValkeyStore(connect(settings.store), groups, settings.budget, f"backstop:{settings.stack}:")

    @cached_property
    def _failed_events(self) -> FailedEvents:
        settings = self._settings
        return FailedEvents(clients.client("dynamodb"), settings.failed_events_table, settings.failed_events_expiry)

    @cached_property
    def _topic(self) -> Topic:
        return Topic(clients.client("sns"), self._settings.topic_arn)

    @cached_property
    def _log(self) -> WatchLog:
        settings = self._settings
        return WatchLog(function=settings.function, stage=settings.stage, release=settings.release)
