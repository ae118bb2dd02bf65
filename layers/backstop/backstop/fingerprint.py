"""An error in, what makes it the same failure as another one out: type, innermost own frame, parametrised message."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath
from traceback import walk_tb
from types import TracebackType
from typing import Final

VERSION: Final = 1

_PARAMETERS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), name)
    for pattern, name in (
        (r"""(?<!\w)(?:[bru]{1,2})?(["'`])(?:\\.|(?!\1(?!\w))[^\\])*(?:\1|\\?\Z)""", "<quoted>"),  # or cut off
        (r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}", "<email>"),
        (r"\b[a-z][a-z0-9+.-]{1,20}://[^\s,;)\]}>]+", "<url>"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
        (r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?", "<date>"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "<ip>"),
        (r"\b0x[0-9a-f]+\b", "<hex>"),
        (r"\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b", "<hash>"),
        (r"\b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{8,}\b", "<id>"),
        (r"(?<![\w<])(?:/[\w.@%+-]+){2,}/?", "<path>"),
        (r"(?:(?<![\w<])[+-])?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?", "<number>"),
    )
)


def parametrise(text: str) -> str:
    """Replace what differs from one occurrence to the next (ids, dates, numbers, quoted values) by its name."""
    for pattern, name in _PARAMETERS:
        text = pattern.sub(name, text)
    return " ".join(text.split())


def fingerprint(error_type: str, where: str, message: str) -> str:
    """Return the group of a failure: 16 hexadecimal digits, the same for the same bug or outage.

    `message` is parametrised already; `where` is `module:function` of the innermost own frame, or empty.
    """
    text = "\n".join((str(VERSION), error_type, where, message))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def innermost_own_frame(traceback: TracebackType | None, own_root: str) -> str:
    """Return `module:function` of the innermost frame whose file lies below `own_root`, or an empty string.

    Files of installed packages below it do not count: a vendored library is not the team's own code.
    """
    where = ""
    for frame, _ in walk_tb(traceback):
        path = PurePath(frame.f_code.co_filename)
        if path.is_relative_to(own_root) and "site-packages" not in path.parts:
            where = f"{frame.f_globals.get('__name__', path.stem)}:{frame.f_code.co_qualname}"
    return where
