"""Errors in, their kind out: what a failure says about trying again.

The tree, as the author of a handler sees it::

    BackstopError
    ├── TransientError      try again later
    │   ├── NotPutBack      the stream did not take a record back
    │   └── CircuitOpen     a downstream is down, and its circuit lets no call through
    ├── PermanentError      trying again will never work
    │   ├── MalformedEvent  the body is not an event that the schema allows
    │   ├── MalformedDelivery  what CloudWatch Logs delivered cannot be read, or is too much
    │   ├── Crashed         running it killed its worker, more than once
    │   ├── AnswerTooLarge  a stream's record, transformed, is more than one answer carries
    │   ├── Circling        a stream's record was put back so often that it is not once more
    │   └── SameRecordId    two records of a batch go by one id
    ├── SystemFault         ours: permission, configuration, a missing resource
    │   ├── StoreUnavailable  a table did not answer
    │   └── NotPublished    the topic surely does not have an alert
    └── NotYet              its time has not come: nothing failed
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from backstop.carried import LONGEST_WAIT, attribute, http_status, mapping, parsed_retry_after, retry_after_header
from backstop.kinds import KIND_BY_AWS_CODE, KIND_BY_NAME, Kind


class BackstopError(Exception):
    """Anything that Backstop or a handler's author raises to say what kind of failure this is."""


class _Passing(BackstopError):
    """What time may mend.

    `retry_after` (seconds, or a `timedelta`; optional) is the least time to wait before it is tried again.
    """

    def __init__(self, *args: object, retry_after: float | timedelta | None = None) -> None:
        super().__init__(*args)
        self.retry_after = _as_timedelta(retry_after)


class TransientError(_Passing):
    """Raised when trying again later may work: the message is retried with backoff.

    `retry_after` (seconds, or a `timedelta`; optional) is the least time to wait before the next attempt.
    """


class NotPutBack(TransientError):
    """Raised when the stream did not take a record back, or may not have."""


class CircuitOpen(TransientError):
    """Raised instead of a call to a downstream whose circuit is open: the message waits, and no attempt is counted.

    `retry_after` is the least time until a call may go through, `open_for` how long the circuit stays open at a time.
    """

    def __init__(self, name: str, *, retry_after: timedelta, open_for: timedelta) -> None:
        super().__init__(f"the circuit {name} is open", retry_after=retry_after)
        self.name = name
        self.open_for = open_for
        self.fingerprint = f"circuit {name}"


class PermanentError(BackstopError):
    """Raised when trying again will never work: the message becomes a dead letter at once."""


class MalformedEvent(PermanentError):
    """Raised when a body is not UTF-8, not JSON, nested too deep, without an `id`, or not what the schema allows."""


class MalformedDelivery(PermanentError):
    """Raised when what CloudWatch Logs delivered cannot be read, or is more than may be inflated."""


class Crashed(PermanentError):
    """Raised instead of running an event that was running each time when a worker died."""


class AnswerTooLarge(PermanentError):
    """Raised when a stream's record, transformed, is more than one answer to Firehose carries."""


class Circling(PermanentError):
    """Raised when a stream's record would have to be put back once more than it may be."""


class SameRecordId(PermanentError):
    """Raised when two records of a batch go by one id, so that no answer could tell them apart."""


class SystemFault(_Passing):
    """Raised when the fault is ours, not the message's: it waits, and no attempt is counted.

    `retry_after` (seconds, or a `timedelta`; optional) is the least time to wait before it is tried again.
    """


class StoreUnavailable(SystemFault):
    """Raised when a table did not answer: what is known of an event, or a key, cannot be told or kept."""


class NotPublished(SystemFault):
    """Raised when the topic surely does not have an alert."""


class NotYet(BackstopError):
    """Raised when a message must wait until `until`: for its own time, or for another delivery of its event."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


Kinds = Mapping[type[BaseException], Kind]

_CHAIN_LIMIT = 10

_KIND_BY_OWN_TYPE: tuple[tuple[type[BackstopError], Kind], ...] = (
    (PermanentError, Kind.PERMANENT),
    (TransientError, Kind.TRANSIENT),
    (SystemFault, Kind.SYSTEM),
)

_TRANSIENT_STATUS = frozenset({408, 425, 429})
_TRANSIENT_SQLSTATE = re.compile(r"40001|08[0-9A-Z]{3}")
_SQLSTATE = re.compile(r"[0-9A-Z]{5}")


def classify(error: BaseException, kinds: Kinds | None = None) -> Kind:
    """Say which kind of failure `error` is.

    `kinds` is the handler's own table (`KINDS` in handler.py); it goes before the built-in ones. An error that no table
    knows is judged by its causes (`raise … from …`, at most 10 of them); the first that is known decides.
    """
    for link in _chain(error):
        kind = _kind_of(link, kinds or {})
        if kind is not Kind.UNKNOWN:
            return kind
    return Kind.UNKNOWN


def retry_after(error: BaseException, now: datetime) -> timedelta | None:
    """Return the least time to wait that the error, or the HTTP answer that it carries, asks for.

    Reads `retry_after` of Backstop's errors and the `Retry-After` header (seconds or an HTTP date, RFC 9110, 10.2.3) of
    HTTP clients' errors and botocore's. None where nothing asks.
    """
    for link in _chain(error):
        asked = attribute(link, "retry_after")
        if isinstance(asked, timedelta):
            return min(max(asked, timedelta(0)), LONGEST_WAIT)
        header = retry_after_header(link)
        if header is not None:
            return parsed_retry_after(header, now)
    return None


def was_refused(error: BaseException) -> CircuitOpen | None:
    """Return the refusal of an open circuit that the error is, or was caused by; None where there is none."""
    return next((link for link in _chain(error) if isinstance(link, CircuitOpen)), None)


def _as_timedelta(value: float | timedelta | None) -> timedelta | None:
    if value is None or isinstance(value, timedelta):
        return value
    return timedelta(seconds=value)


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(_CHAIN_LIMIT):
        if link is None:
            return
        yield link
        link = link.__cause__ or _wrapped(link)


def _wrapped(error: BaseException) -> BaseException | None:
    """Return what SQLAlchemy's and urllib's errors wrap without a cause."""
    for name in ("orig", "reason"):
        inner = attribute(error, name)
        if isinstance(inner, BaseException):
            return inner
    return None


def _kind_of(error: BaseException, kinds: Kinds) -> Kind:
    if kinds:
        for base in type(error).__mro__:
            if base in kinds:
                return kinds[base]
    for own, kind in _KIND_BY_OWN_TYPE:
        if isinstance(error, own):
            return kind
    return _kind_of_aws(error) or _kind_of_status(error) or _kind_of_sqlstate(error) or _kind_of_type(error)


def _kind_of_type(error: BaseException) -> Kind:
    for base in type(error).__mro__:
        kind = KIND_BY_NAME.get(f"{base.__module__}.{base.__qualname__}")
        if kind is not None:
            return kind
    return Kind.UNKNOWN


def _kind_of_aws(error: BaseException) -> Kind | None:
    response = mapping(attribute(error, "response"))
    reasons = response.get("CancellationReasons")
    found = [response.get("Error"), *(reasons if isinstance(reasons, (list, tuple)) else ())]
    codes = [str(mapping(one).get("Code")) for one in found]
    return next((KIND_BY_AWS_CODE[code] for code in codes if code in KIND_BY_AWS_CODE), None)


def _kind_of_status(error: BaseException) -> Kind | None:
    status = http_status(error)
    if status is None or not 400 <= status <= 599:
        return None
    if status >= 500 or status in _TRANSIENT_STATUS:
        return Kind.TRANSIENT
    if status in {401, 403}:
        return Kind.SYSTEM
    return Kind.PERMANENT


def _kind_of_sqlstate(error: BaseException) -> Kind | None:
    state = attribute(error, "sqlstate") or attribute(error, "pgcode")
    if not isinstance(state, str) or not _SQLSTATE.fullmatch(state):
        return None
    return Kind.TRANSIENT if _TRANSIENT_SQLSTATE.fullmatch(state) else None
