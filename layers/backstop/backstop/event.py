"""A message's body in, the event that it carries out: UTF-8, JSON, not too deep, with an id, as the schema has it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from json import JSONDecodeError, JSONDecoder
from math import isinf
from typing import Any, Final, NoReturn

import fastjsonschema
from fastjsonschema import JsonSchemaValueException

from backstop.errors import MalformedEvent

MAX_DEPTH: Final = 64
"""How deep an event may be nested: far more than people write, far less than the interpreter's stack."""

MAX_ID_LENGTH: Final = 256

_UNBOUNDED: Final = "a number beyond all bounds"
_TOO_DEEP: Final = f"nested deeper than {MAX_DEPTH} levels"

Event = dict[str, Any]
Parse = Callable[[str], Event]


def parser(schema: Mapping[str, Any]) -> Parse:
    """Compile a JSON Schema (drafts 4, 6 or 7) into a function from a body to its event.

    The function raises MalformedEvent, which says what is wrong and where, never with the value that was wrong. Of a
    key that stands twice in an object, the last counts (RFC 8259 leaves it open).
    """
    return _reader(schema, _decode, needs_id=True)


def checker(schema: Mapping[str, Any]) -> Callable[[Any], Event]:
    """Compile a JSON Schema (drafts 4, 6 or 7) into a function that lets through what it allows, if it is an object.

    The function raises MalformedEvent, as `parser`'s does.
    """
    return _reader(schema, lambda value: value, needs_id=False)


def _reader(schema: Mapping[str, Any], decode: Callable[[Any], Any], *, needs_id: bool) -> Callable[[Any], Event]:
    validate: Callable[[Any], Any] = fastjsonschema.compile(dict(schema), use_default=False)
    names = _names(schema)

    def read(given: Any) -> Event:
        event = decode(given)
        if type(event) is not dict:
            raise MalformedEvent(f"an event is a JSON object; this is a {type(event).__name__}")
        try:
            validate(event)
        except JsonSchemaValueException as error:
            raise MalformedEvent(f"not what the schema allows: {_told(error, names)}") from None
        except (ArithmeticError, RecursionError):
            raise MalformedEvent(_UNBOUNDED) from None
        if needs_id:
            event_id = event.get("id")
            if type(event_id) is not str or not 0 < len(event_id) <= MAX_ID_LENGTH:
                raise MalformedEvent(f"an event has an `id`: a string of 1 to {MAX_ID_LENGTH} characters")
        return event

    return read


def _names(schema: Any) -> frozenset[str]:
    """Return every name that stands in a schema."""
    if isinstance(schema, Mapping):
        return frozenset(schema).union(*(_names(value) for value in schema.values()))
    if isinstance(schema, list):
        return frozenset().union(*(_names(value) for value in schema))
    return frozenset()


def _told(error: JsonSchemaValueException, names: frozenset[str]) -> str:
    """Say what is wrong and where, without names that a sender made up."""
    root, *path = error.path
    where = "".join(f"[{part}]" if part.isdecimal() else f".{part if part in names else '*'}" for part in path)
    return f"{root}{where}{error.message.removeprefix(error.name or root)}"


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise MalformedEvent(_UNBOUNDED)
    return number


def _reject_constant(name: str) -> NoReturn:
    raise MalformedEvent(f"{name} is not JSON")


_decoder = JSONDecoder(parse_constant=_reject_constant, parse_float=_finite)
_scan = _decoder.scan_once  # type: ignore[attr-defined]  # the C scanner: `decode` without its two regular expressions


_skip = re.compile(r"[ \t\n\r]*").match


def decode_all(text: str, max_values: int) -> list[Any]:
    """Read one JSON value after the other, with or without white space between them. Raises MalformedEvent."""
    values: list[Any] = []
    try:
        end = _skip(text, 0).end()  # type: ignore[union-attr]  # it always matches
        while end < len(text):
            try:
                value, end = _scan(text, end)
            except StopIteration as at:
                raise JSONDecodeError("Expecting value", text, at.value) from None
            if len(values) == max_values:
                raise MalformedEvent(f"more than {max_values:,} values in a row")
            values.append(value)
            end = _skip(text, end).end()  # type: ignore[union-attr]
    except (ValueError, RecursionError) as error:
        raise _malformed(error) from None
    _require_sound(text, values)
    return values


def _decode(body: str) -> Any:
    try:
        try:
            value, end = _scan(body, 0)
        except StopIteration:  # no value begins here
            value, end = None, -1
        if end != len(body):  # white space around it, more than one value, or nothing that is JSON
            value = _decoder.decode(body)
    except (ValueError, RecursionError) as error:
        raise _malformed(error) from None
    if body.count("{") + body.count("[") > MAX_DEPTH or "\\u" in body or not body.isascii():
        _require_sound(body, [value])  # which asks again: a call saved for almost every message
    return value


def _require_sound(text: str, values: list[Any]) -> None:
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _require_shallow(values)
    if "\\u" in text or not text.isascii():
        _require_utf8(values)


def _malformed(error: Exception) -> MalformedEvent:
    if isinstance(error, JSONDecodeError):
        return MalformedEvent(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}")
    return MalformedEvent(_TOO_DEEP if isinstance(error, RecursionError) else _UNBOUNDED)


def _require_shallow(level: list[Any]) -> None:
    """Walk level by level, so that depth costs no stack."""
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
