"""An alert in, what the topic is given out: a subject, text for people, a document for machines, attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from backstop.alert import Alert, Digest, label
from backstop.alert_text import MAX_LISTED, digest_headline, digest_text, headline, text_of
from backstop.budget import Reason
from backstop.occurrence import Severity

VERSION: Final = 1
"""Of the document (docs/alert.schema.json)."""

MAX_INCIDENTS: Final = 1000
"""Groups that a digest names for machines."""
MAX_SUBJECT: Final = 100
"""Characters of an SNS subject (AWS, "Publish"): one line of ASCII."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What the topic is given: a subject, a text for people, a document for machines, attributes for filters."""

    subject: str
    text: str
    document: Mapping[str, Any]
    attributes: Mapping[str, str]


def publication(alert: Alert | Digest, stack: str) -> Publication:
    """Write an alert down. `stack` is the stack's name, which commands need."""
    if isinstance(alert, Digest):
        return _digest(alert, stack)
    title, text = headline(alert), text_of(alert, stack)
    group = alert.group
    document = {
        "backstop": VERSION,
        "reason": alert.reason,
        "severity": alert.severity,
        "stack": stack,
        "stage": group.stage,
        "at": moment(alert.now),
        "title": title,
        "text": text,
        **_of_group(alert),
        "is_over": alert.reason is Reason.END,
        "failure_severity": group.severity,
        "next": [f"backstop groups show {label(group.group)} --stack {stack}"],
    }
    return published(title, text, document, group.stage)


def trial_publication(stack: str, stage: str, now: datetime) -> Publication:
    """Write down an alert that only tests whether alerts arrive."""
    title = "This is a test: alerts arrive"
    text = f"{title}\n\nNothing has failed. Somebody called `backstop alerts test --stack {stack}`.\n"
    document = {
        "backstop": VERSION,
        "reason": Reason.TEST,
        "severity": Severity.INFO,
        "stack": stack,
        "stage": stage,
        "at": moment(now),
        "title": title,
        "text": text,
        "next": [],
    }
    return published(title, text, document, stage)


def serialise(document: Mapping[str, Any]) -> str:
    """Return a document as JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def published(title: str, text: str, document: Mapping[str, Any], stage: str) -> Publication:
    """Return what the topic is given of a document: its `severity` and `reason` are attributes, too."""
    attributes = {
        "severity": str(document["severity"]),
        "stage": stage or "unknown",
        "reason": str(document["reason"]),
    }
    subject = f"[{attributes['stage']}] {attributes['severity'].upper()}: {title}"
    return Publication(_one_ascii_line(subject), text, document, attributes)


def _of_group(alert: Alert) -> dict[str, Any]:
    group, window = alert.group, alert.window
    return {
        "group": label(group.group),
        "kind": group.kind,
        "error_type": group.error_type,
        "error": group.error,
        "where": group.where,
        "function": group.function,
        "queue": group.queue,
        "verdict": group.verdict,
        "release": group.release,
        "releases": sorted(group.releases),
        "event_id": group.event_id,
        "first_seen": moment(group.first_seen),
        "last_seen": moment(group.last_seen),
        "seen_before": None if alert.seen_before is None else moment(alert.seen_before),
        "window_opened": moment(window.opened),
        "occurrences": alert.occurrences,
        "occurrences_ever": group.occurrences,
        "not_shown": alert.not_shown,
        "note": group.note,
    }


def _digest(digest: Digest, stack: str) -> Publication:
    title, text = digest_headline(digest), digest_text(digest, stack)
    stage = digest.alerts[0].group.stage
    document = {
        "backstop": VERSION,
        "reason": Reason.DIGEST,
        "severity": digest.severity,
        "stack": stack,
        "stage": stage,
        "at": moment(digest.now),
        "title": title,
        "text": text,
        "groups": [_of_group(alert) for alert in digest.alerts[:MAX_LISTED]],
        "groups_in_all": len(digest.alerts),
        "incidents": [label(alert.group.group) for alert in digest.alerts[:MAX_INCIDENTS]],
        "is_over": digest.is_over,
        "failure_severity": min((alert.group.severity for alert in digest.alerts), key=lambda one: one.urgency),
        "next": [f"backstop groups --stack {stack}"],
    }
    return published(title, text, document, stage)


def _one_ascii_line(text: str) -> str:
    line = " ".join(text.encode("ascii", "replace").decode().split())
    kept = "".join(one if one.isprintable() else "?" for one in line)
    return kept if len(kept) <= MAX_SUBJECT else f"{kept[: MAX_SUBJECT - 3]}..."


def moment(when: datetime) -> str:
    """Return a time as documents have it."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds")
