"""A stream's record in, how often it went round out; and the mark that says so, in front of its data."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Final, NamedTuple

MAX_ROUNDS: Final = 32
"""How often a record is put back on its stream. What went round most is transformed first, and each batch gets some
records out of the way, so that one round is the rule: what reaches this is on a stream whose answers carry, for half an
hour, far less than its producers put in."""

MAX_RECORD_BYTES: Final = 1_024_000
"""The data of a record that a stream takes: 1,000 KiB (Firehose quotas)."""

_OPENING: Final = b"\x00backstop"  # no JSON and no gzip begins with a null character
_MARK: Final = re.compile(re.escape(_OPENING) + rb" 1 rounds=(\d{1,4}) replays=(\d{1,4})\n")

MARKED: Final = b64encode(_OPENING).decode()
"""What a marked record begins with, in base64: nine bytes, so that nothing behind them changes it."""


class Mark(NamedTuple):
    """How often a record was put back because an answer was full, and how often it was replayed after it had failed."""

    rounds: int = 0
    replays: int = 0

    def before(self, data: bytes) -> bytes:
        """Return a record's data with this mark in front."""
        return _OPENING + f" 1 rounds={self.rounds} replays={self.replays}\n".encode() + data


UNMARKED: Final = Mark()


def unmark(data: bytes) -> tuple[Mark, bytes]:
    """Return a record's mark, and its data as its producer put it on the stream.

    A producer can write marks, too: all it gains is fewer rounds.
    """
    if not data.startswith(_OPENING):
        return UNMARKED, data
    found = _MARK.match(data)
    if found is None:
        return UNMARKED, data
    return Mark(int(found[1]), int(found[2])), data[found.end() :]
