"""What the alert topic delivers in, what people are told out: of a failure, of an alarm, of anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from backstop.occurrence import Severity
from backstop.redact import redact

MAX_TITLE: Final = 250
MAX_BODY: Final = 12_000
"""Characters of a notice. A channel that takes fewer gets it in parts."""
MAX_KEY: Final = 255
"""Characters of an incident's key (PagerDuty, "Events API v2": dedup_key)."""
MAX_KEYS: Final = 50
"""Incidents that one notice ends."""
BEGINNING: Final = timedelta(minutes=15)
"""How long an alarm may take to its first state: more than its period and the delay of its metric."""

_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_ALARM_ARN: Final = re.compile(r"arn:aws:cloudwatch:([a-z0-9-]{1,30}):")


@dataclass(frozen=True, slots=True)
class Notice:
    """What people are told, and what their on-call service goes by."""

    title: str
    body: str
    severity: Severity
    """How urgent it is. The end of a failure has the failure's."""
    key: str = ""
    """The incident that it belongs to: a failure group, an alarm. Empty if it is none's."""
    is_over: bool = False
    ends: tuple[str, ...] = ()
    """The incidents that are over with it."""
    is_for_all: bool = False
    """Whether every channel hears of it, whatever it asked for: a test, and an end of which nobody knows how urgent
    its failure was."""
    is_news: bool = True
    """Whether anybody is to hear of it: not of an alarm that was just made, and finds that all is well."""


def notice(message: str, subject: str) -> Notice:
    """Read what the topic was given: a failure's alert, a CloudWatch alarm, else any text. Nothing is refused."""
    document = _document(message)
    if _is_int(document.get("backstop")) and _text(document, "title"):
        return _of_alert(document)
    if _text(document, "AlarmName") and _text(document, "NewStateValue"):
        return _of_alarm(document)
    return _made(redact(subject), redact(message[: 2 * MAX_BODY]), Severity.WARNING)


def _of_alert(document: Mapping[str, Any]) -> Notice:
    reason, severity = _text(document, "reason"), _severity(document, "severity")
    is_over = document.get("is_over") is True
    failures = _severity(document, "failure_severity") if is_over else severity
    title, stage = _text(document, "title"), _text(document, "stage")
    what = title if is_over else f"{(severity or Severity.ERROR).upper()}: {title}"
    groups = _groups(document)
    return _made(
        f"[{stage or 'unknown'}] {what}",
        _text(document, "text").removeprefix(title).strip("\n") or title,
        failures or (Severity.INFO if is_over else Severity.ERROR),
        key=_text(document, "group"),
        is_over=is_over,
        ends=groups if is_over else (),
        is_for_all=reason == "test" or failures is None,
    )


def _groups(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the groups that a document is about: its own, and a digest's."""
    listed = document.get("incidents")
    named = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    return tuple(_key(group) for group in [_text(document, "group"), *named] if group)[:MAX_KEYS]


def _of_alarm(document: Mapping[str, Any]) -> Notice:
    name, state = _text(document, "AlarmName"), _text(document, "NewStateValue")
    is_over = state == "OK"
    body = f"{_text(document, 'AlarmDescription')}\n\n" + "\n".join((*_facts(document), *_link(document, name)))
    return _made(
        f"{state}: {name}",
        body,
        Severity.WARNING if state == "INSUFFICIENT_DATA" else Severity.ERROR,
        key=name,
        is_over=is_over,
        ends=(_key(name),) if is_over else (),
        is_news=not (is_over and _has_begun(document)),
    )


def _has_begun(document: Mapping[str, Any]) -> bool:
    """Return whether this is the first state of an alarm that was made: a deployment makes all of a stack's at once."""
    if _text(document, "OldStateValue") != "INSUFFICIENT_DATA":
        return False
    made, changed = (_moment(document, name) for name in ("AlarmConfigurationUpdatedTimestamp", "StateChangeTime"))
    return made is None or changed is None or changed - made < BEGINNING


def _facts(document: Mapping[str, Any]) -> list[str]:
    trigger = document.get("Trigger")
    facts = {
        "why": _text(document, "NewStateReason"),
        "metric": _metric(trigger) if isinstance(trigger, Mapping) else "",
        "since": _text(document, "StateChangeTime"),
        "before": _text(document, "OldStateValue"),
        "region": _text(document, "Region"),
    }
    return [f"{name + ':':<8} {value}" for name, value in facts.items() if value]


def _metric(trigger: Mapping[str, Any]) -> str:
    """Say what an alarm measures; nothing of one that is made of several metrics."""
    dimensions = trigger.get("Dimensions")
    pairs = [one for one in dimensions if isinstance(one, Mapping)] if isinstance(dimensions, list) else []
    of = ", ".join(f"{_text(one, 'name')} {_text(one, 'value')}" for one in pairs)
    threshold = trigger.get("Threshold")
    parts = (
        _text(trigger, "Namespace"),
        _text(trigger, "MetricName"),
        f"of {of}" if of else "",
        f"(threshold {threshold})" if isinstance(threshold, int | float) else "",
    )
    return " ".join(filter(None, parts)) if _text(trigger, "MetricName") else ""


def _link(document: Mapping[str, Any], name: str) -> list[str]:
    found = _ALARM_ARN.match(_text(document, "AlarmArn"))
    if found is None:
        return []
    region = found[1]
    host = f"https://{region}.console.aws.amazon.com"
    return [f"see:     {host}/cloudwatch/home?region={region}#alarmsV2:alarm/{quote(name, safe='')}"]


def _made(
    title: str, body: str, severity: Severity, *, key: str = "", is_over: bool = False, ends: tuple[str, ...] = (),
    is_for_all: bool = False, is_news: bool = True,
) -> Notice:  # fmt: skip
    line = _cut(" ".join(_printable(title).split()), MAX_TITLE) or "A message without a subject"
    text = _cut(_printable(body).strip("\n"), MAX_BODY)
    return Notice(line, text if text.strip() else line, severity, _key(key), is_over, ends, is_for_all, is_news)


def _document(message: str) -> Mapping[str, Any]:
    """Return the JSON object that a message is; an empty one if it is none."""
    try:
        document = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, Mapping) else {}


def _severity(document: Mapping[str, Any], name: str) -> Severity | None:
    value = _text(document, name)
    return Severity(value) if value in set(Severity) else None


def _moment(document: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time with its offset to UTC; None if it is none."""
    try:
        moment = datetime.fromisoformat(_text(document, name))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _key(key: str) -> str:
    return _printable(key)[:MAX_KEY]


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
