"""Things of a size in, as few batches as their limits allow out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar


class Sized(Protocol):
    """What knows how many bytes of a call it takes."""

    @property
    def size(self) -> int: ...  # noqa: D102


S = TypeVar("S", bound=Sized)


def pack(things: Iterable[S], max_entries: int, max_bytes: int) -> Iterator[list[S]]:
    """Split things, in their order, into batches of at most `max_entries` and `max_bytes`.

    What is over `max_bytes` alone makes a batch of its own.
    """
    batch: list[S] = []
    size = 0
    for thing in things:
        if batch and (len(batch) == max_entries or size + thing.size > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(thing)
        size += thing.size
    if batch:
        yield batch
