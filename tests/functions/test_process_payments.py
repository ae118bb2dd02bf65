"""The sample's payments: orders are charged once at a real gateway on loopback, however it fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from ops.local.gateway.answering import Answering, Listener
from ops.local.gateway.entrance import Entrance
from ops.local.gateway.health import WELL, parse
from ops.local.gateway.ledger import Charge, Ledger
from tests.fakes.source import WorkerDied
from tests.functions.test_process_handler import handlers_client, on_transaction, order_in, publish, stock_of
from tests.lane import ProcessLane
from tests.support import process_lane

LONG = 3600.0
SWITCH = "/shop/payments"


@pytest.fixture(autouse=True)
def _cold() -> Iterator[None]:
    """Let each test import the client anew: it keeps what it has read."""
    sys.modules.pop("payments", None)
    yield
    sys.modules.pop("payments", None)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def gateway(ledger: Ledger) -> Iterator[Entrance]:
    with closing(Entrance(ledger, slow_seconds=0.2)) as entrance:
        yield entrance


@pytest.fixture
def backup(ledger: Ledger) -> Iterator[Entrance]:
    with closing(Entrance(ledger)) as entrance:
        yield entrance


@pytest.fixture
def shop(gateway: Entrance) -> Iterator[ProcessLane]:
    """Return a lane whose orders of tea are charged."""
    with charging(gateway.listener.url) as lane:
        yield lane


@contextmanager
def charging(url: str, **environment: str) -> Iterator[ProcessLane]:
    with process_lane(None, seed=0, is_shuffled=False, PAYMENT_URL=url, **environment) as lane:
        publish(lane, "tea", price=250)
        yield lane


def client(shop: ProcessLane) -> Any:
    """Return the payment client of the handler's next run."""
    shop.start()
    return sys.modules["payments"]


class TestAnOrder:
    def test_is_charged_its_total_and_stored(self, shop: ProcessLane, ledger: Ledger) -> None:
        shop.send(shop.order("a", items=[{"sku": "tea", "quantity": 3}]))
        assert shop.deliver().answer == {"batchItemFailures": []}
        stored = order_in(shop, "a")
        assert stored is not None
        assert ledger.charges == {stored["token"]["S"]: Charge("a", 750, "EUR")}
        assert shop.printed() == ""

    def test_is_charged_once_although_its_worker_dies_between_charging_and_storing(
        self, shop: ProcessLane, gateway: Entrance
    ) -> None:
        def die() -> None:
            raise WorkerDied("out of memory")

        on_transaction(handlers_client(shop), "before-call", die)
        shop.send(shop.order("a"))
        assert isinstance(shop.deliver().error, WorkerDied)
        assert gateway.tally.counts.charges == 1
        assert order_in(shop, "a") is None
        sys.modules.pop("payments")  # the next worker starts cold
        shop.run_until_quiet()
        assert order_in(shop, "a")
        counts = gateway.tally.counts
        assert (counts.calls, counts.charges, counts.charged_twice) == (2, 1, 0)
        assert shop.dead_letters.messages == []

    def test_that_is_declined_is_dead_at_once_and_takes_nothing(self, shop: ProcessLane, gateway: Entrance) -> None:
        shop.send(shop.order("declined-a"))
        shop.run_until_quiet()
        [trail] = shop.trails(shop.dead_letters)
        assert (trail["dead_because"], trail["error_type"]) == ("permanent", "PaymentDeclined")
        assert order_in(shop, "declined-a") is None
        assert (gateway.tally.counts.calls, stock_of(shop, "tea")) == (1, 100)

    def test_without_a_price_is_not_charged(self, shop: ProcessLane, gateway: Entrance) -> None:
        shop.send(shop.order("a", items=[{"sku": "rice", "quantity": 1}]))
        shop.deliver()
        assert gateway.tally.counts.calls == 0

    def test_is_placed_without_a_charge_where_there_is_no_gateway(self, gateway: Entrance) -> None:
        with charging("", PAYMENT_BACKUP_URL=gateway.listener.url) as shop:
            shop.send(shop.order("a"))
            shop.deliver()
            assert order_in(shop, "a")
        assert gateway.tally.counts.calls == 0


class TestAGatewayThatFails:
    @pytest.mark.parametrize(
        ("mode", "error_type"),
        [("errors", "HTTPError"), ("flaky:1", "HTTPError"), ("slow", "TimeoutError"), ("refuse", "URLError")],
    )
    def test_is_transient_and_charges_once_when_it_is_well(
        self,
        mode: str,
        error_type: str,
        shop: ProcessLane,
        gateway: Entrance,
        ledger: Ledger,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(client(shop), "TIMEOUT", 0.05)
        gateway.be(parse(mode), LONG, seed=0)
        shop.send(shop.order("a"))
        shop.deliver()
        [trail] = shop.trails(shop.retries)
        assert (trail["kind"], trail["error_type"]) == ("transient", error_type)
        assert order_in(shop, "a") is None
        gateway.be(WELL, LONG, seed=0)
        monkeypatch.setattr(client(shop), "TIMEOUT", 5)
        shop.run_until_quiet()
        assert order_in(shop, "a")
        assert (len(ledger.charges), gateway.tally.counts.charged_twice) == (1, 0)
        assert shop.dead_letters.messages == []

    def test_is_reported_with_the_place_in_the_teams_own_code(self, shop: ProcessLane, gateway: Entrance) -> None:
        gateway.be(parse("errors"), LONG, seed=0)
        shop.send(shop.order("a"))
        shop.deliver()
        [report] = [line for line in shop.reports() if line["pipeline_event"] == "failed"]
        assert report["where"] == "payments:post"

    def test_sends_no_charge_elsewhere(self) -> None:
        """A page that says 200 is no charge that was made."""
        with closing(Listener(Redirecting)) as listener, charging(listener.url) as shop:
            listener.listen()
            shop.send(shop.order("a"))
            shop.deliver()
            assert [trail["kind"] for trail in shop.trails(shop.retries)] == ["unknown"]
            assert order_in(shop, "a") is None

    @pytest.mark.parametrize(
        "url",
        [
            "ftp://payments.example",
            "file:///etc/passwd",
            "payments.example",
            "http://",
            "https:payments.example",
            "http://[",
            "http://payments.example:port",
            "http://payments.example:65536",
        ],
    )
    def test_with_an_address_that_is_none_is_no_fault_of_the_orders(self, url: str) -> None:
        with charging(url) as shop:
            shop.send(shop.order("a"))
            shop.deliver()
            [trail] = shop.trails(shop.retries)
            assert (trail["kind"], trail["error_type"]) == ("system", "SystemFault")
            assert trail["reason"].startswith("PAYMENT_URL and PAYMENT_BACKUP_URL are addresses such as ")


class Redirecting(Answering):
    """Sends every charge to a page that everybody may see."""

    def do_POST(self) -> None:  # noqa: N802  # the name that http.server looks for
        self.body()
        self.send_response(302)
        self.send_header("Location", "/page")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:  # noqa: N802  # the name that http.server looks for
        self.answer(200, {"page": "welcome"})


class TestTheSwitch:
    @pytest.fixture
    def switched(self, gateway: Entrance, backup: Entrance) -> Iterator[ProcessLane]:
        """Return a lane with a backup."""
        more = {"PAYMENT_BACKUP_URL": backup.listener.url, "PAYMENT_SWITCH": SWITCH}
        with charging(gateway.listener.url, **more) as lane:
            yield lane

    def switch_to(self, value: str) -> None:
        boto3.client("ssm").put_parameter(Name=SWITCH, Value=value, Type="String", Overwrite=True)

    def on_read(self, shop: ProcessLane, act: Callable[[], object]) -> None:
        """Let `act` happen when the client reads the switch."""
        events = client(shop).switch().client.meta.events
        events.register("before-call.ssm.GetParameter", lambda **_: act())

    def place(self, shop: ProcessLane) -> None:
        shop.send(shop.order())
        assert shop.deliver().answer == {"batchItemFailures": []}
        assert shop.trails(shop.retries) == []

    def test_says_which_gateway_charges(self, switched: ProcessLane, gateway: Entrance, backup: Entrance) -> None:
        for value in ("primary", "backup", "primary"):
            self.switch_to(value)
            self.place(switched)
            switched.clock.advance(timedelta(seconds=6))
        assert (gateway.tally.counts.charges, backup.tally.counts.charges) == (2, 1)

    def test_is_read_once_in_a_while(self, switched: ProcessLane) -> None:
        reads: list[None] = []
        self.switch_to("primary")
        self.on_read(switched, lambda: reads.append(None))
        for _ in range(5):
            self.place(switched)
        assert len(reads) == 1
        switched.clock.advance(timedelta(seconds=6))
        self.place(switched)
        assert len(reads) == 2

    def test_that_was_never_read_leaves_payments_where_they_are(
        self, switched: ProcessLane, gateway: Entrance, backup: Entrance
    ) -> None:
        """There is no such parameter: SSM refuses."""
        self.place(switched)
        assert (gateway.tally.counts.charges, backup.tally.counts.charges) == (1, 0)

    def test_that_cannot_be_read_now_is_as_it_was_and_is_not_asked_for_each_order(
        self, switched: ProcessLane, backup: Entrance
    ) -> None:
        self.switch_to("backup")
        self.place(switched)
        reads: list[None] = []

        def fail() -> None:
            reads.append(None)
            raise EndpointConnectionError(endpoint_url="https://ssm")

        self.on_read(switched, fail)
        switched.clock.advance(timedelta(seconds=6))
        for _ in range(5):
            self.place(switched)
        assert (backup.tally.counts.charges, len(reads)) == (6, 1)

    def test_is_not_read_where_there_is_no_backup(self, gateway: Entrance) -> None:
        with charging(gateway.listener.url, PAYMENT_SWITCH=SWITCH) as shop:
            self.switch_to("backup")
            self.place(shop)
            assert client(shop).switch.cache_info().currsize == 0
        assert gateway.tally.counts.charges == 1

    def test_does_not_charge_an_order_twice_whose_answer_was_lost(
        self, switched: ProcessLane, gateway: Entrance, backup: Entrance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client(switched), "TIMEOUT", 0.05)
        self.switch_to("primary")
        gateway.be(parse("slow"), LONG, seed=0)
        switched.send(switched.order("a"))
        switched.deliver()
        self.switch_to("backup")
        monkeypatch.setattr(client(switched), "TIMEOUT", 5)
        switched.clock.advance(timedelta(seconds=6))
        switched.run_until_quiet()
        assert order_in(switched, "a")
        assert (gateway.tally.counts.charges, backup.tally.counts.charges, backup.tally.counts.calls) == (1, 0, 1)
