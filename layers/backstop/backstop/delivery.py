"""What a subscription of CloudWatch Logs delivers in, its log lines out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

from backstop.errors import MalformedDelivery

MOST: Final = 10 * 1024 * 1024
"""Bytes that a delivery may inflate to."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_PIECE: Final = 256 * 1024
_MAX_ID: Final = 128
_STREAM: Final = re.compile(r"\d{4}/\d\d/\d\d/([\w-]{1,128})\[")
_GROUP: Final = re.compile(r"/aws/lambda/([\w-]{1,128})")
_LATEST: Final = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * 1000


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log: its id is the same at each delivery."""

    id: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """Some lines of one log stream, one after the other.

    `filters` are the names of the subscription filters that let them through. `batch` names the delivery: it is the
    same when the same one comes again.
    """

    log_group: str
    log_stream: str
    filters: tuple[str, ...]
    lines: tuple[LogLine, ...]
    batch: str

    @property
    def function(self) -> str:
        """The function whose log it is, as far as the names of log stream and log group say; empty where they do not.

        Streams of a log group that functions share begin with the day and the function's name.
        """
        found = _STREAM.match(self.log_stream) or _GROUP.fullmatch(self.log_group)
        return found[1] if found else ""


def opened(data: str, most: int = MOST) -> Delivery:
    """Read what stands in a delivery's `awslogs.data`; it inflates to up to `most` bytes.

    A message by which CloudWatch Logs only tests its subscription has no lines. A strange line is left out and costs
    the others nothing. Raises MalformedDelivery.
    """
    payload = _parsed(_inflated(_decoded(data), most))
    kind = payload.get("messageType")
    if kind == "CONTROL_MESSAGE":
        return _delivery(payload, [])
    events = payload.get("logEvents")
    if kind != "DATA_MESSAGE" or not isinstance(events, list):
        raise MalformedDelivery("a delivery is not of log lines: it has no messageType and logEvents as documented")
    return _delivery(payload, events)


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (ValueError, TypeError):
        raise MalformedDelivery("a delivery is not base64") from None


def _inflated(packed: bytes, most: int) -> bytes:
    """Inflate piece by piece, so that a bomb is known before it has taken more memory than `most`."""
    inflater, pieces, left = zlib.decompressobj(_GZIP), [], most
    while not inflater.eof:
        try:
            piece = inflater.decompress(packed, min(_PIECE, left + 1))
        except zlib.error:
            raise MalformedDelivery("a delivery is not gzip, or damaged") from None
        packed = inflater.unconsumed_tail
        if not piece and not packed and not inflater.eof:
            raise MalformedDelivery("a delivery is not gzip to its end: it was cut short")
        left -= len(piece)
        if left < 0:
            raise MalformedDelivery(f"a delivery inflates to more than {most} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):  # JSON and Unicode errors are ValueErrors
        raise MalformedDelivery("a delivery is not JSON") from None
    if not isinstance(payload, dict):
        raise MalformedDelivery("a delivery is not a JSON object")
    return payload


def _delivery(payload: dict[str, Any], events: list[Any]) -> Delivery:
    group, stream, filters = (payload.get(name) for name in ("logGroup", "logStream", "subscriptionFilters"))
    if not isinstance(group, str) or not isinstance(stream, str) or not isinstance(filters, list):
        raise MalformedDelivery("a delivery does not name its log group, log stream and subscription filters")
    names = tuple(name for name in filters if isinstance(name, str))
    lines = tuple(_lines(events))
    return Delivery(group, stream, names, lines, _batch(stream, names, lines))


def _lines(events: list[Any]) -> Iterator[LogLine]:
    for position, event in enumerate(events):
        if not isinstance(event, dict):
            continue
        line_id, millis, text = (event.get(name) for name in ("id", "timestamp", "message"))
        if isinstance(text, str) and _is_moment(millis):
            at = datetime.fromtimestamp(millis / 1000, UTC)
            yield LogLine(line_id[:_MAX_ID] if _is_id(line_id) else _made_up(position, millis, text), at, text)


def _is_moment(millis: object) -> TypeGuard[int]:
    return isinstance(millis, int) and not isinstance(millis, bool) and 0 < millis < _LATEST


def _is_id(line_id: object) -> TypeGuard[str]:
    return isinstance(line_id, str) and line_id != ""


def _made_up(position: int, millis: int, text: str) -> str:
    """Return an id for a line that has none: the same at each delivery, too."""
    return _digits(str(position), str(millis), text)


def _batch(stream: str, filters: tuple[str, ...], lines: tuple[LogLine, ...]) -> str:
    ends = (lines[0].id, lines[-1].id) if lines else ()
    return _digits(stream, str(len(lines)), *ends, *filters)


def _digits(*texts: str) -> str:
    joined = json.dumps(texts)  # no two lists of texts are alike then, and half a character is no fault
    return hashlib.sha256(joined.encode()).hexdigest()[:16]
