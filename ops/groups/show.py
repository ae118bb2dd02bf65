"""A group in, all that is known of it out: what fails, its windows, who decided what, its newest failed events."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from rich.console import Console

from backstop.alert import label
from backstop.budget import Window
from backstop.groups import Group, State
from ops import audit
from ops.failed_events.history import Befell, of_group
from ops.failed_events.listing import lines
from ops.groups import counts
from ops.groups.counts import Counts
from ops.groups.deciding import subject_of
from ops.groups.found import Known, find, what
from ops.groups.listing import becomes, fields, releases, state_of, tell_uncounted
from ops.stack import Stack
from ops.tables import facts, rows, say
from ops.terminal import span
from ops.times import iso


class Shown(NamedTuple):
    """All that is shown of a group."""

    known: Known
    events: Sequence[Befell]
    done: Sequence[audit.Entry]
    counts: Counts | None


def show(stack: Stack, name: str, events: int, *, as_json: bool) -> int:
    """Print what is known of a group, with so many of its events; returns 0. Raises NotFound."""
    now = datetime.now(UTC)
    known = find(stack, name)
    group = known.group.group
    newest = list(islice(of_group(stack, group), events)) if events else []
    counted, why_not = counts.count(stack, [group], now)
    shown = Shown(known, newest, audit.history(stack, subject_of(group)), counted.get(group))
    if as_json:
        print(json.dumps(_told(shown, now) | {"uncounted": why_not}))
        return 0
    _print(shown, stack, now)
    tell_uncounted(why_not)
    return 0


def _told(shown: Shown, now: datetime) -> dict[str, Any]:
    known, group = shown.known, shown.known.group
    decided = {
        name: None if moment is None else iso(moment)
        for name, moment in (
            ("acked_at", group.acked_at),
            ("silenced_until", group.silenced_until),
            ("resolved_at", group.resolved_at),
        )
    }
    whos = {name: known.whos.get(name, "") for name in ("acked_by", "silenced_by", "resolved_by", "noted_by")}
    about: dict[str, Any] = fields(group, now) | {"error": group.error, "event_id": group.event_id}
    return {
        **about,
        **decided,
        **whos,
        **counts.fields(shown.counts),
        "window": None if known.window is None else _window(known.window),
        "windows_before": [{"opened": iso(opened), "count": count} for opened, count in known.before],
        "events": [event.fields() for event in shown.events],
        "done": _done(shown.done),
    }


def _window(window: Window) -> dict[str, Any]:
    return {
        "opened": iso(window.opened),
        "count": window.count,
        "alerts": window.slots.sent,
        "in_doubt": len(window.slots.pending),
        "is_over": window.slots.over_at == window.count,
    }


def _done(entries: Iterable[audit.Entry]) -> list[dict[str, Any]]:
    return [
        {"at": entry.moment, "who": entry.who, "command": entry.command, "result": entry.result} for entry in entries
    ]


def _print(shown: Shown, stack: Stack, now: datetime) -> None:
    console = Console(highlight=False)
    known, group = shown.known, shown.known.group
    console.print(facts(_about(known, now) | _counted(shown.counts) | _decided(known)))
    if group.error:
        say(f"One of them says (values replaced): {group.error}")
    if known.before:
        before = [{"opened": iso(opened), "times": f"{count:,}"} for opened, count in known.before]
        console.print(rows("Windows before", before))
    if shown.events:
        console.print(rows("Newest failed events", lines(shown.events, group.group, now)))
    if shown.done:
        console.print(rows("What operators did", _done(shown.done)))
    say("Next:")
    for line in _next(group, stack, now):
        say(f"  {line}")


def _about(known: Known, now: datetime) -> dict[str, Any]:
    group = known.group
    return {
        "group": label(group.group),
        "state": state_of(group, now),
        "severity": group.severity,
        "what": what(group),
        "kind": group.kind,
        "function": group.function,
        "queue": group.queue,
        "stage": group.stage,
        "becomes": becomes(group),
        "times": f"{group.occurrences:,}",
        "first seen": f"{iso(group.first_seen)} ({span(now - group.first_seen)} ago)",
        "last seen": f"{iso(group.last_seen)} ({span(now - group.last_seen)} ago)",
        "release": releases(group),
        "window": "" if known.window is None else _window_in_words(known.window, now),
        "event": group.event_id,
    }


def _counted(counted: Counts | None) -> dict[str, str]:
    if counted is None:
        return {"now": "?", "last hour": "?"}
    return {"now": ", ".join(counted.in_words()), "last hour": counted.sparkline()}


def _window_in_words(window: Window, now: datetime) -> str:
    slots = window.slots
    doubt = f", {len(slots.pending)} of them in doubt" if slots.pending else ""
    over = "; told that it is over" if slots.over_at == window.count else ""
    began = span(now - window.opened)
    return f"{window.count:,} times since {began} ago; alerts sent: {slots.sent}{doubt}{over}"


def _decided(known: Known) -> dict[str, Any]:
    group = known.group
    decided = {
        "acked": (group.acked_at, "acked_by"),
        "silenced until": (group.silenced_until, "silenced_by"),
        "resolved": (group.resolved_at, "resolved_by"),
    }
    told = {
        name: f"{iso(moment)} by {known.whos.get(who, 'unknown')}"
        for name, (moment, who) in decided.items()
        if moment is not None
    }
    note = f"{group.note} ({known.whos.get('noted_by', 'unknown')})" if group.note else ""
    return told | {"note": note}


def _next(group: Group, stack: Stack, now: datetime) -> list[str]:
    """Return what a person may type next."""
    name = label(group.group)
    decisions = ["ack", "silence", "resolve"] if group.state(now) is State.OPEN else ["reopen"]
    if group.state(now) is State.ACKED:
        decisions = ["resolve", "reopen"]
    words = [["groups", one, name, *(["--for", "2h"] if one == "silence" else [])] for one in decisions]
    words = [["groups", "why", name], ["events", "list", "--group", name, "--state", "dead"], *words]
    where = ["--stack", stack.name, *(["--local"] if stack.endpoint_url else [])]
    return [shlex.join(["backstop", *some, *where]) for some in words]
