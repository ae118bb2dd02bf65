"""Which dead letters are meant in; how many of which group would go where, and how long it would take, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, chain
from typing import Any, Final

from backstop.alert import label
from backstop.aws.rescued import Rescued
from backstop.letter import Letter
from backstop.redrive import STEPS, capacity
from backstop.selection import Selection
from ops.dlq.scanning import of_stack
from ops.failure import told_in_a_sentence
from ops.stack import Stack

A_STEP: Final = timedelta(seconds=60)
"""How long a step of the canary is looked after at most (template.yaml, CANARY_WATCH_SECONDS)."""
DEFAULT_QUEUE: Final = "EventsQueue"
"""Where a letter goes of which is not known where it came from."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a redrive would move. `counts` are letters by group, reason and destination."""

    counts: Counter[tuple[str, str, str]]
    may_be_more: bool

    @property
    def total(self) -> int:
        """How many letters are meant."""
        return self.counts.total()

    def lines(self) -> list[dict[str, Any]]:
        """Return what is shown: a line a group, reason and destination, those with most letters first."""
        return [
            {"group": label(group) if group else "", "reason": reason, "to": to, "letters": count}
            for (group, reason, to), count in self.counts.most_common()
        ]


def look(stack: Stack, selection: Selection, *, is_rescued: bool) -> Found:
    """Look through the dead letters, or through the rescued ones; all are untouched. Raises CallFailed."""
    counts: Counter[tuple[str, str, str]] = Counter()
    with told_in_a_sentence(), _letters(stack, is_rescued=is_rescued) as (found, looks):
        for letter in filter(selection.has, found):
            counts[letter.trail.group, letter.reason, _destination(stack, letter)] += 1
    return Found(counts, any(one.is_cut or one.unseen > 0 for one in looks))


@contextmanager
def _letters(stack: Stack, *, is_rescued: bool) -> Iterator[tuple[Iterator[Letter], Sequence[Any]]]:
    if is_rescued:
        yield _rescued(stack), ()
        return
    with of_stack(stack) as looks:
        yield chain.from_iterable(looks), looks


def _rescued(stack: Stack) -> Iterator[Letter]:
    bucket = Rescued(stack.s3, stack.output("DataBucketName"), stack.queue_names, lambda: datetime.now(UTC))
    while some := bucket.take(0, 100):
        yield from some


def _destination(stack: Stack, letter: Letter) -> str:
    """Return the resource's name of the queue that a letter goes back to, as the mover chooses it."""
    names = {url.rpartition("/")[2]: name for name, url in stack.queue_urls.items()}
    name = names.get(letter.source_queue, "")
    return name if name in {"EventsQueue", "OrderedQueue"} else DEFAULT_QUEUE


def estimate(total: int, rate: float, *, is_canary: bool) -> timedelta:
    """Return how long a redrive takes at most, if nothing holds it up."""
    before = accumulate(sum(map(capacity, step)) for step in STEPS[:-1])
    steps = sum(total > count for count in (0, *before)) if is_canary else 0
    return timedelta(seconds=total / rate) + steps * A_STEP
