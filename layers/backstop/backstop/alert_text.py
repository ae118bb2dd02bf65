"""An alert in, what people read out: what fails, since when, how often, where, and what to type next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from backstop.alert import Alert, Digest, label
from backstop.budget import Reason
from backstop.groups import Group

MAX_SAID: Final = 60
"""Characters of an error's text that stand in a line."""
MAX_LISTED: Final = 25
"""Groups that a digest names; it counts the others."""


def headline(alert: Alert) -> str:
    """Return what an alert says, in a line."""
    what, count = what_fails(alert.group), f"{alert.occurrences:,}"
    match alert.reason:
        case Reason.END:
            return f"Over after {count} occurrence{_s(alert.occurrences)}: {what}"
        case Reason.MORE:
            return f"{count} times: {what}"
        case Reason.STILL:
            return f"Still failing, {count} times: {what}"
        case Reason.AGAIN:
            return f"Back again: {what}"
        case _:
            return what if alert.seen_before is None else f"Seen before: {what}"


def what_fails(group: Group) -> str:
    """Return what fails where, in a line; what passed through no code of the team's own, by what it says."""
    what = group.error_type or "failure"
    if group.where:
        return f"{what} in {group.where}"
    said = group.error if len(group.error) <= MAX_SAID else f"{group.error[:MAX_SAID]}…"
    return f"{what}: {said}" if said else " in ".join(filter(None, (what, group.function)))


def text_of(alert: Alert, stack: str) -> str:
    """Return what people read. `stack` is the stack's name, which commands need."""
    group = alert.group
    lines = [headline(alert), "", *(f"{name + ':':<10} {value}" for name, value in _facts(alert).items() if value)]
    if group.error:
        lines += ["", "One of them says (values replaced):", f"  {group.error}"]
    lines += ["", "Next:", f"  backstop groups show {label(group.group)} --stack {stack}"]
    if alert.reason is not Reason.END:
        lines.append(f"  backstop groups ack {label(group.group)} --stack {stack}")
    return "\n".join(lines) + "\n"


def _facts(alert: Alert) -> dict[str, str]:
    group, slots = alert.group, alert.window.slots
    opened = alert.window.opened
    is_known = group.occurrences > alert.occurrences
    return {
        "what": f"{group.error_type or 'a failure'}, {group.kind}",
        "where": ", ".join(filter(None, (group.where, group.function, group.queue))),
        "since": f"before {_clock(opened)}" if slots.carried else f"{_clock(opened)} ({_span(alert.now - opened)})",
        "how often": f"{alert.occurrences:,} time{_s(alert.occurrences)}{_rate(alert)}",
        "not shown": f"{alert.not_shown:,}" if alert.reason in {Reason.END, Reason.STILL} else "",
        "known": f"since {_clock(group.first_seen)}, {group.occurrences:,} times in all" if is_known else "",
        "becomes": _becomes(group),
        "stage": group.stage,
        "release": _releases(group),
        "note": group.note,
    }


def _releases(group: Group) -> str:
    others = len(group.releases - {group.release})
    return f"{group.release} (and {others} more)" if others else group.release


def _becomes(group: Group) -> str:
    """Say what becomes of the events, so that a reader knows whether to get up."""
    if group.verdict == "Dead" and group.queue.endswith(".fifo"):
        return "its key waits for a person: backstop keys"
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


def digest_headline(digest: Digest) -> str:
    """Return what a digest says, in a line."""
    count = len(digest.alerts)
    return f"{count} groups of failures are over" if digest.is_over else f"{count} groups of failures began together"


def digest_text(digest: Digest, stack: str) -> str:
    """Return what people read of many groups, the most urgent first."""
    lines = [digest_headline(digest), "", *map(_line, digest.alerts[:MAX_LISTED])]
    if len(digest.alerts) > MAX_LISTED:
        lines.append(f"  and {len(digest.alerts) - MAX_LISTED} more")
    if not digest.is_over:
        lines += ["", "Told of together: so many at once have often one cause."]
    lines += ["", "Next:"]
    return "\n".join([*lines, f"  backstop groups --stack {stack}"]) + "\n"


def _line(alert: Alert) -> str:
    group = alert.group
    return f"  {label(group.group)}  {alert.occurrences:>9,} x  {alert.severity:<8}  {what_fails(group)}"


def _clock(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _span(time: timedelta) -> str:
    minutes = max(int(time / timedelta(minutes=1)), 0)
    if minutes < 2:
        return "just now"
    return f"{minutes} min ago" if minutes < 120 else f"{minutes // 60} h ago"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
