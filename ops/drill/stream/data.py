"""An object under data/ in, what of a drill's clicks is in it out."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Final, NamedTuple

from ops.drill.stream.clicks import domain_of

_GZIP: Final = b"\x1f\x8b"


class Contents(NamedTuple):
    """What an object holds of a drill.

    `ids` are those of its lines that are clicks, `strange` counts lines that name the drill and are none, `addresses`
    its e-mail addresses in clear.
    """

    ids: list[str]
    strange: int
    addresses: int


def contents(body: bytes, drill: str) -> Contents:
    """Read an object, compressed or not: AWS compresses, the local AWS does not."""
    ids: list[str] = []
    strange = addresses = 0
    for line in _inflated(body).decode(errors="replace").split("\n"):
        if drill not in line:
            continue
        addresses += _addresses(line, domain_of(drill))
        click_id = _id_of(line)
        if click_id.startswith(drill):
            ids.append(click_id)
        else:
            strange += 1
    return Contents(ids, strange, addresses)


def _inflated(body: bytes) -> bytes:
    """Return what is in it; what only looks like gzip is as it is."""
    if not body.startswith(_GZIP):
        return body
    try:
        return gzip.decompress(body)
    except (EOFError, OSError, zlib.error):
        return body


def _addresses(line: str, domain: str) -> int:
    lowered = line.lower()
    return sum(lowered.count(f"{at}{domain.lower()}") for at in ("@", "%40"))


def _id_of(line: str) -> str:
    try:
        click = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    click_id = click.get("id") if isinstance(click, dict) else None
    return click_id if isinstance(click_id, str) else ""
