"""What a log line says in a field in, what may be told of it out: empty where it is not as it is written here."""

from __future__ import annotations

import re
from collections.abc import Container
from functools import lru_cache
from typing import Final, TypeGuard

from backstop.event import MAX_ID_LENGTH
from backstop.parametrise import parametrise
from backstop.redact import redact
from backstop.report import tellable
from backstop.trail import MAX_REASON

_MAX_RAW_ERROR: Final = 2048
_MAX_RAW_ID: Final = 1024
_MAX_PARTS: Final = 20
_MAX_COUNT: Final = 1_000_000

_GROUP: Final = re.compile(r"[0-9a-f]{16}")
_TYPE: Final = re.compile(r"[^\W\d]\w{0,63}")
_NAME: Final = re.compile(r"[\w.-]{1,128}")
_PLACE: Final = re.compile(r"[\w.<>$-]{1,128}:[\w.<>$]{1,128}")
_MOMENT: Final = re.compile(r"[\dT:.+-]{10,40}Z?")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_one_of(value: object, known: Container[str]) -> TypeGuard[str]:
    """Return whether a value is a text that is known."""
    return isinstance(value, str) and value in known


def group_in(value: object) -> str:
    """Read a group."""
    return _matching(value, _GROUP)


def moment_in(value: object) -> str:
    """Read a time."""
    return _matching(value, _MOMENT)


def _matching(value: object, form: re.Pattern[str]) -> str:
    return value if isinstance(value, str) and form.fullmatch(value) else ""


def type_in(value: object) -> str:
    """Read the name of an error's type."""
    return _redacted(_matching(value, _TYPE))


def name_in(value: object) -> str:
    """Read a name: of a queue, a function, a release."""
    return _redacted(_matching(value, _NAME))


def id_in(value: object) -> str:
    """Read an event's id, or a key: any text, but no secret."""
    if not isinstance(value, str) or _UUID.fullmatch(value):
        return value if isinstance(value, str) else ""
    return _redacted(value[:_MAX_RAW_ID])[:MAX_ID_LENGTH]


def place_in(value: object) -> str:
    """Read a module and a function of it."""
    module, colon, function = _matching(value, _PLACE).partition(":")
    return f"{_redacted(module)}{colon}{_redacted(function)}"


def error_in(value: object) -> str:
    """Read an error's text."""
    return _told_error(value[:_MAX_RAW_ERROR]) if isinstance(value, str) else ""


def count_in(value: object) -> int | None:
    """Read a number of something: 0 at least."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return min(max(value, 0), _MAX_COUNT)


def parts_in(value: object) -> tuple[tuple[str, str], ...]:
    """Read what a group is made of: pairs of a name and a text."""
    pairs = value[:_MAX_PARTS] if isinstance(value, list) else []
    if not all(map(_is_part, pairs)):
        return ()
    return told_parts(
        tuple((name, error_in(text) if name == "message" else text[:_MAX_RAW_ID]) for name, text in pairs)
    )


def _is_part(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    return _matching(value[0], _NAME) != "" and isinstance(value[1], str)


# The same few texts stand in thousands of lines.


@lru_cache(maxsize=2048)
def _told_error(text: str) -> str:
    return parametrise(redact(text))[:MAX_REASON]


@lru_cache(maxsize=2048)
def _redacted(text: str) -> str:
    return redact(text)


@lru_cache(maxsize=512)
def told_parts(parts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return what a group is made of as it may be told."""
    return tellable(parts)
