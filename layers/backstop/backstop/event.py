"""A message's body in, the event that it carries out: UTF-8, JSON, not too deep, with an id, as the schema has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from json import JSONDecodeError, JSONDecoder
from typing import Any, Final, NoReturn

import fastjsonschema
from fastjsonschema import JsonSchemaException

from backstop.errors import MalformedEvent

MAX_DEPTH: Final = 64
"""How deep an event may be nested: far more than people write, far less than the interpreter's stack."""

MAX_ID_LENGTH: Final = 256

_TOO_DEEP: Final = f"nested deeper than {MAX_DEPTH} levels"

Event = dict[str, Any]
Parse = Callable[[str], Event]


def parser(schema: Mapping[str, Any]) -> Parse:
    """Compile a JSON Schema (drafts 4, 6 or 7) into a function from a body to its event.

    The function raises MalformedEvent, which says what is wrong and where, never with the value that was wrong. Of a
    key that stands twice in an object, the last counts (RFC 8259 leaves it open).
    """
    validate: Callable[[Any], Any] = fastjsonschema.compile(dict(schema), use_default=False)

    def parse(body: str) -> Event:
        event = _decode(body)
        if type(event) is not dict:
            raise MalformedEvent(f"an event is a JSON object; this is a {type(event).__name__}")
        try:
            validate(event)
        except JsonSchemaException as error:
            raise MalformedEvent(f"not what the schema allows: {error}") from None
        event_id = event.get("id")
        if type(event_id) is not str or not 0 < len(event_id) <= MAX_ID_LENGTH:
            raise MalformedEvent(f"an event has an `id`: a string of 1 to {MAX_ID_LENGTH} characters")
        return event

    return parse


def _reject_constant(name: str) -> NoReturn:
    raise MalformedEvent(f"{name} is not JSON")


_decoder = JSONDecoder(parse_constant=_reject_constant)
_scan = _decoder.scan_once  # type: ignore[attr-defined]  # the C scanner: `decode` without its two regular expressions


def _decode(body: str) -> Any:
    try:
        value, end = _scan(body, 0)
        if end != len(body):  # white space around it, or more than one value
            value = _decoder.decode(body)
    except StopIteration:
        value = _decode_padded(body)
    except RecursionError:
        raise MalformedEvent(_TOO_DEEP) from None
    except JSONDecodeError as error:
        raise _not_json(error) from None
    if body.count("{") + body.count("[") > MAX_DEPTH:
        _require_shallow(value)
    if "\\u" in body or not body.isascii():
        _require_utf8(value)
    return value


def _decode_padded(body: str) -> Any:
    """Decode what does not begin with a value: white space before it, or nothing that is JSON."""
    try:
        return _decoder.decode(body)
    except RecursionError:
        raise MalformedEvent(_TOO_DEEP) from None
    except JSONDecodeError as error:
        raise _not_json(error) from None


def _not_json(error: JSONDecodeError) -> MalformedEvent:
    return MalformedEvent(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}")


def _require_shallow(value: Any) -> None:
    """Walk level by level, so that depth costs no stack."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise MalformedEvent(_TOO_DEEP)


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        node = node.values()
    elif not isinstance(node, list):
        return []
    return [child for child in node if isinstance(child, (dict, list))]


def _require_utf8(value: Any) -> None:
    """Reject lone surrogates, which JSON can spell and nothing else can carry."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedEvent("not UTF-8: a lone surrogate") from None
