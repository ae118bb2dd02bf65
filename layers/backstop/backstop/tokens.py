"""A word of a message in, what takes its place out, told by the word's own shape."""

from __future__ import annotations

import re
from typing import Final

from backstop.shapes import compiled

WORD: Final = r"<[a-z]{2,9}>|(?:(?<![\w)>\]])[+-](?=\d))?[\w$~%#-]+(?:\.[\w$~%#-]+)*"
"""What counts as one word: dots are within, other punctuation is around it."""

_PIECE: Final = r"\d+(?:[.,]\d+)*(?![^\W_])|[^\W_]+|."
_HASH: Final = r"(?=[0-9]*[a-f]|0|.{24})[0-9a-f]{12,}"
_HEX: Final = r"(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{6,}|[a-f]{8}"
_REVERSED_DOMAIN: Final = r"(?:com|org|net|edu|java|javax|android|io)\."
_TOP_LEVEL: Final = r"com|net|org|edu|gov|mil|info|local|internal|localdomain|[a-z]{2}"
_FAILURES: Final = ("Exception", "Error", "Fault", "Failure", "Timeout", "Warning")
_FILE: Final = r"[\w~%-]{1,200}\.[a-z]{2,6}"
_TERMS: Final = frozenset(
    {"ipv4", "ipv6", "l1", "l2", "l3", "l4", "l7", "s3", "ec2", "md5", "sha1", "sha256", "sha384", "sha512"}
    | {"utf8", "utf16", "base64", "oauth2", "x86", "http2", "h2", "log4j"}
)
"""Words that have a digit and mean the same in every message."""


def classify(found: re.Match[str]) -> str:
    """Return what takes the place of a word: itself, unless its shape is that of an id, a number, a name or a host."""
    token = found[0]
    if token[0] == "<":
        return token
    stem = token.rstrip(".-")
    end = token[len(stem) :]
    has_digit = any(map(str.isdigit, stem))
    if has_digit and _is(_HASH, stem):
        return f"<hash>{end}"
    dotted = _dotted(stem, has_digit)
    if dotted:
        return dotted + end
    if not has_digit:
        return f"<number>{end}" if _is(_HEX, stem) else token
    pieces = [_replace(piece) for piece in compiled(_PIECE, re.DOTALL).findall(stem)]
    is_mixed = any(map(str.isalpha, pieces)) and any(piece[0] == "<" for piece in pieces)
    return f"<id>{end}" if is_mixed or "<id>" in pieces else "".join(pieces) + end


def _dotted(stem: str, has_digit: bool) -> str:
    """Tell what a word with dots in it is, where its last part is letters: a host, a file, the name of a thing."""
    last, dots = stem.rpartition(".")[2], stem.count(".")
    if not dots or (not last.isalpha() and has_digit) or (last.endswith(_FAILURES) and not has_digit):
        return ""
    is_reversed = compiled(_REVERSED_DOMAIN, re.IGNORECASE).match(stem) is not None
    if not is_reversed and (dots > 1 or len(last) > 2) and _is(_TOP_LEVEL, last):
        return "<host>"
    if dots > 1:
        return "<name>"
    return "<file>" if has_digit and _is(_FILE, stem) else ""


def _replace(piece: str) -> str:
    if piece.lower() in _TERMS or not any(map(str.isdigit, piece)):
        return piece
    if _is(_HASH, piece):
        return "<hash>"
    return "<id>" if any(map(str.isalpha, piece)) and not _is(_HEX, piece) else "<number>"


def _is(pattern: str, text: str) -> bool:
    return compiled(pattern, re.IGNORECASE).fullmatch(text) is not None
