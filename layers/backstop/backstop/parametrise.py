"""A message in, the same message without what differs from one occurrence to the next out: what it is a case of."""

from __future__ import annotations

import re
from typing import Final

from backstop.quoting import replace_quoted
from backstop.shapes import PHRASES, REQUEST, SHAPES, compiled
from backstop.tokens import WORD, classify

_NUMBERS: Final = (r"[+-]?<number>(?:[-_.:,/#x+@]{0,2}<number>)*", "<number>")
_SAME: Final = (r"(<[a-z]{2,9}>)(?:[,;:/]\1)+", r"\1")
_PORT: Final = (r"<host>[:@]<number>", "<host>")
_PAIR: Final = r"[\w.-]{1,40} ?= ?[^\s,;=()\[\]{}]{0,128}(?:\{[^{}]{0,128}\})?"
_PAIRS: Final = rf"(?<![\w.-]){_PAIR}(?:, ?{_PAIR})+"
_VALUE: Final = r"(?<==)(?! ?<(?:number|quoted|hex)>)( ?)[^\s,;=()\[\]{}]{1,128}(?:\{[^{}]{0,128}\})?"


def parametrise(text: str) -> str:
    """Replace what differs from one occurrence to the next (ids, dates, numbers, quoted values) by its name.

    What is told apart by its shape or by the words around it is replaced, in any system's messages; other words stay.
    It takes time in proportion to the text's length.
    """
    text = " ".join(replace_quoted(_replace(text, REQUEST)).split())
    text = _replace(text, *SHAPES)
    text = compiled(WORD).sub(classify, text)
    text = _replace(text, _NUMBERS, _SAME, _PORT)
    text = compiled(_PAIRS).sub(lambda pairs: compiled(_VALUE).sub(r"\1<value>", pairs[0]), text)
    return _fold(_replace(text, *PHRASES))


def _replace(text: str, *rules: tuple[str, str]) -> str:
    for pattern, name in rules:
        text = compiled(pattern, re.IGNORECASE).sub(name, text)
    return text


def _fold(text: str) -> str:
    """Let a run of alike parameters be one: how many there are varies too."""
    tokens: list[str] = []
    core = ""
    for token in text.split():
        before, core = core, token.strip("[](){},;")
        if core == before and "<" in core and token.startswith(core):
            head = tokens[-1]
            tokens[-1] = head[: head.find(core)] + token[token.find(core) :]
        else:
            tokens.append(token)
    return " ".join(tokens)
