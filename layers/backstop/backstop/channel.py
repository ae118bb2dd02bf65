"""The secret's text in, the channels that it names out, and what of it is not understood."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backstop.notice import Notice
from backstop.occurrence import Severity
from backstop.redact import redact

MAX_CHANNELS: Final = 50
MAX_NAME: Final = 60

_SCHEMA: Final = re.compile(r"[A-Za-z][A-Za-z0-9.+-]{0,19}(?=://.)")
_SEVERITIES: Final = ", ".join(Severity)


@dataclass(frozen=True, slots=True)
class Channel:
    """Where people are told. Its address is a secret: it stands in no text and no log."""

    name: str
    url: str = field(repr=False)
    at_least: Severity = Severity.INFO
    """The least urgent that it wants to hear of."""

    def hears(self, notice: Notice) -> bool:
        """Return whether a notice is for this channel. It hears of the end of all that it heard of."""
        is_urgent = notice.severity.urgency <= self.at_least.urgency
        return notice.is_news and (notice.is_for_all or is_urgent)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a channel, by its name; it tells nothing of the channel's address."""

    channel: str
    what: str


@dataclass(frozen=True, slots=True)
class Directory:
    """All channels that can be used, and what is wrong with the others."""

    channels: tuple[Channel, ...]
    troubles: tuple[Trouble, ...] = ()


def directory(secret: str) -> Directory:
    """Read a secret: JSON, or one address a line, where # begins a comment. What is understood of it is used.

    JSON is `{"channels": [{"name": …, "url": …, "at_least": …}, …]}`, where an address may stand for its channel; or
    that list alone; or an object of addresses by name, as the AWS console's key/value editor makes it.
    """
    if secret.lstrip()[:1] not in {"{", "[", '"'}:
        lines = (line.strip() for line in secret.splitlines())
        return _read(line for line in lines if line and not line.startswith("#"))
    try:
        document = json.loads(secret)
    except (ValueError, RecursionError):
        return Directory((), (Trouble("secret", "it begins as JSON does, and is none"),))
    return _read(_entries(document))


def _entries(document: Any) -> Iterable[Any]:
    if isinstance(document, str):
        return [document]
    if not isinstance(document, Mapping):
        return document if isinstance(document, list) else []
    channels = document.get("channels")
    if isinstance(channels, list):
        return channels
    return [{"name": name, "url": url} for name, url in document.items()]


def _read(entries: Iterable[Any]) -> Directory:
    channels: list[Channel] = []
    troubles: list[Trouble] = []
    for place, entry in enumerate(entries, 1):
        if place > MAX_CHANNELS:
            troubles.append(Trouble("secret", f"it names more than {MAX_CHANNELS} channels: the others are left out"))
            break
        fields = entry if isinstance(entry, Mapping) else {"url": entry}
        channel, what = _channel(fields, place)
        channels += [channel] if channel.url else []
        troubles += [Trouble(channel.name, what)] if what else []
    return Directory(tuple(channels), tuple(troubles))


def _channel(fields: Mapping[str, Any], place: int) -> tuple[Channel, str]:
    """Read one channel; returns it, without an address if it has none that can be one, and what is wrong with it."""
    url = fields.get("url")
    schema = _SCHEMA.match(url.strip()) if isinstance(url, str) else None
    name = _name(fields.get("name")) or f"{place} ({schema[0].lower() if schema else 'no address'})"
    if not isinstance(url, str) or schema is None:
        return Channel(name, ""), "its url is no address (service://…)"
    wanted = fields.get("at_least", Severity.INFO)
    if not isinstance(wanted, str) or wanted not in set(Severity):
        return Channel(name, url.strip()), f"its at_least is none of {_SEVERITIES}: it hears of everything"
    return Channel(name, url.strip(), Severity(wanted)), ""


def _name(value: object) -> str:
    return redact(" ".join(value.split())[:MAX_NAME]) if isinstance(value, str) and "://" not in value else ""
