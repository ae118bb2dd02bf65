"""Dead letters that near the end of their retention in, put where they do not end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from backstop.letter import Letter
from backstop.mover import taken
from backstop.moving import Place


def rescue(
    place: Place, keep: Callable[[Letter], None], died_before: datetime, remaining: Callable[[], timedelta]
) -> int:
    """Keep the letters of a place that have lain there since before a time, and delete those; return how many.

    All others are seen again at once. Whatever ends it, a letter is deleted only once it is kept. Raises
    StoreUnavailable.
    """
    held: dict[str, Letter] = {}
    rescued = 0
    try:
        for letters in taken(place, remaining):
            held |= {letter.message_id: letter for letter in letters}
            old = [letter for letter in letters if letter.sent_at <= died_before]
            for letter in old:
                keep(letter)
            left = {letter.message_id for letter in place.delete(old)}
            gone = [letter for letter in old if letter.message_id not in left]
            for letter in gone:
                del held[letter.message_id]
            rescued += len(gone)
    finally:
        place.release([*held.values()])
    return rescued
