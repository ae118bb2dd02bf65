"""A notice and channels in, given to each through Apprise; why each was not reached out."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from apprise import (
    Apprise,
    AppriseAsset,
    AppriseResult,
    AppriseResultStatus,
    NotifyBase,
    NotifyFormat,
    NotifyType,
    OverflowMode,
)
from apprise.plugins.pagerduty import NotifyPagerDuty

from backstop.wiring.notify import Channel, Notice, Severity

RETRIES: Final = 2
WAIT_SECONDS: Final = 1.0
"""Between the tries. A service that asks for a slower pace gets it: Apprise knows each one's."""

_TYPES: Final = {
    Severity.CRITICAL: NotifyType.FAILURE,
    Severity.ERROR: NotifyType.FAILURE,
    Severity.WARNING: NotifyType.WARNING,
    Severity.INFO: NotifyType.INFO,
}
_STATUS: Final = re.compile(r"\berror=(\d{3})\b")

# They tell addresses, and tokens in them: nothing of theirs goes into the function's log.
for _logger in map(logging.getLogger, ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib")):
    _logger.addHandler(logging.NullHandler())
    _logger.propagate = False


def deliver(notice: Notice, channels: Sequence[Channel], seconds: float) -> list[str]:
    """Give a notice to channels, all at once, each with retries of its own, within `seconds`.

    Returns, for each, why it was not reached, or nothing if it was; no address is in it.
    """
    with ThreadPoolExecutor(max_workers=max(len(channels), 1)) as pool:
        return list(pool.map(partial(_given, notice, seconds), channels))


def _given(notice: Notice, seconds: float, channel: Channel) -> str:
    service = _service(channel)
    if service is None:
        return "its address is none that Apprise understands"
    if isinstance(service, NotifyPagerDuty):
        return _called(notice, seconds, channel)
    if service.overflow_mode is OverflowMode.UPSTREAM:
        service.overflow_mode = OverflowMode.SPLIT  # a service refuses what is too long for it
    return _why(_notified([service], notice.title, notice.body, _type(notice), seconds))


def _called(notice: Notice, seconds: float, channel: Channel) -> str:
    """Open the incident on PagerDuty that a notice belongs to, or end those that are over."""
    keys = notice.ends if notice.is_over else (notice.key,)
    incidents = [service for key in keys if (service := _incident(notice, channel, key)) is not None]
    return _why(_notified(incidents, notice.title, "", _type(notice), seconds)) if incidents else ""


def _incident(notice: Notice, channel: Channel, key: str) -> NotifyPagerDuty | None:
    service = _service(channel)
    if not isinstance(service, NotifyPagerDuty):
        return None
    service.dedup = key or None
    service.action = "resolve" if notice.is_over else "trigger"
    service.severity = service.severity or str(notice.severity)  # its own scale has the same four
    service.details = {"text": notice.body, **service.details}
    service.overflow_mode = OverflowMode.TRUNCATE
    return service


def _service(channel: Channel) -> NotifyBase | None:
    asset = AppriseAsset(
        app_id="Backstop",
        app_desc="Backstop",
        app_url="",
        image_url_mask="",
        default_service_retry=RETRIES,
        default_service_wait=WAIT_SECONDS,
    )
    return Apprise.instantiate(channel.url, asset=asset)


def _notified(
    services: Sequence[NotifyBase], title: str, body: str, notice_type: NotifyType, seconds: float
) -> AppriseResult:
    """Give a text to services, each tried again alone: what one of its targets has is not sent to it twice."""
    return Apprise(list(services)).notify(
        body or title,
        title if body else "",
        notify_type=notice_type,
        body_format=NotifyFormat.TEXT,
        timeout=max(seconds, 0.1),  # 0 would be no limit
    )


def _type(notice: Notice) -> NotifyType:
    return NotifyType.SUCCESS if notice.is_over else _TYPES[notice.severity]


def _why(result: AppriseResult) -> str:
    """Say why a service was not reached: of what Apprise tells, only the HTTP status, as the rest may hold secrets."""
    if result:
        return ""
    statuses = [found for entry in result.logs() for found in _STATUS.findall(entry.message)]
    tries = max((len(one.attempts) for one in result.results), default=0)
    if statuses:
        what = f"HTTP {statuses[-1]}"
    elif result.status is AppriseResultStatus.TIMEOUT:
        what = "no answer in time"
    else:
        what = "no answer"
    return f"{what}, {tries} {'try' if tries == 1 else 'tries'}"
