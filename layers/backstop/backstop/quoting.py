"""A text in, the same text with what is quoted in it replaced as a whole out."""

from __future__ import annotations

import re
from typing import Final

from backstop.shapes import compiled

QUOTED: Final = "<quoted>"

_CLOSING: Final = {"'": "'", '"': '"', "`": "`'", "“": "”", "‘": "’", "«": "»"}  # noqa: RUF001  # typographic marks are meant
_MARKS: Final = r"""\\.?|["'`“”‘’«»]"""  # noqa: RUF001  # as above
_PREFIX: Final = r"(?<!\w)[bBrRuUfF]{1,2}\Z"
_PLACEHOLDER: Final = r"<[a-z]{2,9}>\Z"


def replace_quoted(text: str) -> str:
    """Replace each quoted value, marks included, by its name.

    An apostrophe within a word is no quotation mark. Where it is unclear where a value ends, more of the text is
    replaced rather than less: marks may nest, a mark that closes nothing closes what was quoted before it, and what
    is never closed goes on to the end.
    """
    if not any(mark in text for mark in _CLOSING):
        return text
    kept, position = [], 0
    for start, end in _regions(text):
        kept += [text[position:start], QUOTED]
        position = end
    return "".join(kept) + text[position:]


def _regions(text: str) -> list[tuple[int, int]]:
    regions: list[tuple[int, int]] = []
    first: dict[str, int] = {}  # for each mark that closes: how many regions were there when it first closed one
    start, closing, depth = 0, "", 0
    for found in compiled(_MARKS, re.DOTALL).finditer(text):
        mark, at, end = found[0], found.start(), found.end()
        if closing and mark in closing:
            depth += 1 if _opens(text, at, end) else -1 if _closes(text, at, end, mark) else 0
            if not depth:
                regions.append((start, end))
                first.setdefault(mark, len(regions) - 1)
                closing = ""
        elif not closing and mark in _CLOSING and _opens(text, at, end, is_open=False):
            start, closing, depth = at - _prefix(text, at), _CLOSING[mark], 1
        elif not closing and mark in first and _closes(text, at, end, mark):
            regions[first[mark] :] = [(regions[first[mark]][0], end)]
            first = {one: min(index, len(regions) - 1) for one, index in first.items()}
    return [*regions, (start, len(text))] if closing else regions


def _opens(text: str, at: int, end: int, *, is_open: bool = True) -> bool:
    """Tell whether a mark may open a value; within one, only a mark right before a word is taken for another one."""
    if not is_open and _prefix(text, at):
        return True
    is_after_word = at > 0 and (
        _is_wordy(text[at - 1]) or compiled(_PLACEHOLDER).search(text, max(0, at - 11), at) is not None
    )
    return not is_after_word and (not is_open or _is_wordy(text[end : end + 1]))


def _closes(text: str, at: int, end: int, mark: str) -> bool:
    return mark in "”»" or not _is_wordy(text[end : end + 1])


def _prefix(text: str, at: int) -> int:
    found = compiled(_PREFIX).search(text, max(0, at - 3), at) if at else None
    return len(found[0]) if found and text[at] in "'\"" else 0


def _is_wordy(character: str) -> bool:
    return character.isalnum() or character == "_"
