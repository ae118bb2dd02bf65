"""A filter pattern of CloudWatch Logs and a log line in, whether the line is let through out.

As the CloudWatch Logs User Guide has it ("Filter pattern syntax"), and no more of it than the template uses: terms of
which any must be there, and comparisons of JSON fields with `&&`, `||` and parentheses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

MAX_PATTERN: Final = 1024
"""Characters that a pattern may have."""

_TERM: Final = re.compile(r'\s*\?"([^"]+)"')
_TOKEN: Final = re.compile(r'\s*(&&|\|\||[(){}]|NOT EXISTS|=|\*|\$(?:\.\w+)+|\d+|"[^"]*")')
_ABSENT: Final = object()

Holds = Callable[[Any], bool]


def lets_through(pattern: str, line: str) -> bool:
    """Say whether a line passes the filter that has a pattern."""
    if not pattern.startswith("{"):
        return any(term in line for term in terms(pattern))
    try:
        fields = json.loads(line)
    except ValueError:
        return False
    return isinstance(fields, dict) and _Pattern(pattern).holds(fields)


def terms(pattern: str) -> list[str]:
    """Return the terms of which any must be in a line."""
    found = _TERM.findall(pattern)
    assert "".join(f' ?"{term}"' for term in found).strip() == pattern, "other than terms with a question mark"
    return found


class _Pattern:
    """Reads a pattern: what stands in parentheses first, then `&&`, then `||`."""

    def __init__(self, pattern: str) -> None:
        self._tokens = [*_tokens(pattern), ""]
        self._take("{")
        self.holds = self._any()
        self._take("}")
        self._take("")

    def _any(self) -> Holds:
        parts = [self._all()]
        while self._tokens[0] == "||":
            self._take("||")
            parts.append(self._all())
        return lambda fields: any(part(fields) for part in parts)

    def _all(self) -> Holds:
        parts = [self._one()]
        while self._tokens[0] == "&&":
            self._take("&&")
            parts.append(self._one())
        return lambda fields: all(part(fields) for part in parts)

    def _one(self) -> Holds:
        if self._tokens[0] == "(":
            self._take("(")
            inner = self._any()
            self._take(")")
            return inner
        selector = self._tokens.pop(0)
        assert selector.startswith("$."), f"{selector} is no field"
        if self._tokens[0] == "NOT EXISTS":
            self._take("NOT EXISTS")
            return lambda fields: _field(fields, selector) is _ABSENT
        self._take("=")
        return _is(selector, self._tokens.pop(0))

    def _take(self, token: str) -> None:
        found = self._tokens.pop(0)
        assert found == token, f"{found!r} stands where {token!r} should"


def _tokens(pattern: str) -> Iterator[str]:
    position = 0
    while position < len(pattern):
        found = _TOKEN.match(pattern, position)
        assert found, f"not understood: {pattern[position:]}"
        yield found[1]
        position = found.end()


def _is(selector: str, wanted: str) -> Holds:
    """Compare a field: an object or a list equals nothing, not even any text."""
    if wanted == "*":
        return lambda fields: isinstance(_field(fields, selector), str | int | float)
    value = json.loads(wanted)
    return lambda fields: _field(fields, selector) == value


def _field(fields: Any, selector: str) -> Any:
    for name in selector.split(".")[1:]:
        fields = fields.get(name, _ABSENT) if isinstance(fields, dict) else _ABSENT
    return fields
