"""A dead letter in, a line of NDJSON out; and such a line in, what puts the letter back as it was out."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backstop.letter import Letter
from backstop.message import MAX_ATTRIBUTES, MAX_BYTES
from backstop.trail import ATTRIBUTE, Trail
from ops.ndjson import object_of
from ops.times import iso

VERSION: Final = 1

_FIFO: Final = ".fifo"
_NEEDED: Final = ("version", "queue", "message_id", "body")
_OPTIONAL: Final = (
    "event_id", "source_queue", "reason", "group", "sent_at", "died_at", "key", "sequence", "trace_header",
)  # fmt: skip
_MESSAGE_ID: Final = re.compile(r"[\w-]{1,100}", re.ASCII)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}")
_NAME: Final = re.compile(r"[\w.-]{1,256}", re.ASCII)
_TYPE: Final = re.compile(r"(String|Number|Binary)(\.[\x21-\x7e]{1,200})?")
_UNSENDABLE: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that SQS takes in no message (SQS API Reference, SendMessage)."""

Attributes = Mapping[str, Mapping[str, Any]]


class BadLine(ValueError):
    """Raised when a line is no exported letter of this stack; its text says what is wrong and how to fix it."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A dead letter as it is put back. `attributes` are in SQS's own shape, the history among them."""

    queue: str
    """The name of the dead-letter queue that it came from."""
    message_id: str
    """What it was called there; put back, SQS calls it otherwise."""
    body: str
    attributes: Attributes
    key: str = ""
    trace_header: str = ""

    @property
    def size(self) -> int:
        """What it counts against 1 MiB."""
        return len(self.body.encode()) + sum(
            len(name) + len(one["DataType"]) + len(one.get("BinaryValue") or one["StringValue"].encode())
            for name, one in self.attributes.items()
        )

    @property
    def system(self) -> dict[str, Any]:
        """Return what SQS itself is told of it, besides body and attributes.

        The id by which a FIFO queue knows duplicates is made of the message's: read twice, a line counts once.
        It is not that id itself: by that, the queue may know the letter that it has been taken from.
        """
        told: dict[str, Any] = {"MessageGroupId": self.key} if self.key else {}
        if self.queue.endswith(_FIFO):
            told["MessageDeduplicationId"] = f"imported-{self.message_id}"
        if self.trace_header:
            header = {"DataType": "String", "StringValue": self.trace_header}
            told["MessageSystemAttributes"] = {"AWSTraceHeader": header}
        return told


def line(letter: Letter) -> str:
    """Return a letter as one line of ASCII, its end not included: all that it takes to put it back, and to read it."""
    system, attributes = letter.record["attributes"], dict(letter.record.get("messageAttributes") or {})
    history = attributes.pop(ATTRIBUTE, None)
    told: dict[str, Any] = {
        "version": VERSION,
        "queue": letter.place,
        "message_id": letter.message_id,
        "event_id": letter.event_id,
        "source_queue": letter.source_queue,
        "reason": letter.reason,
        "group": letter.trail.group,
        "sent_at": iso(letter.sent_at),
        "died_at": iso(letter.died_at),
        "key": system.get("MessageGroupId", ""),
        "sequence": _sequence(letter),
        "trace_header": system.get("AWSTraceHeader", ""),
        "attributes": {name: _told(value) for name, value in attributes.items()},
        "history": None if history is None else _told(history),
        "body": letter.record["body"],
    }
    return json.dumps({name: value for name, value in told.items() if value not in ("", None)})


def _sequence(letter: Letter) -> str:
    """Return its place among its key's events; what was sent to a dead-letter queue has another number there."""
    moved_as = letter.record["attributes"].get("SequenceNumber", "") if letter.is_moved_by_sqs else ""
    return str(letter.trail.sequence or moved_as)


def read(text: str, queues: frozenset[str]) -> Exported:
    """Read a line. `queues` are the names of the stack's dead-letter queues. Raises BadLine."""
    told = _object(text)
    queue, key = told["queue"], told.get("key", "")
    if queue not in queues:
        raise BadLine(f"{queue} is no dead-letter queue of this stack: name the stack that it was exported from")
    if not _MESSAGE_ID.fullmatch(told["message_id"]):
        raise BadLine("`message_id` has 1 to 100 letters, digits, hyphens: put back the one that was exported")
    if (key or queue.endswith(_FIFO)) and not _KEY.fullmatch(key):
        raise BadLine("`key` is a MessageGroupId, 1 to 128 ASCII characters without blanks; a .fifo queue needs one")
    attributes = _attributes(told)
    for name in ("body", "trace_header"):
        if unsendable := _UNSENDABLE.search(told.get(name, "")):
            raise BadLine(f"`{name}` has a character that SQS does not take (U+{ord(unsendable[0]):04X}): take it out")
    found = Exported(queue, told["message_id"], told["body"], attributes, key, told.get("trace_header", ""))
    if found.size > MAX_BYTES:
        raise BadLine(f"{found.size:,} bytes; SQS takes at most {MAX_BYTES:,}: shorten it")
    return found


def _object(text: str) -> dict[str, Any]:
    """Return a line's fields: texts where texts are expected, and none that is unknown."""
    try:
        told = object_of(text)
    except ValueError as error:
        raise BadLine(f"{error}: a line is one exported letter, as `backstop dlq export` writes it") from None
    missing = [name for name in _NEEDED if name not in told]
    if missing:
        raise BadLine(f"no `{missing[0]}`: a line is one exported letter, as `backstop dlq export` writes it")
    if type(told["version"]) is not int or told["version"] != VERSION:
        raise BadLine(f"`version` is not {VERSION}: it was not written by this release's `backstop dlq export`")
    unknown = sorted(told.keys() - {*_NEEDED, *_OPTIONAL, "attributes", "history"})
    if unknown:
        raise BadLine(f"`{unknown[0]}` is not known: take it out")
    for name in (*_NEEDED[1:], *_OPTIONAL):
        if not isinstance(told.get(name, ""), str) or (name in _NEEDED and not told[name]):
            raise BadLine(f"`{name}` is not a text, or empty: put back what was exported")
    return told


def _attributes(told: Mapping[str, Any]) -> Attributes:
    given = told.get("attributes", {})
    if not isinstance(given, dict) or ATTRIBUTE in given:
        raise BadLine(f"`attributes` is not an object of the sender's own: `{ATTRIBUTE}` stands in `history`")
    attributes = {name: _attribute(name, value) for name, value in given.items()}
    history = told.get("history")
    if history is not None:
        attributes[ATTRIBUTE] = _attribute(ATTRIBUTE, history)
    elif origin := _origin(told):
        attributes = {ATTRIBUTE: origin, **attributes} if len(attributes) < MAX_ATTRIBUTES else attributes
    if len(attributes) > MAX_ATTRIBUTES:
        raise BadLine(f"{len(attributes)} attributes, the history included; SQS takes {MAX_ATTRIBUTES}: take some out")
    return attributes


def _attribute(name: str, value: Any) -> dict[str, Any]:
    """Return an attribute in SQS's own shape."""
    if not _NAME.fullmatch(name):
        raise BadLine("an attribute's name has 1 to 256 letters, digits, hyphens, underscores and dots: rename it")
    fields = value if isinstance(value, dict) else {}
    data_type = fields.get("type")
    if not isinstance(data_type, str) or not _TYPE.fullmatch(data_type):
        raise BadLine(f"attribute `{name}`: its `type` is not String, Number or Binary")
    field = "base64" if data_type.startswith("Binary") else "text"
    content = fields.get(field)
    if not isinstance(content, str) or not content or len(fields) > 2:
        raise BadLine(f"attribute `{name}`: of type {data_type} it has a `{field}`, not empty, and nothing else")
    if field == "text":
        if _UNSENDABLE.search(content):
            raise BadLine(f"attribute `{name}` has a character that SQS does not take: take it out")
        return {"DataType": data_type, "StringValue": content}
    try:
        return {"DataType": data_type, "BinaryValue": base64.b64decode(content, validate=True)}
    except (binascii.Error, ValueError):
        raise BadLine(f"attribute `{name}`: its `base64` is none") from None


def _origin(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a history for a letter that has none: where it came from.

    SQS itself moved it, and knew that; of a letter that is sent there, it would not.
    """
    if not told.get("source_queue"):
        return None
    fields = {name: told.get(name, "") for name in ("event_id", "source_queue", "key", "sequence")}
    return {"DataType": "String", "StringValue": Trail(**fields).serialise()}


def _told(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an attribute, as Lambda hands it over, as it is written."""
    if value.get("stringValue") is not None:
        return {"type": value["dataType"], "text": value["stringValue"]}
    return {"type": value["dataType"], "base64": value.get("binaryValue", "")}
