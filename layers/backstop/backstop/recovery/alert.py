"""What people are to be told of recovery in, what the topic is given out."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from backstop.occurrence import Severity
from backstop.publication import VERSION, Publication, moment, published
from backstop.recovery.state import Tell
from backstop.redact import redact

REASON: Final = "recovery"
"""Why people are told, as the document says it: recovery knows by it what it told itself."""
MAX_KEY: Final = 255
"""Characters of an incident's key (PagerDuty, "Events API v2": dedup_key)."""

_COMMAND: Final = "  backstop "


def recovery_alert(tell: Tell, stack: str, stage: str, now: datetime) -> Publication:
    """Write down what people are told of recovery. `stack` is the stack's name, which commands need."""
    title = redact(tell.title)
    lines = [_addressed(line, stack) for line in redact(tell.text).strip("\n").split("\n")]
    text = "\n".join([title, "", *lines]) + "\n"
    document = {
        "backstop": VERSION,
        "reason": REASON,
        "severity": Severity.INFO if tell.is_over else Severity.ERROR,
        "stack": stack,
        "stage": stage,
        "at": moment(now),
        "title": title,
        "text": text,
        "group": f"{stack} {tell.key}"[:MAX_KEY],
        "is_over": tell.is_over,
        "failure_severity": Severity.ERROR,
        "next": [line.strip() for line in lines if line.startswith(_COMMAND)],
    }
    return published(title, text, document, stage)


def _addressed(line: str, stack: str) -> str:
    """Return a line; a command with the stack that it is for."""
    return f"{line} --stack {stack}" if line.startswith(_COMMAND) else line
