"""Which dead letters are meant in; they are counted, asked about where a person sits there, and deleted for good.

Two looks: the first counts and lets all of them be seen again, as a question may stand for long. The second deletes
what the first has counted, and nothing else: what died or came back since was not agreed to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from rich.console import Console

from backstop.alert import label
from backstop.aws.sqs import MAX_ENTRIES
from backstop.errors import StoreUnavailable
from backstop.letter import Letter
from backstop.selection import Selection
from ops import audit
from ops.agreeing import agrees
from ops.dlq.scanning import Look, letters, present
from ops.failure import told_in_a_sentence
from ops.stack import Stack
from ops.tables import rows, say, warn

SUBJECT: Final = "dead letters"
"""What the audit calls them."""


class Meant(NamedTuple):
    """A letter that is meant: where it lies, what SQS calls it there, and why it is dead."""

    queue: str
    message_id: str
    group: str
    reason: str


@dataclass(frozen=True, slots=True)
class Counted:
    """The letters that are meant, and whether there may be more than were seen."""

    letters: Sequence[Meant]
    may_be_more: bool

    @property
    def total(self) -> int:
        """How many letters are meant."""
        return len(self.letters)


def discard(stack: Stack, selection: Selection, words: str, *, is_agreed: bool) -> int:
    """Delete the letters that are meant; returns 0 where that is done, or would be, and 1 where some may be left.

    Without `is_agreed` a person is asked; where there is none, it is only said what would be done. `words` is the
    command as it was typed. Raises CallFailed where SQS does not answer before anything is begun, and what botocore
    raises where it cannot be written down.
    """
    with told_in_a_sentence():
        counted = count_meant(stack, selection)
    if not counted.total:
        say("No dead letters are meant: nothing was changed.")
        return int(counted.may_be_more)
    _tell(counted)
    agreed = agrees(counted.total, "delete them for good", is_agreed=is_agreed)
    if not agreed:
        return 0 if agreed is None else 1
    gone = _carry_out(stack, counted, words)
    return int(gone < counted.total or counted.may_be_more)


def count_meant(stack: Stack, selection: Selection) -> Counted:
    """Count the letters that are meant; all of them are seen again when it returns. Raises StoreUnavailable."""
    meant, may_be_more = list[Meant](), False
    for name in present(stack):
        with letters(stack, name) as look:
            meant += [
                Meant(name, letter.message_id, letter.trail.group, letter.reason)
                for letter in filter(selection.has, look)
            ]
        may_be_more |= look.is_cut or look.unseen > 0
    return Counted(meant, may_be_more)


def _carry_out(stack: Stack, counted: Counted, words: str) -> int:
    """Write down what is begun, delete, write down what came of it; returns how many letters are gone."""
    entry = audit.record(stack, words, SUBJECT, counted.total)
    gone, why = _delete(stack, counted)
    failure = "" if gone == counted.total else f"{gone:,} of {counted.total:,} deleted: {why or _NOT_THERE}"
    unwritten = audit.conclude(stack, entry, failure)
    say(f"Deleted: {gone:,} of {counted.total:,} letters.")
    if failure:
        warn(f"not deleted: {counted.total - gone:,}: {why or _NOT_THERE}. The same call goes on from there")
    if unwritten:
        warn(f"what came of it could not be written down: {unwritten}")
    return gone


_NOT_THERE: Final = "SQS did not delete them, they are in somebody's hands just now, or gone already"


def _delete(stack: Stack, counted: Counted) -> tuple[int, str]:
    """Delete letters that were counted; returns how many are gone, and why it stopped, if it did."""
    gone = 0
    try:
        for name in present(stack):
            meant = {one.message_id for one in counted.letters if one.queue == name}
            for some_gone in _delete_of(stack, name, meant) if meant else ():
                gone += some_gone
    except StoreUnavailable as error:
        return gone, str(error)
    return gone, ""


def _delete_of(stack: Stack, name: str, meant: set[str]) -> Iterator[int]:
    """Delete letters of a queue by their ids; yields, a call, how many are gone."""
    with letters(stack, name, says=lambda _: None) as look:
        found = _only(look, meant)
        while some := list(islice(found, MAX_ENTRIES)):
            yield len(some) - len(look.delete(some))


def _only(look: Look, meant: Iterable[str]) -> Iterator[Letter]:
    """Yield the letters with these ids, and look no further once all were met."""
    left = set(meant)
    for letter in look:
        if letter.message_id in left:
            left.remove(letter.message_id)
            yield letter
        if not left:
            return


def _tell(counted: Counted) -> None:
    alike = Counter((one.group, one.reason) for one in counted.letters)
    lines = [
        {"group": label(group) if group else "-", "reason": reason, "letters": f"{number:,}"}
        for (group, reason), number in alike.most_common()
    ]
    Console(highlight=False).print(rows("", lines))
    say(f"Deleted for good: {counted.total:,} letters.")
