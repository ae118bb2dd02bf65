"""The table of circuits: Powertools reads what it keeps, and neither lost answers nor foreign items confuse it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from aws_lambda_powertools.utilities.circuit_breaker import CircuitBreakerConfig
from aws_lambda_powertools.utilities.circuit_breaker.persistence import CircuitBreakerDynamoDBPersistence

from backstop.aws.circuits import CircuitTable
from backstop.circuits.state import Calls, CircuitState, Opening, Standing
from backstop.errors import StoreUnavailable
from tests.backstop import NOW
from tests.backstop.circuits.circuit_stands import (
    A_SECOND,
    DUE,
    LEASE,
    NAME,
    OPEN_FOR,
    SLOT,
    TABLE,
    THRESHOLDS,
    Stand,
    circuit_table,
    found,
)
from tests.fakes.faults import Fault, Faults

HOUR = timedelta(hours=1)


@pytest.fixture
def table() -> Iterator[CircuitTable]:
    with circuit_table() as table:
        yield table


@pytest.fixture
def stand(table: CircuitTable) -> Stand:
    return Stand(table)


@pytest.fixture
def faults(table: CircuitTable) -> Iterator[Faults]:
    faults = Faults()
    with faults.installed(table._client):
        yield faults


def item_of(table: CircuitTable, name: str = NAME) -> dict[str, Any]:
    client: Any = table._client
    found: dict[str, Any] = client.get_item(TableName=TABLE, Key={"id": {"S": name}})["Item"]
    return found


def powertools(table: CircuitTable) -> CircuitBreakerDynamoDBPersistence:
    plain = CircuitBreakerDynamoDBPersistence(TABLE, boto3_client=table._client)
    plain.configure(CircuitBreakerConfig(local_cache_max_age=0), NAME)
    return plain


class TestPowertools:
    def test_reads_what_is_kept(self, stand: Stand, table: CircuitTable) -> None:
        stand.add({SLOT: Calls(2, 1)})
        assert powertools(table).get_state(NAME).state == "CLOSED"
        stand.open()
        record = powertools(table).get_state(NAME)
        assert (record.state, record.opened_at, record.half_open_owner) == ("OPEN", int(NOW.timestamp()), None)
        stand.probe()
        record = powertools(table).get_state(NAME)
        lease = int((DUE + LEASE).timestamp())
        assert (record.state, record.half_open_owner, record.probe_lease_expiry) == ("HALF_OPEN", "one", lease)
        table.force_close(NAME, DUE)
        record = powertools(table).get_state(NAME)
        assert (record.state, record.opened_at, record.half_open_owner) == ("CLOSED", None, None)

    def test_elects_nobody_while_a_turn_lasts_and_one_after_it(self, stand: Stand, table: CircuitTable) -> None:
        stand.open()
        opened_at = int(NOW.timestamp())
        held = stand.probe()
        with time_machine.travel(DUE + LEASE - A_SECOND, tick=False):
            assert not powertools(table).try_acquire_half_open(NAME, "other", opened_at)
        table.succeed(held, THRESHOLDS, DUE)
        with time_machine.travel(DUE, tick=False):
            assert powertools(table).try_acquire_half_open(NAME, "other", opened_at)

    def test_may_have_opened_a_circuit(self, stand: Stand, table: CircuitTable) -> None:
        with time_machine.travel(NOW, tick=False):
            powertools(table).save_open(NAME, 5, int(NOW.timestamp()))
        seen = stand.read()
        assert (seen.state, seen.generation, seen.opened_at) == (CircuitState.OPEN, 0, NOW)
        assert stand.close().state is CircuitState.CLOSED

    def test_keeps_an_item_as_long(self, stand: Stand, table: CircuitTable) -> None:
        stand.open()
        assert item_of(table)["expiration"] == {"N": str(int((DUE + HOUR).timestamp()))}
        table.force_open(NAME, NOW + 5 * HOUR, "held open by ada", NOW)
        assert item_of(table)["expiration"] == {"N": str(int((NOW + 6 * HOUR).timestamp()))}

    def test_is_imported_at_the_first_use_of_a_circuit(self) -> None:
        code = (
            "import sys, backstop, backstop.aws.circuits as circuits; circuits.CircuitTable(None, 'circuits');"
            "sys.exit(any('circuit_breaker' in name for name in sys.modules))"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestALostAnswer:
    """The client asks again: the first try was taken, the second finds that it was."""

    @pytest.fixture(autouse=True)
    def lossy(self, table: CircuitTable, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let each change be asked for twice, as the client does when it gets no answer."""
        client: Any = table._client
        once = client.update_item

        def twice(**request: Any) -> Any:
            once(**request)
            return once(**request)

        monkeypatch.setattr(client, "update_item", twice)

    def test_of_an_opening_is_an_opening(self, stand: Stand) -> None:
        assert stand.open() == stand.read()
        assert stand.read().generation == 1

    def test_of_an_election_is_an_election(self, stand: Stand) -> None:
        seen = stand.open()
        assert stand.probe().prober == "one"
        assert stand.store.elect(seen, "two", DUE + LEASE, DUE) is None

    def test_of_an_end_is_an_end(self, stand: Stand) -> None:
        stand.open()
        assert found(stand.store.succeed(stand.probe(), THRESHOLDS, DUE)).successes == 1
        assert found(stand.store.fail(stand.probe(), DUE)).state is CircuitState.OPEN
        assert stand.close(DUE + OPEN_FOR).state is CircuitState.CLOSED

    def test_of_what_an_operator_said_is_no_loss(self, stand: Stand) -> None:
        assert stand.store.force_open(NAME, NOW + HOUR, "held open by ada", NOW).generation == 1
        assert stand.store.force_close(NAME, NOW).generation == 2


class TestTheItem:
    def test_has_no_more_slots_than_the_window(self, stand: Stand, table: CircuitTable) -> None:
        for number in range(30):
            stand.add({SLOT + number: Calls(3, 1)})
        assert len([name for name in item_of(table) if name.startswith(("calls_", "failures_"))]) == 12

    def test_has_no_slots_and_no_turn_after_it_closed(self, stand: Stand, table: CircuitTable) -> None:
        seen = stand.add({SLOT: Calls(3, 1)})
        stand.add({SLOT + 1: Calls(3, 1)})
        stand.store.open(seen, "5 failures in a row", Opening(NOW, "one"), OPEN_FOR)
        stand.close()
        assert {*item_of(table)} == {
            "id",
            "state",
            "failure_count",
            "expiration",
            "generation",
            "open_for",
            "openings",
            "changed_by",
        }

    def test_of_a_release_is_no_circuit(self, stand: Stand, table: CircuitTable) -> None:
        client: Any = table._client
        client.put_item(TableName=TABLE, Item={"id": {"S": "release#shop#1"}, "since": {"N": "1"}})
        opened = stand.open()
        assert table.all() == [opened]

    def test_is_listed_from_all_pages(self, table: CircuitTable, monkeypatch: pytest.MonkeyPatch) -> None:
        client: Any = table._client
        paginate = client.get_paginator
        names = [f"circuit-{number:03}" for number in range(25)]
        for name in names:
            table.force_open(name, NOW, "", NOW)

        class Small:
            def paginate(self, **request: Any) -> Any:
                return paginate("scan").paginate(**request, PaginationConfig={"PageSize": 10})

        monkeypatch.setattr(client, "get_paginator", lambda _: Small())
        assert [one.name for one in table.all()] == names


class TestATableThatDoesNotAnswer:
    @pytest.mark.parametrize("fault", Fault)
    def test_is_unavailable_whatever_is_asked(self, table: CircuitTable, faults: Faults, fault: Fault) -> None:
        closed = Standing(NAME)
        opened = Standing(NAME, CircuitState.OPEN, 1, opened_at=NOW)
        held = Standing(NAME, CircuitState.HALF_OPEN, 2, opened_at=NOW, prober="one")
        asks: list[Callable[[], object]] = [
            lambda: table.read(NAME),
            lambda: table.add(closed, {SLOT: Calls(1, 1)}, NOW),
            lambda: table.open(closed, "", Opening(NOW, "one"), OPEN_FOR),
            lambda: table.all(),
            lambda: table.force_open(NAME, NOW, "", NOW),
            lambda: table.force_close(NAME, NOW),
        ]
        others: list[Callable[[], object]] = [
            lambda: table.elect(opened, "one", DUE + LEASE, DUE),
            lambda: table.succeed(held, THRESHOLDS, DUE),
            lambda: table.fail(held, DUE),
            lambda: table.give_up(held, DUE),
            lambda: table.depend(NAME, "shop"),
        ]
        for operation in ("GetItem", "UpdateItem", "Scan"):
            faults.fail_always(operation, fault)
        for ask in asks + (others if fault is not Fault.ANSWER_LOST else []):  # what is refused has an answer
            with pytest.raises(StoreUnavailable, match="the table of circuits did not answer"):
                ask()
