"""An object that Firehose wrote under its error prefix in, the records that it keeps out."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from backstop.errors import MalformedEvent
from backstop.event import decode_all
from backstop.rounds import Mark, unmark
from backstop.stream import decode, inflate

MAX_BYTES: Final = 256 * 1024 * 1024
"""What an object may inflate to: twice what Firehose buffers at most (128 MiB), since it keeps records in base64."""

_GZIP: Final = b"\x1f\x8b"


class Unreadable(Exception):
    """Raised when an object is none that Firehose writes, or not all of it can be read."""


class Kept(NamedTuple):
    """A record as it was put on the stream, and how often it went round before."""

    data: bytes
    mark: Mark


def read(body: bytes) -> list[Kept]:
    """Read an error object: JSON documents in a row, gzip or not. Raises Unreadable: it is all of it or nothing."""
    try:
        text = (inflate(body, MAX_BYTES) if body.startswith(_GZIP) else body).decode()
        documents = decode_all(text, len(text))
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 at byte {error.start + 1}") from None
    except MalformedEvent as error:
        raise Unreadable(str(error)) from None
    if not documents:
        raise Unreadable("empty")
    return [_kept(number, document) for number, document in enumerate(documents, start=1)]


def _kept(number: int, document: Any) -> Kept:
    raw = document.get("rawData") if isinstance(document, dict) else None
    if not isinstance(raw, str):
        raise Unreadable(f"document {number} has no rawData: not what Firehose writes for a record that failed")
    try:
        mark, data = unmark(decode(raw))
    except MalformedEvent as error:
        raise Unreadable(f"document {number}: its rawData is {error}") from None
    return Kept(data, mark)
