"""A redrive's job in, its letters moved out of where they lie; all others untouched, and seen again at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from math import ceil
from typing import Final, NamedTuple

from backstop.errors import StoreUnavailable
from backstop.letter import ORDERED, Letter, bare
from backstop.moving import Left, Moving, Place, move_batch
from backstop.putting_back import turn_of
from backstop.redrive import Batch, Job, Progress, capacity

RESERVE: Final = timedelta(seconds=10)
"""What is kept of a turn for ending it: calls that are under way, and letters that are given back."""
EMPTY_TAKES: Final = 2
"""How often in a row nothing is to be had until a place is taken for looked through."""
LOOK: Final = timedelta(seconds=2)
"""How often the lease is renewed, and seen whether the job was cancelled."""
A_THREAD: Final = 100
"""Letters a second that one thread moves at least: ten take a tenth of a second, at six calls."""
MOST_THREADS: Final = 8
ROUND: Final = timedelta(seconds=30)
ROUND_LETTERS: Final = 100
"""After both, a canary is looked after before it goes on."""


IN_HANDS: Final = "letters may be in somebody's hands: they are waited for"


class Moved(NamedTuple):
    """What moving came to.

    `is_through` says that the place holds nothing more that can be moved, `why` what it was given up for until later,
    `staying` how many letters cannot be moved at all, `moved` how many letters were.
    """

    is_through: bool
    why: str = ""
    staying: int = 0
    moved: int = 0


def move(job: Job, batches: Sequence[Batch], numbers: Sequence[int], moving: Moving) -> Moved:
    """Move a job's letters out of its present place, in batches of these numbers; without numbers, all of them.

    Raises StoreUnavailable where letters could not be taken, or a batch not be written down: called again, it goes on.
    """
    return _Mover(job, batches, moving).move(numbers)


def look_through(place: Place, remaining: Callable[[], timedelta]) -> list[Letter]:
    """Return the letters of a place, as far as there is time: untouched, and seen again at once."""
    found: list[Letter] = []
    try:
        for letters in taken(place, remaining):
            found += map(bare, letters)
    finally:
        place.release(found)
    return found


def taken(place: Place, remaining: Callable[[], timedelta]) -> Iterator[Sequence[Letter]]:
    """Take the letters of a place, as many as a call gives, as long as there are some and there is time."""
    while remaining() > RESERVE:
        letters = _take(place, remaining) or _take(place, remaining)  # what has none to hand out is asked twice
        if not letters:
            return
        yield letters


def _take(place: Place, remaining: Callable[[], timedelta]) -> Sequence[Letter]:
    """Take letters that nobody else sees until the time is over, and what is kept of it."""
    return place.take(ceil((remaining() + RESERVE).total_seconds()))


@dataclass(slots=True)
class _Mover:
    """Moves letters once through a place."""

    job: Job
    batches: Sequence[Batch]
    moving: Moving
    _held: list[Letter] = field(default_factory=list)
    """Taken, and not meant, or not now."""
    _waiting: list[Letter] = field(default_factory=list)
    """Taken, and about to be moved."""
    _ordered: list[Letter] = field(default_factory=list)
    """Taken, and moved in their order once all of them are found."""
    _seen: set[str] = field(default_factory=set)
    _empty: int = 0
    _is_through: bool = False
    _is_stopped: bool = False
    _moved: int = 0
    _is_undeleted: bool = False
    _why: str = ""
    _staying: int = 0
    _place: Place = field(init=False)
    _sent: frozenset[str] = field(init=False)
    _doubtful: frozenset[str] = field(init=False)
    _began: datetime = field(init=False)
    _due: datetime = field(init=False)
    _asked: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._place = self.moving.places[self.job.places[self.job.places_done]]
        # of all batches: SQS may hand out once more what was deleted
        self._sent = frozenset(one.message_id for batch in self.batches for one in batch.letters)
        self._doubtful = frozenset(one.message_id for batch in self.batches for one in batch.doubtful)
        self._began = self._due = self._asked = self.moving.now()

    def move(self, numbers: Sequence[int]) -> Moved:
        try:
            if numbers:
                self._move_step(numbers)
            else:
                self._move_all()
        finally:
            self._place.release([*self._held, *self._waiting, *self._ordered])
        hides_more = self._moved > 0 and self._place.name.endswith(ORDERED)
        is_all = self._is_through and not (self._why or self._is_undeleted or hides_more)
        if is_all and self._are_others_hidden():
            return Moved(False, IN_HANDS, self._staying, self._moved)
        return Moved(is_all, self._why, self._staying, self._moved)

    def _are_others_hidden(self) -> bool:
        """Whether letters may be in the hands of another one, be it a mover that died."""
        until = self.job.hidden_until
        return (until is not None and self.moving.now() < until) or self._place.hidden() > 0

    def _move_all(self) -> None:
        """Move batches, as many at once as the rate calls for."""
        threads = min(ceil(self.job.rate / A_THREAD), MOST_THREADS)
        under_way: list[tuple[Future[Left], list[Letter]]] = []
        with ThreadPoolExecutor(threads) as pool:
            for number in count(Progress(self.batches).next_number):
                letters = self._next(number)
                if not letters:
                    break
                moved = pool.submit(move_batch, self.job, number, letters, self._place, self.moving)
                under_way.append((moved, letters))
                while len(under_way) > threads or (under_way and letters[-1].is_ordered):  # one after the other
                    self._await(*under_way.pop(0))
            for one in under_way:
                self._await(*one)

    def _await(self, moved: Future[Left], letters: Sequence[Letter]) -> None:
        try:
            self._end(moved.result())
        except StoreUnavailable:
            self._held += letters  # whatever was written down of them tells what becomes of each
            raise

    def _move_step(self, numbers: Sequence[int]) -> None:
        """Move a step's batches one by one; letters that have to stay do not use a batch up."""
        left_over = list(numbers)
        while left_over and (letters := self._next(left_over[0])):
            left = move_batch(self.job, left_over[0], letters, self._place, self.moving)
            self._end(left)
            if not left.is_unused:
                left_over.pop(0)

    def _next(self, number: int) -> list[Letter]:
        """Return the letters of the batch of that number, when it is time for them; none where there are none now."""
        letters = self._gather(capacity(number))
        if letters and self._keeps_pace(len(letters)) and self._may_go_on():
            return letters
        self._waiting += letters
        return []

    def _end(self, left: Left) -> None:
        self._moved += left.moved
        self._is_undeleted |= left.is_undeleted
        self._held += left.letters
        stuck = {letter.key for letter in left.letters if letter.is_ordered}
        behind = [letter for letter in self._waiting if letter.is_ordered and letter.key in stuck]
        self._waiting = [letter for letter in self._waiting if letter not in behind]
        self._held += behind
        self._staying += left.staying
        self._why = left.why or self._why
        self._is_stopped |= bool(left.why) and not left.moved  # a queue that takes nothing, not some letters

    def _gather(self, most: int) -> list[Letter]:
        """Take letters until there is a batch of those that are meant, the place is through, or time is."""
        while len(self._waiting) < most and not self._is_through:
            if not self._may_go_on():
                return []
            self._take()
        letters, self._waiting = self._waiting[:most], self._waiting[most:]
        return letters

    def _take(self) -> None:
        letters = _take(self._place, self.moving.remaining)
        self._empty = 0 if letters else self._empty + 1
        self._is_stopped |= any(letter.message_id in self._seen for letter in letters)  # hidden for too short a time
        self._seen |= {letter.message_id for letter in letters}
        self._sort(letters)
        if self._empty >= EMPTY_TAKES:
            self._is_through = True
            self._waiting += sorted(self._ordered, key=turn_of)
            self._ordered = []

    def _sort(self, letters: Sequence[Letter]) -> None:
        """Tell letters apart: those that were sent before and are only left, those that are meant, and all others."""
        left = [letter for letter in letters if letter.message_id in self._sent]
        if left:
            undeleted = self._place.delete(left)
            self._held += undeleted
            self._is_undeleted |= bool(undeleted)
        for letter in letters:
            if letter.message_id in self._sent:
                self.moving.tell(letter, self.job.id)
            elif letter.message_id in self._doubtful or not self.job.selection.has(letter):
                self._held.append(bare(letter))
            else:
                (self._ordered if letter.is_ordered else self._waiting).append(letter)

    def _may_go_on(self) -> bool:
        """Whether there is time for another call, and nobody has ended the job."""
        now = self.moving.now()
        if now >= self._asked + LOOK:
            self._asked = now
            self._is_stopped |= not self.moving.jobs.lease(self.job.id, self.moving.mover, now)
        if self.job.is_canary and self._moved >= ROUND_LETTERS and now >= self._began + ROUND:
            self._is_stopped = True
        return not self._is_stopped and self.moving.remaining() > RESERVE

    def _keeps_pace(self, letters: int) -> bool:
        """Wait until letters may go, at the job's rate; False where there is no time for that."""
        now = self.moving.now()
        wait = max(self._due - now, timedelta(0))
        if wait > self.moving.remaining() - RESERVE:
            return False
        self._due = max(self._due, now) + timedelta(seconds=letters / self.job.rate)
        if wait:
            self.moving.pause(wait.total_seconds())
        return True
