"""A real server on loopback, called as its clients call it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import BadStatusLine, HTTPConnection
from time import perf_counter

import pytest

from ops.local.gateway.entrance import Entrance
from ops.local.gateway.health import WELL, parse
from ops.local.gateway.ledger import Ledger

LONG = 3600.0
A_MOMENT = 0.05
LATE = 0.3
TEA = {"order": "a", "amount": 250, "currency": "EUR"}


@pytest.fixture
def entrance() -> Iterator[Entrance]:
    with closing(Entrance(Ledger(), slow_seconds=LATE)) as entrance:
        yield entrance


def connect(entrance: Entrance, timeout: float = 5) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", entrance.listener.port, timeout=timeout)


def ask(
    connection: HTTPConnection, key: str = "key", content: object = TEA, *, path: str = "/charges", raw: str = ""
) -> int:
    """Charge, and return the answer's status."""
    connection.request("POST", path, raw or json.dumps(content), {"Idempotency-Key": key} if key else {})
    answer = connection.getresponse()
    json.loads(answer.read())
    return answer.status


def charge(entrance: Entrance, key: str = "key", timeout: float = 5) -> int:
    with closing(connect(entrance, timeout)) as connection:
        return ask(connection, key)


def is_refused(entrance: Entrance) -> bool:
    try:
        charge(entrance)
    except ConnectionRefusedError:
        return True
    return False


def test_a_charge_is_made_and_the_same_again_is_said_to_be(entrance: Entrance) -> None:
    with closing(connect(entrance)) as connection:
        assert [ask(connection), ask(connection), ask(connection, "another", TEA | {"order": "declined-a"})] == [
            201,
            200,
            402,
        ]
    counts = entrance.tally.counts
    assert (counts.calls, counts.failed, counts.charges, counts.charged_twice) == (3, 0, 1, 0)


@pytest.mark.parametrize(
    ("key", "path", "raw"),
    [
        pytest.param("", "/charges", json.dumps(TEA), id="no key"),
        pytest.param("key", "/refunds", json.dumps(TEA), id="another path"),
        pytest.param("key", "/charges", "{", id="no JSON"),
        pytest.param("key", "/charges", "[]", id="no object"),
        pytest.param("key", "/charges", '{"order": "a", "amount": 1}', id="no currency"),
        pytest.param("key", "/charges", '{"order": "a", "amount": -1, "currency": "EUR"}', id="less than nothing"),
        pytest.param("key", "/charges", '{"order": "a", "amount": 1.5, "currency": "EUR"}', id="a part of a cent"),
    ],
)
def test_what_is_no_charge_is_refused_and_the_next_one_is_made(
    key: str, path: str, raw: str, entrance: Entrance
) -> None:
    with closing(connect(entrance)) as connection:
        assert ask(connection, key, path=path, raw=raw) == 400
        assert ask(connection) == 201


def test_a_body_without_its_length_or_of_any_length_is_not_read(entrance: Entrance) -> None:
    for length in ("", "Content-Length: 99999999\r\n", "Content-Length: x\r\n"):
        with socket.create_connection(("127.0.0.1", entrance.listener.port), timeout=5) as connection:
            connection.sendall(f"POST /charges HTTP/1.1\r\nIdempotency-Key: key\r\n{length}\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_errors_are_answered_and_nothing_is_charged(entrance: Entrance) -> None:
    entrance.be(parse("errors"), LONG, seed=0)

    assert [charge(entrance), charge(entrance)] == [503, 503]
    counts = entrance.tally.counts
    assert (counts.calls, counts.failed, counts.charges) == (2, 2, 0)


def test_a_slow_one_charges_though_its_caller_gave_up(entrance: Entrance, capfd: pytest.CaptureFixture[str]) -> None:
    entrance.be(parse("slow"), LONG, seed=0)
    with pytest.raises(TimeoutError):
        charge(entrance, timeout=A_MOMENT)
    assert charge(entrance) == 200  # later than the first one would have been answered

    assert (entrance.tally.counts.charges, entrance.tally.counts.failed) == (1, 2)
    assert capfd.readouterr() == ("", "")


def test_one_that_refuses_is_not_connected_to_and_answers_again_at_the_same_port(entrance: Entrance) -> None:
    for _ in range(3):
        entrance.be(parse("refuse"), LONG, seed=0)
        assert is_refused(entrance)
        entrance.be(WELL, LONG, seed=0)
        assert charge(entrance) in {200, 201}


def test_one_that_refuses_answers_no_connection_of_before(entrance: Entrance) -> None:
    with closing(connect(entrance)) as connection:
        ask(connection)
        entrance.be(parse("refuse"), LONG, seed=0)
        with pytest.raises((ConnectionError, BadStatusLine)):
            ask(connection)


def test_a_flaky_one_fails_the_same_calls_with_the_same_seed(entrance: Entrance) -> None:
    def outcomes(seed: int) -> list[int]:
        entrance.be(parse("flaky:0.6"), LONG, seed)
        with closing(connect(entrance)) as connection:
            return [ask(connection) for _ in range(200)]

    first = outcomes(1)
    assert 100 <= first.count(503) <= 140
    assert outcomes(1)[1:] == [200 if status == 201 else status for status in first][1:]
    assert outcomes(2) != first


@pytest.mark.parametrize("mode", ["errors", "slow", "refuse", "flaky:1"])
def test_an_outage_ends_by_itself(mode: str, entrance: Entrance) -> None:
    entrance.be(parse(mode), A_MOMENT, seed=0)
    assert entrance.health == parse(mode)
    assert entrance.ends is not None
    entrance.ends.join()

    assert entrance.health == WELL
    assert charge(entrance) == 201


def test_an_outage_does_not_end_with_the_one_before(entrance: Entrance) -> None:
    entrance.be(parse("errors"), A_MOMENT, seed=0)
    ended = entrance.ends
    assert ended is not None
    entrance.be(parse("refuse"), LONG, seed=0)
    ended.join()

    assert is_refused(entrance)


def test_many_callers_at_once_are_all_answered(entrance: Entrance) -> None:
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda number: charge(entrance, f"key-{number}"), range(300)))

    assert statuses == [201] * 300
    assert entrance.tally.counts.calls == 300


def test_a_call_takes_about_a_millisecond_and_no_wait_for_an_acknowledgement(entrance: Entrance) -> None:
    with closing(connect(entrance)) as connection:
        taken = []
        for _ in range(50):
            started = perf_counter()
            ask(connection)
            taken.append(perf_counter() - started)

    assert sorted(taken)[25] < 0.02  # an acknowledgement is waited for 40 ms


def test_it_writes_no_access_log(entrance: Entrance, capfd: pytest.CaptureFixture[str]) -> None:
    charge(entrance)

    assert capfd.readouterr() == ("", "")
