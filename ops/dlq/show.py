"""Dead letters in, the newest of those that are meant out: what each is, why it is dead, where it came from."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from backstop.alert import label
from backstop.letter import Letter
from backstop.selection import Selection
from ops.dlq.scanning import of_stack
from ops.failed_events.history import Befell, of_event
from ops.failure import told_in_a_sentence
from ops.stack import Stack
from ops.tables import rows, say, warn
from ops.terminal import span
from ops.times import iso


@dataclass(frozen=True, slots=True)
class Found:
    """The newest letters that are meant, how many there are in all, and how many were not seen."""

    letters: Sequence[Letter]
    total: int
    unseen: int
    is_cut: bool


def show(stack: Stack, selection: Selection, limit: int, *, reveals: bool, as_json: bool) -> int:
    """Print the newest letters that are meant; returns 0. Raises CallFailed where SQS does not answer."""
    found = look(stack, selection, limit)
    known = _known(stack, found.letters)
    now = datetime.now(UTC)
    told = [fields(letter, known.get(letter.message_id), now, reveals=reveals) for letter in found.letters]
    if as_json:
        print(json.dumps({"letters": told, "total": found.total, "unseen": found.unseen, "is_cut": found.is_cut}))
        return 0
    if not told:
        say("No dead letters." if selection.is_of_all else "No dead letters of that kind.")
        return 0
    Console(highlight=False).print(rows("", _table(told, found.letters, now)))
    if len(told) < found.total:
        say(f"The newest {len(told):,} of {found.total:,} letters; --limit shows more.")
    for one in told if reveals else ():
        say(f"{one['event'] or one['message']}: {one['body']}")
    return 0


def look(stack: Stack, selection: Selection, limit: int) -> Found:
    """Return the newest letters that are meant, up to a limit. All of them are seen again when it returns."""
    newest: list[tuple[datetime, int, Letter]] = []
    number = count()
    with told_in_a_sentence(), of_stack(stack) as looks:
        for letter in filter(selection.has, chain.from_iterable(looks)):
            place = (letter.died_at, next(number), letter)
            (heapq.heappush if len(newest) < limit else heapq.heappushpop)(newest, place)
    in_order = [letter for _, _, letter in sorted(newest, key=lambda one: (one[0], -one[1]), reverse=True)]
    return Found(in_order, next(number), sum(one.unseen for one in looks), any(one.is_cut for one in looks))


def fields(letter: Letter, known: Befell | None, now: datetime, *, reveals: bool) -> dict[str, Any]:
    """Return what a program is told of a letter; `known` is what the logs know of one that carries no reason."""
    trail, source = letter.trail, letter.trail if known is None else known
    told = {
        "event": letter.event_id,
        "message": letter.message_id,
        "reason": letter.reason,
        "kind": source.kind,
        "error_type": source.error_type,
        "group": label(source.group) if source.group else "",
        "attempts": source.attempt,
        "died_at": iso(letter.died_at),
        "age_seconds": int((now - letter.died_at).total_seconds()),
        "source_queue": letter.source_queue,
        "queue": letter.place,
        "key": letter.key,
        "release": source.release,
        "redrives": trail.redrives,
        "why": trail.reason if known is None else known.error,
    }
    return told | ({"body": letter.record["body"]} if reveals else {})


def _known(stack: Stack, letters: Iterable[Letter]) -> dict[str, Befell]:
    """Return what the logs know of letters that carry no reason; those of which they know nothing are left out."""
    moved = [letter for letter in letters if letter.is_moved_by_sqs]
    try:
        found = {letter.message_id: of_event(stack, letter.event_id, 1) for letter in moved}
    except (ClientError, BotoCoreError) as error:
        warn(f"what the logs know of letters that SQS moved could not be read: {error}")
        return {}
    return {name: history[0] for name, history in found.items() if history}


def _table(told: Sequence[Mapping[str, Any]], letters: Sequence[Letter], now: datetime) -> list[dict[str, str]]:
    """Return a line a letter; columns that would be empty are left out: a terminal is narrow."""
    lines = [
        {
            "event": one["event"] or "no event",
            "reason": one["reason"],
            "kind": one["kind"],
            "error type": one["error_type"],
            "group": one["group"],
            "attempts": str(one["attempts"]),
            "died": f"{span(now - letter.died_at)} ago",
            "from": one["source_queue"],
            "key": one["key"],
            "release": one["release"],
            "redrives": str(one["redrives"] or ""),
            "why": one["why"],
        }
        for one, letter in zip(told, letters, strict=True)
    ]
    shown = [name for name in lines[0] if any(line[name] for line in lines)]
    return [{name: line[name] for name in shown} for line in lines]
