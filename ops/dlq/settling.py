"""An edited letter whose copy was sent in; the original deleted once the copy is done, or why it stays, out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from backstop.errors import StoreUnavailable
from backstop.letter import Letter
from ops.dlq.revision import Revision
from ops.dlq.scanning import letters, of_stack, present
from ops.failed_events.history import Befell, Where, of_event
from ops.stack import Stack

POLL_SECONDS: Final = 2

Sleep = Callable[[float], object]

_ROWS: Final = 100
"""How much of an event's history may tell of one copy: attempts are far fewer."""


def find(stack: Stack, event_id: str) -> list[Letter]:
    """Return the dead letters of an event. Raises StoreUnavailable where SQS does not answer."""
    with of_stack(stack) as looks:
        return [letter for letter in chain.from_iterable(looks) if event_id in (letter.event_id, letter.body_id)]


def settle(stack: Stack, revision: Revision, seconds: int, sleep: Sleep) -> str:
    """Wait for the copy to be done, then delete the original; returns why that stays, or nothing."""
    try:
        why = _not_done(_awaited(stack, revision, seconds, sleep))
    except (ClientError, BotoCoreError) as error:
        why = f"what befell the copy could not be read: {error}"
    except KeyboardInterrupt:
        why = "it was not waited for to its end"
    return why or _delete_original(stack, revision)


def _awaited(stack: Stack, revision: Revision, seconds: int, sleep: Sleep) -> Befell | None:
    """Return what befell the copy last, as soon as that is its end, or when time is up."""
    left = seconds
    while True:
        rows = of_event(stack, revision.event_id, _ROWS)
        of_copy = (row for row in rows if row.redrive_id == revision.redrive_id and row.state != Where.REDRIVEN)
        found = next(of_copy, None)
        is_over = found is not None and found.state in (Where.RECOVERED, Where.DEAD)
        if is_over or left <= 0:
            return found
        sleep(min(POLL_SECONDS, left))
        left -= POLL_SECONDS


def _not_done(last: Befell | None) -> str:
    if last is None:
        return "nothing is known of the copy yet: it may be done, or still on its way"
    if last.state == Where.RECOVERED:
        return ""
    if last.state == Where.DEAD:
        return "the copy failed again and is a dead letter, too"
    return f"the copy failed again and is {last.state}"


def _delete_original(stack: Stack, revision: Revision) -> str:
    """Delete the original where it lay; one that is gone is settled. Returns why it may still be there, or nothing."""
    doubts: list[str] = []
    name = next((one for one in present(stack) if _name_of(stack, one) == revision.queue), None)
    if name is None:
        return f"{revision.queue} is no dead-letter queue of this stack"
    try:
        with letters(stack, name, doubts.append) as look:
            for letter in look:
                if letter.message_id == revision.message_id:
                    return "SQS did not delete it" if look.delete([letter]) else ""
    except StoreUnavailable as error:
        return str(error)
    return f"it was not seen: {doubts[0]}" if doubts else ""


def _name_of(stack: Stack, resource: str) -> str:
    return stack.queue_urls[resource].rpartition("/")[2]
