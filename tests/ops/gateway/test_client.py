"""The gateway's client and the server behind it, over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import pytest

from ops.failure import CallFailed
from ops.local.gateway.admin import administered
from ops.local.gateway.client import BACKUP, PAYMENTS, Gateway
from ops.local.gateway.entrance import Entrance
from ops.local.gateway.ledger import Counts, Ledger


@pytest.fixture
def entrances() -> Iterator[dict[str, Entrance]]:
    ledger = Ledger()
    with ExitStack() as closed:
        yield {name: closed.enter_context(closing(Entrance(ledger))) for name in (PAYMENTS, BACKUP)}


@pytest.fixture
def gateway(entrances: dict[str, Entrance]) -> Iterator[Gateway]:
    with closing(administered(entrances)) as listener:
        yield Gateway(listener.url)


def charge(url: str) -> int:
    with closing(HTTPConnection(url.removeprefix("http://"), timeout=5)) as connection:
        content = json.dumps({"order": "a", "amount": 1, "currency": "EUR"})
        connection.request("POST", "/charges", content, {"Idempotency-Key": "key"})
        return connection.getresponse().status


def test_each_entrance_has_an_address_of_its_own(gateway: Gateway, entrances: dict[str, Entrance]) -> None:
    assert gateway.urls() == {name: entrance.listener.url for name, entrance in entrances.items()}
    assert len(set(gateway.urls().values())) == 2


def test_an_outage_is_that_of_one_entrance(gateway: Gateway) -> None:
    urls = gateway.urls()
    gateway.outage(PAYMENTS, "errors", 3600)

    assert [charge(urls[PAYMENTS]), charge(urls[BACKUP])] == [503, 201]
    assert [gateway.mode(PAYMENTS), gateway.mode(BACKUP)] == ["errors", "ok"]
    gateway.outage(PAYMENTS, "ok", 1)
    assert charge(urls[PAYMENTS]) == 200, "both know the charges of the other: they lead to one provider"


def test_counts_are_those_of_one_entrance(gateway: Gateway) -> None:
    gateway.outage(PAYMENTS, "flaky", 3600, rate=1.0)
    charge(gateway.urls()[PAYMENTS])
    gateway.outage(PAYMENTS, "ok", 1)
    charge(gateway.urls()[PAYMENTS])

    assert gateway.counts(PAYMENTS) == Counts(calls=2, failed=1, charges=1, since_outage=2, in_outage=1)
    assert gateway.counts(BACKUP) == Counts()


def test_an_entrance_that_does_not_exist_is_told(gateway: Gateway) -> None:
    with pytest.raises(CallFailed, match="there is payments and payments-backup"):
        gateway.counts("invoices")
    with pytest.raises(CallFailed, match="there is payments and payments-backup"):
        gateway.outage("invoices", "errors", 1)


@pytest.mark.parametrize(
    ("mode", "seconds", "rate"),
    [("down", 1, 0), ("flaky", 1, 1.5), ("flaky", 1, float("nan")), ("errors", 0, 0), ("errors", 86_401, 0)],
)
def test_an_outage_that_cannot_be_is_refused(gateway: Gateway, mode: str, seconds: float, rate: float) -> None:
    with pytest.raises(CallFailed, match="the payment gateway refuses: "):
        gateway.outage(PAYMENTS, mode, seconds, rate)
    assert gateway.mode() == "ok"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"mode": 1, "rate": 0, "seconds": 1, "seed": 0}'])
def test_what_is_no_outage_is_refused(content: str, gateway: Gateway) -> None:
    with closing(HTTPConnection(gateway.admin_url.removeprefix("http://"), timeout=5)) as connection:
        connection.request("PUT", "/payments", content)
        assert connection.getresponse().status == 400


def test_a_gateway_that_is_gone_is_told_in_a_sentence(entrances: dict[str, Entrance]) -> None:
    listener = administered(entrances)
    listener.close()

    with pytest.raises(CallFailed, match=r"^the payment gateway does not answer: make local-down, then make local$"):
        Gateway(listener.url).urls()
