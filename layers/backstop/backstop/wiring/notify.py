"""What gives a notice to channels in, the Lambda handler of `notify` out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from backstop.aws import clients
from backstop.aws.notice_log import NoticeLog
from backstop.aws.secrets import Secret
from backstop.channel import Channel, Directory, directory
from backstop.errors import SystemFault
from backstop.forward import forward
from backstop.notice import Notice, notice
from backstop.occurrence import Severity
from backstop.settings.watchers import NotifySettings
from backstop.wiring import LambdaHandler

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

__all__ = ["Channel", "Notice", "Severity", "notify_function"]

DeliverWithin = Callable[[Notice, Sequence[Channel], float], Sequence[str]]
"""Gives a notice to channels within so many seconds; returns, for each, why it was not reached, or nothing."""

_SHARE: Final = 0.6
"""Of what is left of the invocation, for one round of channels: another must fit, which tells of those that failed."""


def notify_function(deliver: DeliverWithin) -> LambdaHandler:
    """Make the Lambda handler that forwards what the alert topic delivers to the channels that a secret names."""
    return _Notify(deliver).handler


class _Notify:
    def __init__(self, deliver: DeliverWithin) -> None:
        self._deliver = deliver

    def handler(self, event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
        self._log.begin(context.aws_request_id)
        notices = list(_notices(event))
        channels = self._channels()
        lost = [one for one in notices if not self._is_told(one, channels, context)]
        if lost:
            raise SystemFault("nobody was told: no channel could be reached, so that Lambda tries again; see the log")
        return {"notices": len(notices)}

    def _is_told(self, one: Notice, channels: Directory, context: LambdaContext) -> bool:
        def deliver(notice: Notice, to: Sequence[Channel]) -> Sequence[str]:
            return self._deliver(notice, to, _SHARE * context.get_remaining_time_in_millis() / 1000)

        forwarded = forward(one, channels, deliver)
        self._log.forwarded(one, forwarded)
        return not forwarded.is_lost

    def _channels(self) -> Directory:
        text, why = self._secret.text()
        if why:
            self._log.secret_not_read(why)
        return directory(text)

    @cached_property
    def _settings(self) -> NotifySettings:
        return NotifySettings.from_environment()

    @cached_property
    def _secret(self) -> Secret:
        return Secret(clients.client("secretsmanager"), self._settings.channels_secret)

    @cached_property
    def _log(self) -> NoticeLog:
        settings = self._settings
        return NoticeLog(function=settings.function, stage=settings.stage, release=settings.release)


def _notices(event: Mapping[str, Any]) -> Iterator[Notice]:
    """Read what the topic delivers; of what has another shape, nothing."""
    records = event.get("Records")
    for record in records if isinstance(records, list) else []:
        sent = record.get("Sns") if isinstance(record, Mapping) else None
        if isinstance(sent, Mapping):
            yield notice(_text(sent.get("Message")), _text(sent.get("Subject")))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
