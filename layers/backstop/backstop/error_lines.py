"""A log line that is no pipeline event in, the failure that it tells of out: an ERROR line, a traceback, a crash."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from backstop import errors, tracebacks
from backstop.kinds import KIND_BY_AWS_CODE, KIND_BY_NAME, Kind

CRASHES: Final[Mapping[str, str]] = {
    "Timeout": "the function timed out",
    "OutOfMemory": "the function ran out of memory",
    "Exit": "the runtime exited",
}
"""What a worker dies of, and what is said of it: the same, whichever line tells of it."""

_CRASH_BY_ERROR: Final = {
    "Sandbox.Timedout": "Timeout",
    "Runtime.OutOfMemory": "OutOfMemory",
    "Runtime.ExitError": "Exit",
}
_LEVELS: Final = frozenset({"ERROR", "CRITICAL", "FATAL", 50, 60})  # numbers as pino and bunyan write them
_MAX_TEXT: Final = 2048
_MAX_STACK: Final = 500

_TIMED_OUT: Final = re.compile(r"(?:[\dT:.-]{10,30}Z )?(?:([\w-]{1,64}) )?Task timed out after [\d.]{1,12} seconds")
_EXITED: Final = re.compile(r"(?:RequestId: (\S{1,64}) )?(?:Error: )?(Runtime exited[^\n]{0,200})")
_REPORTED: Final = re.compile(
    r"REPORT RequestId: (\S{1,64})\t[^\n]{0,512}\tStatus: (\w{1,32})(?:\tError Type: ([\w.]{1,64}))?"
)
_LEVELLED: Final = re.compile(r"[^\[\]\n]{0,80}\[(DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\](\t| |)")
_LOGGED: Final = re.compile(r"[\dT:.+-]{10,35}Z?\t([\w-]{0,64})\t")
_AWS_CODE: Final = re.compile(r"An error occurred \((\w{1,64})\)")  # botocore's ClientError
_OF_THE_RUNTIME: Final = "Runtime."  # Lambda could not even start the function, or end its invocation
_KIND_BY_OWN_TYPE: Final = (
    (errors.PermanentError, Kind.PERMANENT),
    (errors.TransientError, Kind.TRANSIENT),
    (errors.SystemFault, Kind.SYSTEM),
)
_DERIVED: Final = {  # the names of what is often raised of types that are known: a text does not tell of bases
    "JSONDecodeError": Kind.PERMANENT,
    "ReadTimeout": Kind.TRANSIENT,
    "ConnectTimeout": Kind.TRANSIENT,
    "ReadTimeoutError": Kind.TRANSIENT,
    "ConnectTimeoutError": Kind.TRANSIENT,
    "EndpointConnectionError": Kind.TRANSIENT,
}
_KIND_BY_SIMPLE_NAME: Final = _DERIVED | {tracebacks.simple_name(name): kind for name, kind in KIND_BY_NAME.items()}
_RAISED: Final = re.compile(r"([^\W\d][\w.]{0,250})(?:: (.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a log line tells of a failure: none of its texts is redacted.

    `is_unhandled` says that Lambda tells of what the function raised, of which the function may have told before.
    """

    error_type: str = ""
    text: str = ""
    frames: tuple[str, ...] = ()
    where: str = ""
    request_id: str = ""
    is_crash: bool = False
    is_unhandled: bool = False


def in_json(fields: Mapping[str, Any]) -> Failure | None:
    """Read a line of JSON: what is no ERROR and no crash is none."""
    if fields.get("type") == "platform.report":
        return _reported(_mapping(fields.get("record")))
    if not _is_error(fields):
        return None
    request_id = _first(fields, "requestId", "request_id", "function_request_id", "awsRequestId", "aws_request_id")
    inner = next(_inner(fields), {})
    error_type = _first(fields, "errorType", "exception_name", "error_type") or _first(
        inner, "errorType", "type", "name", "exc_type", "code"
    )
    if error_type in _CRASH_BY_ERROR:
        return _crash(_CRASH_BY_ERROR[error_type], request_id)
    is_unhandled = "errorType" in (fields if "message" not in fields else _mapping(fields["message"]))
    found = _traceback(fields, inner)
    text = found.message or _message(fields, inner)
    return Failure(
        error_type=found.error_type or error_type,
        text=text,
        frames=found.frames,
        where=found.where,
        request_id=request_id,
        is_unhandled=is_unhandled,
    )


def in_text(text: str) -> Failure | None:
    """Read a line of plain text: a crash, an ERROR line, or a traceback that stands for itself."""
    crash = _crash_in(text)
    if crash:
        return crash
    level = _LEVELLED.match(text)
    if level and level[1] not in _LEVELS:
        return None
    found = tracebacks.parse(text)
    if level:
        return _error_in(text[level.end() :], found, is_lambda=level.start() == 0 and level[2] == " ")
    if found:
        text = found.message or ("" if found.error_type else tracebacks.HEADER)
        return Failure(found.error_type, text, found.frames, found.where)
    return None


def kind_of(failure: Failure) -> Kind:
    """Say which kind of failure it is, as far as the type's name says: a type that was derived elsewhere is unknown."""
    if failure.is_crash or failure.error_type.startswith(_OF_THE_RUNTIME):
        return Kind.SYSTEM
    name = tracebacks.simple_name(failure.error_type)
    code = _AWS_CODE.match(failure.text)
    by_code = KIND_BY_AWS_CODE.get(code[1] if code else name)
    return by_code or _kind_of_type(name) or _KIND_BY_SIMPLE_NAME.get(name, Kind.UNKNOWN)


def _kind_of_type(name: str) -> Kind | None:
    found = getattr(builtins, name, None) or getattr(errors, name, None)
    if not isinstance(found, type):
        return None
    for own, kind in _KIND_BY_OWN_TYPE:
        if issubclass(found, own):
            return kind
    kinds = (KIND_BY_NAME.get(f"{base.__module__}.{base.__qualname__}") for base in found.__mro__)
    return next(filter(None, kinds), None)


def _crash_in(text: str) -> Failure | None:
    timed_out = _TIMED_OUT.match(text)
    if timed_out:
        return _crash("Timeout", timed_out[1] or "")
    exited = _EXITED.match(text)
    if exited:
        crash = "OutOfMemory" if "Runtime.OutOfMemory" in text else "Exit"
        return _crash(crash, exited[1] or "", exited[2])
    report = _REPORTED.match(text)
    return _reported({"requestId": report[1], "status": report[2], "errorType": report[3]}) if report else None


def _error_in(text: str, found: tracebacks.Traceback | None, *, is_lambda: bool) -> Failure:
    logged = _LOGGED.match(text)
    request_id = logged[1] if logged else ""
    text = text[logged.end() if logged else 0 :]
    before = text[: max(text.find(tracebacks.HEADER), 0)].strip() if found else text[:_MAX_TEXT].strip()
    if found is None:
        return Failure("", before, request_id=request_id)
    if found.error_type:
        return Failure(found.error_type, found.message, found.frames, found.where, request_id)
    raised = _RAISED.fullmatch(before[:_MAX_TEXT]) if is_lambda else None  # Lambda writes what was raised first
    error_type, message = (raised[1], raised[2] or "") if raised else ("", before[:_MAX_TEXT])
    return Failure(error_type, message, found.frames, found.where, request_id, is_unhandled=is_lambda)


def _reported(record: Mapping[str, Any]) -> Failure | None:
    """Read Lambda's report of an invocation; what the function raised itself, it told of in a line of its own."""
    crash = _CRASH_BY_ERROR.get(_first(record, "errorType")) or ("Timeout" if record.get("status") == "timeout" else "")
    return _crash(crash, _first(record, "requestId")) if crash else None


def _crash(error_type: str, request_id: str, text: str = "") -> Failure:
    return Failure(error_type, text or CRASHES[error_type], request_id=request_id, is_crash=True)


def _is_error(fields: Mapping[str, Any]) -> bool:
    level = next((fields[name] for name in ("level", "log_level", "severity", "levelname") if name in fields), None)
    if level is None:  # Lambda wrote some of its own without one
        return "errorType" in fields and "stackTrace" in fields
    if isinstance(level, str):
        return level.upper() in _LEVELS
    return isinstance(level, int) and level in _LEVELS


def _inner(fields: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what describes an error within a line: as Node's loggers, structlog and Lambda write it."""
    for name in ("err", "error", "exception", "message", "msg"):
        value = fields.get(name)
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, dict):
            yield first


def _traceback(fields: Mapping[str, Any], inner: Mapping[str, Any]) -> tracebacks.Traceback:
    for value in (fields.get("exception"), fields.get("stack_trace"), inner.get("stack"), fields.get("message")):
        found = tracebacks.parse(value) if isinstance(value, str) else None
        if found:
            return found
    stack = fields.get("stackTrace") or inner.get("stackTrace")
    lines = [line for line in islice(stack, _MAX_STACK) if isinstance(line, str)] if isinstance(stack, list) else []
    frames, where = tracebacks.frames_in(line for some in lines for line in some.splitlines())
    return tracebacks.Traceback("", "", frames, where)


def _message(fields: Mapping[str, Any], inner: Mapping[str, Any]) -> str:
    text = _first(fields, "errorMessage") or _first(inner, "errorMessage", "message", "exc_value", "value")
    text = text or _first(fields, "message", "msg", "event", "error", "err", "exception")
    why = _first(fields, "why") if fields.get("service") == "backstop" else ""
    return (f"{text}: {why}" if why else text)[:_MAX_TEXT]


def _first(fields: Mapping[str, Any], *names: str) -> str:
    """Return the first of some fields that is a text and has one, its start."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value:
            return value[:_MAX_TEXT]
    return ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
