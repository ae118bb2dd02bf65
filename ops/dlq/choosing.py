"""What an operator types to choose dead letters in, a selection out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

import typer

from backstop.kinds import Kind
from backstop.letter import MOVED_BY_SQS
from backstop.selection import Selection
from ops.failure import CallFailed
from ops.groups.found import find
from ops.stack import Stack

_WHOLE: Final = re.compile(r"g?([0-9a-f]{16})", re.ASCII)


class Why(StrEnum):
    """Why a letter is dead, as it is typed."""

    PERMANENT = "permanent"
    EXHAUSTED = "exhausted"
    CRASHED = "crashed"
    SKIPPED = "skipped"
    MOVED = "moved"
    """SQS itself moved it: it carries no reason."""


OfGroup = Annotated[
    str | None, typer.Option("--group", help="Only letters of this group, g… or its first digits.", show_default=False)
]
OfKind = Annotated[
    Kind | None, typer.Option("--kind", help="Only letters that failed in this way.", show_default=False)
]
OfReason = Annotated[
    Why | None, typer.Option("--reason", help="Only what is dead for this; moved: by SQS itself.", show_default=False)
]
OfEvent = Annotated[
    list[str] | None, typer.Option("--event", help="Only letters of this event; may be repeated.", show_default=False)
]
OfQueue = Annotated[
    str | None, typer.Option("--queue", help="Only what came from this queue: EventsQueue, say.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was typed: nothing of it is looked up yet."""

    group: str | None = None
    kind: Kind | None = None
    reason: Why | None = None
    events: Sequence[str] | None = None
    queue: str | None = None

    @property
    def words(self) -> str:
        """Return it as it would be typed; empty where nothing is chosen."""
        given = {"group": self.group, "kind": self.kind, "reason": self.reason, "queue": self.queue}
        words = [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]
        return shlex.join([*words, *(word for event in self.events or () for word in ("--event", event))])

    def selection(self, stack: Stack) -> Selection:
        """Look up what is named. Raises NotFound for a group that is not there, and CallFailed for no name.

        An empty word is none: as a criterion it would hold of any letter, and a script's variable may be empty.
        """
        if "" in (self.group, self.queue, *(self.events or ())):
            raise CallFailed("--group, --queue and --event take a name: an empty one would choose any letter")
        return Selection(
            group="" if self.group is None else group_of(stack, self.group),
            kind=self.kind or "",
            reason=MOVED_BY_SQS if self.reason is Why.MOVED else (self.reason or ""),
            queue="" if self.queue is None else queue_of(stack, self.queue),
            event_ids=tuple(self.events or ()),
        )


def group_of(stack: Stack, name: str) -> str:
    """Return the group that a name, or the beginning of one, is of.

    A whole one need not be known: a group is forgotten in time, and its letters may lie longer. Raises NotFound and
    CallFailed.
    """
    whole = _WHOLE.fullmatch(name.strip().lower())
    return find(stack, name).group.group if whole is None else whole[1]


def queue_of(stack: Stack, name: str) -> str:
    """Return a queue's own name, where its resource is named; else the name as it is: letters come from anywhere."""
    url = stack.queue_urls.get(name)
    return name if url is None else url.rpartition("/")[2]
