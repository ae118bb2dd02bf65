"""The text of a Python traceback in, the type, the message and the own frames of what was raised out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from backstop.fingerprint import stable_name

HEADER: Final = "Traceback (most recent call last)"
OWN_ROOT: Final = "/var/task"
"""Where Lambda keeps a function's own code: layers are in /opt, the language and its runtime elsewhere in /var."""

_MAX_FRAMES: Final = 200
_MAX_MESSAGE: Final = 2048
_SEPARATORS: Final = (
    "\nThe above exception was the direct cause of the following exception:\n",
    "\nDuring handling of the above exception, another exception occurred:\n",
)
_OF_GROUP: Final = "  + Exception Group "
_IN_GROUP: Final = "  | "
_FRAME: Final = re.compile(r'[\s|]{0,40}File "([^"\n]{1,512})", line \d{1,9}, in ([^\n]{1,200})')
_RAISED: Final = re.compile(r"([^\W\d][\w.<>]{0,250})(?::[ \n]?(.*))?", re.DOTALL)
_INDENTS: Final = (" ", "\t", "\u00a0")  # Lambda indents by no-break spaces
_INSTALLED: Final = ("/site-packages/", "/dist-packages/")
_WITHIN: Final = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
"""Functions that are part of the one whose frame is around theirs."""


class Traceback(NamedTuple):
    """What the text of a traceback tells of the error that was raised last.

    `error_type` is the type's name as written, with its module where that was written, and empty where the text ends
    before it; `message` has up to 2,048 characters, as raised. `frames` are the `module:function` of the own frames,
    the outermost first, each once; `where` is the innermost one.
    """

    error_type: str = ""
    message: str = ""
    frames: tuple[str, ...] = ()
    where: str = ""


def parse(text: str, own_root: str = OWN_ROOT) -> Traceback | None:
    """Read a traceback, which may have other text before it; None where there is none.

    Of a chain it reads the error that was raised last, of a group of errors the group. It takes time in proportion to
    the text's length.
    """
    if HEADER not in text:
        return None
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # Lambda keeps the lines of one traceback apart by \r
    after = max(text.rfind(separator) for separator in _SEPARATORS)
    header = text.find(HEADER, max(after, 0))
    if header < 0:
        return None
    is_group = text.endswith(_OF_GROUP, 0, header)
    start = text.find("\n", header) + 1 or len(text)
    lines = _lines(text, start, _IN_GROUP if is_group else "")
    body, rest = _split(lines)
    frames, where = frames_in(body, own_root)
    raised = _RAISED.fullmatch("\n".join(rest)[:_MAX_MESSAGE].rstrip())
    if raised is None:
        return Traceback("", "", frames, where)
    return Traceback(raised[1], raised[2] or "", frames, where)


def frames_in(lines: Iterable[str], own_root: str = OWN_ROOT) -> tuple[tuple[str, ...], str]:
    """Return the own frames that some lines of a traceback tell of, each once, and the innermost of them."""
    frames: dict[str, None] = {}
    where = ""
    for line in lines:
        found = _FRAME.match(line)
        own = _own(found[1], found[2].strip(), own_root) if found else ""
        if own:
            where = own
            if len(frames) < _MAX_FRAMES:
                frames[own] = None
    return tuple(frames), where


def simple_name(error_type: str) -> str:
    """Return a type's own name, without its module."""
    return error_type.rpartition(".")[2]


def _lines(text: str, start: int, prefix: str) -> Iterator[str]:
    """Yield the lines of a traceback; those of a group's own begin with a prefix, and its members' do not."""
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if not text.startswith(prefix, start):
            return
        yield text[start + len(prefix) : end]
        start = end + 1


def _split(lines: Iterator[str]) -> tuple[list[str], list[str]]:
    """Divide a traceback into what is indented, its frames, and what follows: what was raised."""
    body: list[str] = []
    for line in lines:
        if line and not line.startswith(_INDENTS):
            return body, [line, *islice(lines, _MAX_MESSAGE)]
        body.append(line)
    return body, []


def _own(file: str, function: str, own_root: str) -> str:
    root = own_root.rstrip("/") + "/"
    if not file.startswith(root) or function in _WITHIN or any(folder in file for folder in _INSTALLED):
        return ""
    module = file[len(root) :].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return stable_name(f"{module}:{function}")
