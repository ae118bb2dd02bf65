"""A group, its window and a reason to tell people in; what is published out: subject, text, document, attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from backstop.budget import Reason, Slot, Window
from backstop.groups import Group
from backstop.occurrence import Severity

VERSION: Final = 1
"""Of the document (docs/alert.schema.json)."""

MAX_SUBJECT: Final = 100
"""Characters of an SNS subject (AWS, "Publish"): one line of ASCII."""
MAX_LISTED: Final = 25
"""Groups that a digest names; it counts the others."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What people are told about one group.

    `seen_before` is when the group had last been seen before this window, None if never.
    """

    slot: Slot
    group: Group
    window: Window
    now: datetime
    seen_before: datetime | None = None

    @property
    def reason(self) -> Reason:
        """Why people are told."""
        return self.slot.reason

    @property
    def severity(self) -> Severity:
        """How urgent it is; an end is not."""
        return Severity.INFO if self.reason is Reason.END else self.group.severity

    @property
    def occurrences(self) -> int:
        """How often it has failed since it began this time."""
        return self.window.slots.carried + self.slot.count

    @property
    def not_shown(self) -> int:
        """How many of these nobody was told of one by one."""
        told = self.window.slots.sent + self.window.slots.carried_sent
        return max(self.occurrences - told, 0)


@dataclass(frozen=True, slots=True)
class Digest:
    """What people are told about many groups that began together, or are over together."""

    alerts: Sequence[Alert]
    """The most urgent first."""
    now: datetime

    @property
    def severity(self) -> Severity:
        """The most urgent one's."""
        return min((alert.severity for alert in self.alerts), key=lambda severity: severity.urgency)


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
    headline, text = _headline(alert), _text(alert, stack)
    group = alert.group
    document = {
        "backstop": VERSION,
        "reason": alert.reason,
        "severity": alert.severity,
        "stack": stack,
        "stage": group.stage,
        "at": _moment(alert.now),
        "title": headline,
        "text": text,
        **_of_group(alert),
        "next": [f"backstop groups show {label(group.group)} --stack {stack}"],
    }
    return _published(headline, text, document, group.stage)


def test_publication(stack: str, stage: str, now: datetime) -> Publication:
    """Write down an alert that only tests whether alerts arrive."""
    headline = "This is a test: alerts arrive"
    text = f"{headline}\n\nNothing has failed. Somebody called `backstop alerts test --stack {stack}`.\n"
    document = {
        "backstop": VERSION,
        "reason": Reason.TEST,
        "severity": Severity.INFO,
        "stack": stack,
        "stage": stage,
        "at": _moment(now),
        "title": headline,
        "text": text,
        "next": [],
    }
    return _published(headline, text, document, stage)


def label(group: str) -> str:
    """Return a group as people read and type it."""
    return f"g{group}"


def _published(headline: str, text: str, document: Mapping[str, Any], stage: str) -> Publication:
    attributes = {
        "severity": str(document["severity"]),
        "stage": stage or "unknown",
        "reason": str(document["reason"]),
    }
    subject = f"[{attributes['stage']}] {attributes['severity'].upper()}: {headline}"
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
        "first_seen": _moment(group.first_seen),
        "last_seen": _moment(group.last_seen),
        "seen_before": None if alert.seen_before is None else _moment(alert.seen_before),
        "window_opened": _moment(window.opened),
        "occurrences": alert.occurrences,
        "occurrences_ever": group.occurrences,
        "not_shown": alert.not_shown,
        "note": group.note,
    }


def _headline(alert: Alert) -> str:
    group = alert.group
    what = group.error_type or "failure"
    place = group.where or group.function
    where = f" in {place}" if place else ""
    count = f"{alert.occurrences:,}"
    match alert.reason:
        case Reason.END:
            return f"Over after {count} occurrence{_s(alert.occurrences)}: {what}{where}"
        case Reason.MORE:
            return f"{count} times: {what}{where}"
        case Reason.STILL:
            return f"Still failing, {count} times: {what}{where}"
        case Reason.AGAIN:
            return f"Back again: {what}{where}"
        case _:
            return f"{what}{where}" if alert.seen_before is None else f"Seen before: {what}{where}"


def _text(alert: Alert, stack: str) -> str:
    group = alert.group
    lines = [_headline(alert), "", *(f"{name + ':':<10} {value}" for name, value in _facts(alert).items() if value)]
    if group.error:
        lines += ["", "One of them says (values replaced):", f"  {group.error}"]
    lines += ["", "Next:", f"  backstop groups show {label(group.group)} --stack {stack}"]
    if alert.reason is not Reason.END:
        lines.append(f"  backstop groups ack {label(group.group)} --stack {stack}")
    return "\n".join(lines) + "\n"


def _facts(alert: Alert) -> dict[str, str]:
    group, slots = alert.group, alert.window.slots
    began = group.first_seen if alert.seen_before is None else alert.window.opened
    since = f"{_clock(began)} ({_span(alert.now - began)})" if not slots.carried else f"before {_clock(began)}"
    known = (
        "" if alert.seen_before is None else f"first on {_clock(group.first_seen)}, {group.occurrences:,} times ever"
    )
    how_often = f"{alert.occurrences:,} time{_s(alert.occurrences)}{_rate(alert)}"
    return {
        "what": f"{group.error_type or 'a failure'}, {group.kind}",
        "where": ", ".join(filter(None, (group.where, group.function, group.queue))),
        "since": since,
        "how often": how_often,
        "not shown": f"{alert.not_shown:,}" if alert.reason in {Reason.END, Reason.STILL} else "",
        "known": known,
        "becomes": _becomes(group),
        "stage": group.stage,
        "release": group.release
        if len(group.releases) < 2
        else f"{group.release} (and {len(group.releases) - 1} more)",
        "note": group.note,
    }


def _becomes(group: Group) -> str:
    """Say what becomes of the events, so that a reader knows whether to get up."""
    meanings = {
        "Retry": "tried again later, by itself",
        "Park": "parked, tried again later, by itself; its key waits",
        "Dead": "dead letters: they need a person or a fix",
        "ProcessingFailed": "kept as they came, under errors/",
    }
    return meanings.get(group.verdict, "")


def _rate(alert: Alert) -> str:
    minutes = (alert.window.counted_at - alert.window.opened) / timedelta(minutes=1)
    if alert.slot.count < 2 or minutes < 1:
        return ""
    return f", {alert.slot.count / minutes:,.1f} a minute"


def _digest(digest: Digest, stack: str) -> Publication:
    is_end = all(alert.reason is Reason.END for alert in digest.alerts)
    count = len(digest.alerts)
    headline = f"{count} groups of failures are over" if is_end else f"{count} groups of failures began together"
    named = digest.alerts[:MAX_LISTED]
    lines = [headline, ""]
    lines += [
        f"  {label(alert.group.group)}  {alert.occurrences:>9,} x  {alert.severity:<8}  {_what(alert.group)}"
        for alert in named
    ]
    if count > len(named):
        lines.append(f"  and {count - len(named)} more")
    if not is_end:
        lines += ["", "Told of together, as so many at once have often one cause."]
    command = f"backstop groups --stack {stack}"
    lines += ["", "Next:", f"  {command}"]
    stage = digest.alerts[0].group.stage
    text = "\n".join(lines) + "\n"
    document = {
        "backstop": VERSION,
        "reason": Reason.DIGEST,
        "severity": digest.severity,
        "stack": stack,
        "stage": stage,
        "at": _moment(digest.now),
        "title": headline,
        "text": text,
        "groups": [_of_group(alert) for alert in named],
        "groups_in_all": count,
        "next": [command],
    }
    return _published(headline, text, document, stage)


def _what(group: Group) -> str:
    return " in ".join(filter(None, (group.error_type or "failure", group.where or group.function)))


def _one_ascii_line(text: str) -> str:
    line = " ".join(text.encode("ascii", "replace").decode().split())
    kept = "".join(one if one.isprintable() else "?" for one in line)
    return kept if len(kept) <= MAX_SUBJECT else f"{kept[: MAX_SUBJECT - 3]}..."


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds")


def _clock(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _span(time: timedelta) -> str:
    minutes = max(int(time / timedelta(minutes=1)), 0)
    if minutes < 2:
        return "just now"
    return f"{minutes} min ago" if minutes < 120 else f"{minutes // 60} h ago"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def serialise(document: Mapping[str, Any]) -> str:
    """Return a document as JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
