"""A dead-letter queue in, its letters out, each once; when whoever looks is done, all of them lie as they did.

    with letters(stack, "DeadLetterQueue") as look:
        for letter in look:  # who has enough breaks: no more is taken
            ...

SQS has no way to look at a message without taking it. So each is hidden while somebody looks, for `HIDDEN_SECONDS` and
no longer, and is released at the end, however that comes: a worker that died gives them back within that time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from backstop.aws.letters import LetterQueue
from backstop.errors import StoreUnavailable
from backstop.letter import ORDERED, Letter, bare
from ops.failure import sentence
from ops.stack import QueueCounts, Stack, queue_counts
from ops.tables import warn

QUEUES: Final = ("DeadLetterQueue", "OrderedDeadLetterQueue")
HIDDEN_SECONDS: Final = 120
LONGEST: Final = timedelta(seconds=HIDDEN_SECONDS * 3 // 4)
"""How long letters are taken: what is done to the first of them must be done before they are seen again."""
_EMPTY: Final = 2
"""How often in a row SQS says that there is nothing before that is believed."""

Says = Callable[[str], object]


class Look:
    """A look through one queue; `letters` makes one. Going through it raises StoreUnavailable.

    `is_cut` says that it ended before the queue did; `unseen` is how many letters it did not come to, as far as SQS
    knows: its counts are approximate. Both are known once it has come to its end.
    """

    def __init__(self, queue: LetterQueue, waiting: int) -> None:
        self.name = queue.name
        self.is_cut = False
        self.unseen = 0
        self._queue = queue
        self._waiting = waiting
        self._held: dict[str, Letter] = {}
        self._seen = 0

    def __iter__(self) -> Iterator[Letter]:
        """Take letters, a call's worth at a time, until there are none, one comes again, or time is up."""
        until, empty = datetime.now(UTC) + LONGEST, 0
        while empty < _EMPTY and not self.is_cut:
            taken = self._queue.take(HIDDEN_SECONDS)
            empty = 0 if taken else empty + 1
            new = self._hold(taken)
            yield from new
            self.is_cut = len(new) < len(taken) or datetime.now(UTC) > until
        self.unseen = max(self._waiting - self._seen, 0)

    def delete(self, some: Sequence[Letter]) -> list[Letter]:
        """Delete letters that it has shown; returns those of which it is not known that they are gone."""
        left = self._queue.delete(some)
        for gone in {one.message_id for one in some} - {one.message_id for one in left}:
            self._held.pop(gone, None)
        return left

    def release(self) -> None:
        """Let all that it has taken be seen again at once, as far as that works: else within `HIDDEN_SECONDS`."""
        held, self._held = list(self._held.values()), {}
        self._queue.release(held)

    def _hold(self, taken: Sequence[Letter]) -> list[Letter]:
        """Keep what it takes to release letters; returns those that had not come before."""
        new = [one for one in taken if one.message_id not in self._held]
        self._seen += len(new)
        self._held |= {one.message_id: bare(one) for one in taken}
        return new


@contextmanager
def letters(stack: Stack, name: str, says: Says = warn) -> Iterator[Look]:
    """Look through a dead-letter queue, by its resource's name; `says` is told what may be missing.

    Raises CallFailed where the stack has no such queue, and StoreUnavailable where SQS does not answer.
    """
    url = stack.output(f"{name}Url")
    counts = _counts(stack, url)
    if counts.in_flight:
        says(f"{name}: letters in somebody's hands just now, which may be missing here: {counts.in_flight:,}")
    look = Look(LetterQueue(stack.sqs, url, stack.queue_names, lambda: datetime.now(UTC)), counts.waiting)
    try:
        yield look
    finally:
        look.release()
    if look.is_cut:
        says(f"{name}: not looked through to its end: that took too long, or somebody else looks through it, too")
    elif look.unseen:
        why = "an ordered queue shows ten of a key, no more" if look.name.endswith(ORDERED) else "SQS counts roughly"
        says(f"{name}: letters that were not seen, about {look.unseen:,}: {why}")


@contextmanager
def of_stack(stack: Stack, says: Says = warn) -> Iterator[list[Look]]:
    """Look through all dead-letter queues of a stack, one after the other: chain what this yields."""
    with ExitStack() as looks:
        yield [looks.enter_context(letters(stack, name, says)) for name in present(stack)]


def present(stack: Stack) -> list[str]:
    """Return which of the dead-letter queues a stack has. Raises CallFailed where it has none."""
    stack.output(f"{QUEUES[0]}Url")
    return [name for name in QUEUES if name in stack.queue_urls]


def _counts(stack: Stack, url: str) -> QueueCounts:
    try:
        return queue_counts(stack, url)
    except (ClientError, BotoCoreError) as error:
        raise StoreUnavailable(sentence(error)) from error
