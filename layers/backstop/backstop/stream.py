"""A stream's record in, the events that it carries out: base64, gzip or not, UTF-8, JSON objects in a row."""

from __future__ import annotations

import zlib
from binascii import Error, a2b_base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from backstop.errors import MalformedEvent
from backstop.event import Event, checker, decode_all

MAX_BYTES: Final = 5 * 1024 * 1024
"""What a record may inflate to: more than an answer carries, and so little that parsing it, at 70 bytes of memory a
byte if it is hostile, does not end the worker. A stream takes records of 1,000 KiB, so only gzip ever reaches this."""

MAX_EVENTS: Final = 50_000
"""Events that a record may carry: five times what CloudWatch Logs sends at once, and little to keep in memory."""

Read = Callable[[bytes], list[Event]]

_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS  # zlib's way to say: gzip, with its header


def decode(data: object) -> bytes:
    """Return what a record carries in base64. Raises MalformedEvent."""
    try:
        return a2b_base64(data, strict_mode=True)  # type: ignore[arg-type]  # what is no text raises TypeError
    except (Error, TypeError, ValueError):
        raise MalformedEvent("not base64") from None


def reader(schema: Mapping[str, Any]) -> Read:
    """Compile a JSON Schema (drafts 4, 6 or 7) into a function from a record's data to its events, at least one.

    The function raises MalformedEvent, which says what is wrong and where, never with the value that was wrong.
    """
    check = checker(schema)

    def read(data: bytes) -> list[Event]:
        if data.startswith(_GZIP):
            data = inflate(data, MAX_BYTES)
        if len(data) > MAX_BYTES:
            raise MalformedEvent(f"more than {MAX_BYTES:,} bytes")
        try:
            events = decode_all(data.decode(), MAX_EVENTS)
        except UnicodeDecodeError as error:
            raise MalformedEvent(f"not UTF-8 at byte {error.start + 1}") from None
        if not events:
            raise MalformedEvent("empty")
        for event in events:
            check(event)
        return events

    return read


def inflate(data: bytes, max_bytes: int) -> bytes:
    """Decompress gzip, several members included, and stop before it is more than `max_bytes`. Raises MalformedEvent."""
    inflated: list[bytes] = []
    left = max_bytes
    while data:
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            some = member.decompress(data, left + 1)
        except zlib.error as error:
            raise MalformedEvent(f"gzip that cannot be read: {error}") from None
        left -= len(some)
        if left < 0:
            raise MalformedEvent(f"gzip that inflates to more than {max_bytes:,} bytes")
        if not member.eof:
            raise MalformedEvent("gzip that is cut off")
        inflated.append(some)
        data = member.unused_data
    return b"".join(inflated)
