"""Somebody else's error in, what it carries out: the status and the headers of an HTTP answer, and other attributes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

LONGEST_WAIT: Final = timedelta(days=365)
"""What a longer wait that is asked for is cut to."""


def http_status(error: BaseException) -> int | None:
    """Return the HTTP status that requests', httpx's, urllib's, aiohttp's or botocore's error carries."""
    response = attribute(error, "response")
    if isinstance(response, Mapping):
        return _as_int(mapping(response.get("ResponseMetadata")).get("HTTPStatusCode"))
    for holder, name in ((response, "status_code"), (error, "status"), (error, "code")):
        status = _as_int(attribute(holder, name))
        if status is not None:
            return status
    return None


def retry_after_header(error: BaseException) -> str | None:
    """Return the `Retry-After` header of the HTTP answer that an HTTP client's or botocore's error carries."""
    response = attribute(error, "response")
    if isinstance(response, Mapping):
        headers = mapping(response.get("ResponseMetadata")).get("HTTPHeaders")
    else:
        headers = attribute(response, "headers") or attribute(error, "headers")
    get = attribute(headers, "get")
    if not callable(get):
        return None
    try:
        value = get("Retry-After") or get("retry-after")
    except Exception:  # noqa: BLE001  # what cannot be read says nothing
        return None
    return value if isinstance(value, str) else None


def parsed_retry_after(header: str, now: datetime) -> timedelta | None:
    """Return how long the header asks to wait: seconds, or an HTTP date (RFC 9110, 10.2.3); None if it is neither."""
    if header.strip().isdecimal() and len(header.strip()) <= 9:
        return timedelta(seconds=int(header))
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta(0)), LONGEST_WAIT)


def attribute(holder: object, name: str) -> Any:
    """Read an attribute of somebody else's error, which may be a property that raises."""
    try:
        return getattr(holder, name, None)
    except Exception:  # noqa: BLE001  # what cannot be read says nothing
        return None


def mapping(value: object) -> Mapping[str, Any]:
    """Return what ought to be a mapping; an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}


def _as_int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
