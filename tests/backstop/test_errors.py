from __future__ import annotations

import json
import ssl
import urllib.error
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, NoReturn

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError

from backstop.errors import (
    Crashed,
    Kinds,
    MalformedEvent,
    PermanentError,
    StoreUnavailable,
    SystemFault,
    TransientError,
    classify,
    retry_after,
)
from backstop.kinds import Kind
from tests.backstop import NOW

TRANSIENT, PERMANENT, SYSTEM, UNKNOWN = Kind.TRANSIENT, Kind.PERMANENT, Kind.SYSTEM, Kind.UNKNOWN


def foreign(name: str, base: type[Exception] = Exception, **attributes: object) -> Exception:
    """Return an error of a class that goes by a library's name, so that no test needs the library."""
    module, _, class_name = name.rpartition(".")
    error: Exception = type(class_name, (base,), {"__module__": module})("boom")
    vars(error).update(attributes)
    return error


def subclass_of(name: str) -> Exception:
    return foreign("team.errors.Own", type(foreign(name)))


def client_error(code: str, status: int = 400, **answer: Any) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}} | answer
    return ClientError(response, "Operation")


def cancelled(*codes: str | None) -> ClientError:
    """Return what TransactWriteItems raises, with the reason of each of its items."""
    reasons = [{"Code": code or "None"} for code in codes]
    return client_error("TransactionCanceledException", CancellationReasons=reasons)


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


BY_TYPE: Mapping[str, tuple[BaseException, Kind]] = {
    "own transient": (TransientError(), TRANSIENT),
    "own permanent": (PermanentError(), PERMANENT),
    "own system": (SystemFault(), SYSTEM),
    "malformed event": (MalformedEvent(), PERMANENT),
    "crashed": (Crashed(), PERMANENT),
    "store unavailable": (StoreUnavailable(), SYSTEM),
    "team's own, derived": (foreign("handler.PriceNotPublished", TransientError), TRANSIENT),
    "connection refused": (ConnectionRefusedError(), TRANSIENT),
    "connection reset": (ConnectionResetError(), TRANSIENT),
    "broken pipe": (BrokenPipeError(), TRANSIENT),
    "timeout": (TimeoutError(), TRANSIENT),
    "interrupted": (InterruptedError(), TRANSIENT),
    "would block": (BlockingIOError(), TRANSIENT),
    "name resolution": (foreign("socket.gaierror", OSError), TRANSIENT),
    "half an answer": (foreign("http.client.IncompleteRead"), TRANSIENT),
    "requests: connection": (foreign("requests.exceptions.ConnectionError", OSError), TRANSIENT),
    "requests: timeout": (foreign("requests.exceptions.Timeout", OSError), TRANSIENT),
    "requests: derived": (subclass_of("requests.exceptions.Timeout"), TRANSIENT),
    "requests: bad address": (foreign("requests.exceptions.InvalidURL", ValueError), PERMANENT),
    "httpx: transport": (subclass_of("httpx.TransportError"), TRANSIENT),
    "urllib3: timeout": (foreign("urllib3.exceptions.TimeoutError"), TRANSIENT),
    "aiohttp: connection": (subclass_of("aiohttp.client_exceptions.ClientConnectionError"), TRANSIENT),
    "urllib: refused": (urllib.error.URLError(ConnectionRefusedError()), TRANSIENT),
    "urllib: certificate": (urllib.error.URLError(ssl.SSLCertVerificationError()), SYSTEM),
    "certificate": (ssl.SSLCertVerificationError(), SYSTEM),
    "access denied to a file": (PermissionError(), SYSTEM),
    "missing file": (FileNotFoundError(), SYSTEM),
    "missing module": (ModuleNotFoundError(), SYSTEM),
    "out of memory": (MemoryError(), SYSTEM),
    "not JSON": (json.JSONDecodeError("no", "", 0), PERMANENT),
    "not UTF-8": (UnicodeDecodeError("utf-8", b"", 0, 1, "no"), PERMANENT),
    "fastjsonschema": (foreign("fastjsonschema.exceptions.JsonSchemaException"), PERMANENT),
    "jsonschema": (foreign("jsonschema.exceptions.ValidationError"), PERMANENT),
    "value": (ValueError(), PERMANENT),
    "type": (TypeError(), PERMANENT),
    "missing key": (KeyError(), PERMANENT),
    "index": (IndexError(), PERMANENT),
    "attribute": (AttributeError(), PERMANENT),
    "division by zero": (ZeroDivisionError(), PERMANENT),
    "assertion": (AssertionError(), PERMANENT),
    "unbound name": (UnboundLocalError(), PERMANENT),
    "not implemented": (NotImplementedError(), PERMANENT),
    "recursion": (RecursionError(), PERMANENT),
    "bare": (Exception(), UNKNOWN),
    "runtime": (RuntimeError(), UNKNOWN),
    "operating system": (OSError(), UNKNOWN),
    "a name like a known one": (foreign("team.errors.TimeoutError"), UNKNOWN),
}

BOTOCORE: Mapping[str, tuple[BaseException, Kind]] = {
    "no endpoint": (botocore.exceptions.EndpointConnectionError(endpoint_url="u"), TRANSIENT),
    "connect timeout": (botocore.exceptions.ConnectTimeoutError(endpoint_url="u"), TRANSIENT),
    "read timeout": (botocore.exceptions.ReadTimeoutError(endpoint_url="u"), TRANSIENT),
    "connection closed": (botocore.exceptions.ConnectionClosedError(endpoint_url="u"), TRANSIENT),
    "proxy": (botocore.exceptions.ProxyConnectionError(proxy_url="u"), TRANSIENT),
    "no credentials": (botocore.exceptions.NoCredentialsError(), SYSTEM),
    "no region": (botocore.exceptions.NoRegionError(), SYSTEM),
    "throttled": (client_error("ThrottlingException"), TRANSIENT),
    "throughput": (client_error("ProvisionedThroughputExceededException"), TRANSIENT),
    "too many requests": (client_error("TooManyRequestsException", 429), TRANSIENT),
    "internal": (client_error("InternalServerError", 500), TRANSIENT),
    "unavailable": (client_error("ServiceUnavailable", 503), TRANSIENT),
    "request timeout at 400": (client_error("RequestTimeout", 400), TRANSIENT),
    "conflict": (client_error("TransactionConflictException"), TRANSIENT),
    "access denied at 400": (client_error("AccessDeniedException", 400), SYSTEM),
    "access denied at 403": (client_error("AccessDenied", 403), SYSTEM),
    "expired token": (client_error("ExpiredTokenException"), SYSTEM),
    "no table": (client_error("ResourceNotFoundException"), SYSTEM),
    "no queue": (client_error("AWS.SimpleQueueService.NonExistentQueue"), SYSTEM),
    "no bucket": (client_error("NoSuchBucket", 404), SYSTEM),
    "no object": (client_error("NoSuchKey", 404), PERMANENT),
    "condition": (client_error("ConditionalCheckFailedException"), PERMANENT),
    "validation": (client_error("ValidationException"), PERMANENT),
    "unknown code, no status": (client_error("Odd", 0), UNKNOWN),
    "transaction: conflict": (cancelled(None, "TransactionConflict"), TRANSIENT),
    "transaction: throughput": (cancelled("ProvisionedThroughputExceeded", None), TRANSIENT),
    "transaction: conflict beside a condition": (
        cancelled("ConditionalCheckFailed", "TransactionConflict"),
        TRANSIENT,
    ),
    "transaction: condition": (cancelled(None, "ConditionalCheckFailed"), PERMANENT),
    "transaction: no reasons": (client_error("TransactionCanceledException"), PERMANENT),
}


@pytest.mark.parametrize(("error", "kind"), BY_TYPE.values(), ids=BY_TYPE)
def test_a_type_has_a_kind(error: BaseException, kind: Kind) -> None:
    assert classify(error) is kind


@pytest.mark.parametrize(("error", "kind"), BOTOCORE.values(), ids=BOTOCORE)
def test_an_aws_error_has_the_kind_of_its_code_or_its_status(error: BaseException, kind: Kind) -> None:
    assert classify(error) is kind


STATUSES = {
    400: PERMANENT, 401: SYSTEM, 403: SYSTEM, 404: PERMANENT, 408: TRANSIENT, 409: PERMANENT, 422: PERMANENT,
    425: TRANSIENT, 429: TRANSIENT, 500: TRANSIENT, 502: TRANSIENT, 503: TRANSIENT, 504: TRANSIENT, 599: TRANSIENT,
    200: UNKNOWN, 304: UNKNOWN, 600: UNKNOWN,
}  # fmt: skip
CARRIERS: Mapping[str, Callable[[int], BaseException]] = {
    "requests, httpx": lambda status: foreign(
        "httpx.HTTPStatusError", response=SimpleNamespace(status_code=status, headers={})
    ),
    "aiohttp": lambda status: foreign("aiohttp.ClientResponseError", status=status),
    "urllib": lambda status: urllib.error.HTTPError("u", status, "", {}, None),  # type: ignore[arg-type]
    "botocore": lambda status: client_error("Unlisted", status),
}


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
@pytest.mark.parametrize("carrier", CARRIERS)
def test_an_http_status_has_the_same_kind_whoever_carries_it(carrier: str, status: int, kind: Kind) -> None:
    assert classify(CARRIERS[carrier](status)) is kind


@pytest.mark.parametrize("status", [True, "503", 503.0, None])
def test_a_status_that_is_no_whole_number_says_nothing(status: object) -> None:
    assert classify(foreign("team.Odd", status=status)) is UNKNOWN


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        pytest.param({"sqlstate": "40001"}, TRANSIENT, id="serialisation failure"),
        pytest.param({"pgcode": "40001"}, TRANSIENT, id="serialisation failure, psycopg2"),
        pytest.param({"sqlstate": "08006"}, TRANSIENT, id="connection failure"),
        pytest.param({"sqlstate": "08P01"}, TRANSIENT, id="protocol violation"),
        pytest.param({"orig": foreign("asyncpg.Error", sqlstate="08006")}, TRANSIENT, id="wrapped by SQLAlchemy"),
        pytest.param({"sqlstate": "23505"}, UNKNOWN, id="unique violation"),
        pytest.param({"sqlstate": "0800"}, UNKNOWN, id="too short"),
        pytest.param({"sqlstate": 40001}, UNKNOWN, id="a number"),
    ],
)
def test_an_sqlstate_has_a_kind(attributes: Mapping[str, Any], kind: Kind) -> None:
    assert classify(foreign("driver.Error", **attributes)) is kind


class TestCauses:
    def test_the_first_error_that_is_known_decides(self) -> None:
        assert classify(caused(RuntimeError(), caused(OSError(), TimeoutError()))) is TRANSIENT
        assert classify(caused(ValueError(), TimeoutError())) is PERMANENT

    def test_only_what_was_raised_from_it_is_a_cause(self) -> None:
        error = RuntimeError()
        error.__context__ = TimeoutError()
        assert classify(error) is UNKNOWN

    @pytest.mark.parametrize(("depth", "kind"), [(9, TRANSIENT), (10, UNKNOWN), (10_000, UNKNOWN)])
    def test_ten_errors_of_a_chain_are_looked_at(self, depth: int, kind: Kind) -> None:
        error: BaseException = TimeoutError()
        for _ in range(depth):
            error = caused(RuntimeError(), error)
        assert classify(error) is kind

    @pytest.mark.parametrize("length", [1, 2, 3])
    def test_a_circle_of_causes_ends(self, length: int) -> None:
        circle = [RuntimeError() for _ in range(length)]
        for number, error in enumerate(circle):
            error.__cause__ = circle[(number + 1) % length]
        assert classify(circle[0]) is UNKNOWN
        assert retry_after(circle[0], NOW) is None


class OutOfPaper(OSError):
    pass


class TestTheTeamsOwnTable:
    TABLES: Mapping[str, tuple[BaseException, Kinds, Kind]] = {
        "before a built-in type": (KeyError(), {KeyError: TRANSIENT}, TRANSIENT),
        "before an AWS code": (client_error("AccessDenied", 403), {ClientError: TRANSIENT}, TRANSIENT),
        "before what the error itself says": (TransientError(), {TransientError: PERMANENT}, PERMANENT),
        "for what is derived too": (OutOfPaper(), {OSError: SYSTEM}, SYSTEM),
        "the nearest class counts": (OutOfPaper(), {OSError: SYSTEM, OutOfPaper: PERMANENT}, PERMANENT),
        "for a cause": (caused(RuntimeError(), OutOfPaper()), {OutOfPaper: TRANSIENT}, TRANSIENT),
        "unknown hands on to the cause": (caused(KeyError(), TimeoutError()), {KeyError: UNKNOWN}, TRANSIENT),
        "silent about others": (KeyError(), {OSError: SYSTEM}, PERMANENT),
    }

    @pytest.mark.parametrize(("error", "kinds", "kind"), TABLES.values(), ids=TABLES)
    def test_goes_first(self, error: BaseException, kinds: Kinds, kind: Kind) -> None:
        assert classify(error, kinds) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(foreign("handler.Declined", PermanentError, status=503), PERMANENT, id="permanent with a 503"),
        pytest.param(foreign("handler.Busy", TransientError, code=409), TRANSIENT, id="transient with a 409"),
        pytest.param(foreign("handler.Locked", SystemFault, status=429), SYSTEM, id="system with a 429"),
        pytest.param(foreign("handler.BadCoupon", PermanentError, kind="gift"), PERMANENT, id="a kind of its own"),
    ],
)
def test_an_author_who_says_the_kind_is_believed_whatever_the_error_carries(error: Exception, kind: Kind) -> None:
    assert classify(error) is kind


class Touchy(Exception):
    @property
    def response(self) -> object:
        raise RuntimeError("no response was read")


def refuse(_name: str) -> NoReturn:
    raise RuntimeError("headers are read once")


HOSTILE: Mapping[str, BaseException] = {
    "no error in the response": foreign("team.Odd", response={"Error": None}),
    "a text for an error": foreign("team.Odd", response={"Error": "boom"}),
    "no metadata": foreign("team.Odd", response={"ResponseMetadata": None}),
    "reasons that are none": foreign("team.Odd", response={"CancellationReasons": [None]}),
    "a number of reasons": foreign("team.Odd", response={"CancellationReasons": 5}),
    "a code that is a list": foreign("team.Odd", response={"Error": {"Code": []}}),
    "an attribute that raises": Touchy(),
    "headers that raise": foreign("team.Odd", headers=SimpleNamespace(get=refuse)),
    "headers of another kind": foreign("team.Odd", headers=["Retry-After"]),
}


@pytest.mark.parametrize("error", HOSTILE.values(), ids=HOSTILE)
def test_an_error_of_an_odd_shape_is_unknown_and_asks_for_nothing(error: BaseException) -> None:
    """Whatever is raised here would end the whole batch, and its good messages with it."""
    assert classify(error) is UNKNOWN
    assert retry_after(error, NOW) is None


def asking(header: str) -> Exception:
    return foreign("team.Busy", headers={"Retry-After": header})


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("120", 120, id="seconds"),
        pytest.param(" 120 ", 120, id="white space"),
        pytest.param("0", 0, id="at once"),
        pytest.param("999999999", 999_999_999, id="31 years"),
        pytest.param("Thu, 01 Jan 2026 12:02:00 GMT", 120, id="date"),
        pytest.param("Thu, 01 Jan 2026 13:02:00 +0100", 120, id="date elsewhere"),
        pytest.param("Thu, 01 Jan 2026 12:02:00", 120, id="date without a zone"),
        pytest.param("Thu, 01 Jan 2026 11:00:00 GMT", 0, id="past"),
        pytest.param("1 Jan 0001 00:00:00 +1400", 0, id="year 1"),
        pytest.param("-5", None, id="negative"),
        pytest.param("1.5", None, id="fraction"),
        pytest.param("9" * 10, None, id="ten digits"),
        pytest.param("9" * 5000, None, id="5,000 digits"),
        pytest.param("soon", None, id="nonsense"),
        pytest.param("", None, id="empty"),
        pytest.param("1 Jan 99999 00:00:00 GMT", None, id="year 99999"),
        pytest.param("1 Jan 99999999999 00:00:00 GMT", None, id="a year that is no number for a computer"),
    ],
)
def test_a_retry_after_header_is_read(header: str, seconds: int | None) -> None:
    assert retry_after(asking(header), NOW) == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(TransientError(retry_after=30), id="own, seconds"),
        pytest.param(TransientError(retry_after=timedelta(seconds=30)), id="own, timedelta"),
        pytest.param(SystemFault(retry_after=30.0), id="system fault"),
        pytest.param(caused(RuntimeError(), TransientError(retry_after=30)), id="cause"),
        pytest.param(foreign("x.E", response=SimpleNamespace(headers={"Retry-After": "30"})), id="requests, httpx"),
        pytest.param(client_error("Slow", ResponseMetadata={"HTTPHeaders": {"retry-after": "30"}}), id="botocore"),
        pytest.param(urllib.error.HTTPError("u", 503, "", {"Retry-After": "30"}, None), id="urllib"),  # type: ignore[arg-type]
    ],
)
def test_whoever_asks_for_time_is_heard(error: BaseException) -> None:
    assert retry_after(error, NOW) == timedelta(seconds=30)


def test_an_error_that_asks_for_nothing_gets_nothing() -> None:
    assert retry_after(TransientError("busy"), NOW) is None
