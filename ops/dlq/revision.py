"""A dead letter in, its body as a person edits it out; and the edited text in, what is sent and kept of it out."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from backstop.errors import MalformedEvent
from backstop.event import Parse, decode_all
from backstop.letter import Letter
from ops.times import iso

KEPT_BELOW: Final = "edited/"
"""Where the bucket keeps what was edited."""
REDRIVE_ID: Final = re.compile(r"e\d{8}-\d{6}-[0-9a-f]{4}", re.ASCII)

_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_STYLES: Final = ((",", ":"), (", ", ": "))
"""What JSON is written with between values, and behind names: the compact way, and Python's."""
_INDENT: Final = "  "


class Invalid(Exception):
    """Raised when an edited body is no event, or another one; its text says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A body as it is edited. `style` is what it is written with; None where it is edited as it is."""

    body: str
    text: str
    style: tuple[str, str] | None = None

    def body_of(self, edited: str) -> str:
        """Return the body that an edited text means, written as the original was: values as they were typed."""
        if self.style is not None:
            return _packed(_TOKEN.findall(edited), self.style)
        return edited


def draft(body: str) -> Draft:
    """Lay a body out for a person, where that can be taken back to the last character.

    Only white space between values is changed: a number such as 1.0, an escape, a name that stands twice stay as they
    are. What is no JSON, or is written in no known style, is edited as it is.
    """
    try:
        decode_all(body, 1)
    except MalformedEvent:
        return Draft(body, body)
    tokens = _TOKEN.findall(body)
    for style in _STYLES:
        if _packed(tokens, style) == body:
            return Draft(body, _laid_out(tokens), style)
    return Draft(body, body)


def require_valid(edited: str, event_id: str, parse: Parse) -> None:
    """Require an edited text to be the same event, as its schema has it. Raises Invalid."""
    try:
        event = parse(edited)
    except MalformedEvent as error:
        raise Invalid(str(error)) from None
    if event["id"] != event_id:
        raise Invalid(f"its `id` is {event['id']}, not {event_id}: with another id it would be another event")


def difference(before: str, after: str) -> list[str]:
    """Return what tells two texts apart, line by line (unified diff)."""
    found = difflib.unified_diff(before.split("\n"), after.split("\n"), "as it died", "as edited", lineterm="")
    return list(found)


def edited_letter(letter: Letter, body: str) -> Letter:
    """Return a letter with another body, and all else as it is."""
    return replace(letter, record={**letter.record, "body": body})


def redrive_id(now: datetime, chance: str) -> str:
    """Return what marks an edited copy. `chance` is 4 hexadecimal digits."""
    return f"e{now:%Y%m%d-%H%M%S}-{chance}"


def place_of(event_id: str, redrive: str) -> str:
    """Return where the bucket keeps a revision: an id may hold what an object's key may not."""
    digest = hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{KEPT_BELOW}{digest[:32]}/{redrive.removeprefix('e')}.json"


@dataclass(frozen=True, slots=True)
class Revision:
    """What is kept of an edit: which letter, its body before and after, and what marks the copy."""

    event_id: str
    queue: str
    """The name of the dead-letter queue in which the original lies."""
    message_id: str
    redrive_id: str
    edited_at: str
    original: str
    edited: str

    @classmethod
    def of(cls, letter: Letter, event_id: str, edited: str, redrive: str, now: datetime) -> Revision:
        """Return what is kept of an edited letter."""
        original = str(letter.record["body"])
        return cls(event_id, letter.place, letter.message_id, redrive, iso(now), original, edited)

    @property
    def place(self) -> str:
        """Where the bucket keeps it."""
        return place_of(self.event_id, self.redrive_id)

    def serialise(self) -> str:
        """Return it as JSON."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return json.dumps({"version": 1} | fields)

    @classmethod
    def parse(cls, text: str) -> Revision:
        """Read what `serialise` wrote. Raises ValueError, TypeError or KeyError where it did not."""
        told = json.loads(text)
        return cls(**{name: str(told[name]) for name in cls.__dataclass_fields__})


def _packed(tokens: Sequence[str], style: tuple[str, str]) -> str:
    comma, colon = style
    return "".join(comma if part == "," else colon if part == ":" else part for part in tokens)


def _laid_out(tokens: Sequence[str]) -> str:
    laid: list[str] = []
    depth, before = 0, ""
    for part in tokens:
        is_opened = before in {"{", "["}
        if part in {"}", "]"}:
            depth -= 1
            laid.append(part if is_opened else f"\n{_INDENT * depth}{part}")
        elif is_opened or before == ",":
            laid.append(f"\n{_INDENT * depth}{part}")
        else:
            laid.append(": " if part == ":" else part)
        if part in {"{", "["}:
            depth += 1
        before = part
    return "".join(laid)
