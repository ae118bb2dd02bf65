"""What was sent in, a line an alert out, or each as people get it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from rich.console import Console
from rich.text import Text

from ops.alerts.sent import Sent, sent
from ops.stack import Stack
from ops.tables import say
from ops.terminal import harmless

_STYLES = {"critical": "bold red", "error": "red", "warning": "yellow", "info": "green"}


def show(stack: Stack, since: datetime, limit: int, *, is_full: bool, as_json: bool) -> int:
    """Print the alerts that were sent since then, the last ones of these; returns 0."""
    found = sent(stack, since)
    shown = found[-limit:]
    if as_json:
        print(json.dumps({"alerts": [one.fields() for one in shown], "total": len(found)}))
        return 0
    if not shown:
        say(f"No alert was sent since {since:%Y-%m-%d %H:%M} UTC.")
    for one in shown:
        tell(one, is_full=is_full)
    if len(shown) < len(found):
        say(f"The last {len(shown):,} of {len(found):,} alerts; --limit shows more.")
    return 0


def show_as_they_come(alerts: Iterable[Sent], *, is_full: bool, as_json: bool) -> int:
    """Print alerts as they come, with `as_json` a document a line; returns 0 once the person stops it."""
    try:
        for one in alerts:
            if as_json:
                print(json.dumps(one.fields()), flush=True)
            else:
                tell(one, is_full=is_full)
    except KeyboardInterrupt:
        pass
    return 0


def tell(one: Sent, *, is_full: bool) -> None:
    """Print an alert: its line, or the text that people get."""
    severity = str(one.alert.get("severity", ""))
    doubt = " (in doubt: no answer came from the topic)" if one.is_doubtful else ""
    line = f"{one.at:%Y-%m-%d %H:%M:%S}Z  {severity:<8}  {_groups(one):<17}  {one.alert.get('title', '')}{doubt}"
    say(line, _STYLES.get(severity, ""))
    if is_full:
        text = "\n".join(map(harmless, str(one.alert.get("text", "")).split("\n")))
        Console(highlight=False, soft_wrap=True).print(Text(text))


def _groups(one: Sent) -> str:
    """Name the group that an alert is about, or say how many they are."""
    if "groups_in_all" in one.alert:
        return f"{one.alert['groups_in_all']} groups"
    return str(one.alert.get("group", "-"))
