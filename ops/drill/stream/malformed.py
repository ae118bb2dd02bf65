"""A click in, a record as a sender breaks it out."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from ops.drill.stream.clicks import Click

YEAR_0: Final = "0000-01-01T00:00:00Z"
"""What senders' databases hold for no date. The schema lets it through, the sample does not know it."""

_DEPTH: Final = 10_000


def _cut_off(click: Click) -> bytes:
    whole = _record(click)
    return whole[: len(whole) // 2]


def _not_utf8(click: Click) -> bytes:
    return json.dumps({**click, "referrer": "https://café.example/"}, ensure_ascii=False).encode("latin-1")


def _without_page(click: Click) -> bytes:
    return _record({name: value for name, value in click.items() if name != "page"})


def _nested(click: Click) -> bytes:
    return _record(click)[:-1] + b', "more": ' + b"[" * _DEPTH + b"]" * _DEPTH + b"}"


def _truncated_gzip(click: Click) -> bytes:
    return gzip.compress(_record(click), mtime=0)[:-12]


def _record(value: Any) -> bytes:
    return json.dumps(value).encode()


WAYS: Final[Mapping[str, Callable[[Click], bytes]]] = {
    "cut off": _cut_off,
    "not JSON": lambda _: b"not JSON at all",
    "an empty object": lambda _: b"{}",
    "not UTF-8": _not_utf8,
    "a lone surrogate": lambda click: _record({**click, "user_agent": "\ud800"}),
    "nested deep": _nested,
    "truncated gzip": _truncated_gzip,
    "an impossible date": lambda click: _record({**click, "at": "2026-02-30T10:00:00Z"}),
    "the year 0": lambda click: _record({**click, "at": YEAR_0}),
    "no page": _without_page,
    "a page without a host": lambda click: _record({**click, "page": "/tea"}),
    "a number as id": lambda click: _record({**click, "id": 17}),
    "a list": lambda click: _record([click]),
}
"""The ways in which senders break their records, by name: whatever the click, none of them may be delivered."""
