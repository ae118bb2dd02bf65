"""Where an event stands among those of its key; and whether one that is to be put back there has been before."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from backstop.parking import CannotPark, Parked, Placed

DIGITS: Final = 40
"""SQS's numbers have 128 bits: fewer digits than this. What has more, and begins with so many zeros, is before all."""

_MOST_REDRIVES: Final = 1000
"""A history counts no further: what was put back so often cannot be told from what was before."""


def in_order(sequence: str) -> str:
    """Return the number of an event as text that sorts as the events of a key were sent."""
    return sequence.zfill(DIGITS)


def was_put_back(redrives: int, latest: int) -> bool:
    """Return whether an event that is put back for the so-manieth time was so before; `latest` tells for which last."""
    return 0 < redrives <= latest and redrives < _MOST_REDRIVES


def found_in_place(there: Parked, event: Parked, now: datetime) -> Placed:
    """Return what becomes of an event that is put back where its place is taken.

    Where it was not put back as often before, its dead letter is newer than what is there: whoever sent the letter has
    yet to put the event aside, or died. Raises CannotPark where it is another event, not to be taken for this one.
    """
    if there.event_id and event.event_id and there.event_id != event.event_id:
        raise CannotPark(f"another event of its key, {there.event_id}, has its place")
    return Placed.PARKED if was_put_back(event.redrives(now), there.redrives(now)) else Placed.NOT_ASIDE
