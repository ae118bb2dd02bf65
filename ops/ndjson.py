"""A line of a file in, the JSON object that stands in it out, or what is wrong with it."""

from __future__ import annotations

import json
from typing import Any


def text_of(number: int, line: bytes) -> str:
    """Return a line's text; the first may begin with a byte order mark. Raises ValueError."""
    if number == 1:
        line = line.removeprefix(b"\xef\xbb\xbf")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1}") from None


def object_of(text: str) -> dict[str, Any]:
    """Return the object that a line's text is. Raises ValueError."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  # of a line, not of an argument
    return found
