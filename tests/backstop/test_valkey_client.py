"""An address in, a client out that does not wait for long: of one server, and of a real cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backstop.errors import StoreUnavailable, SystemFault
from backstop.valkey import ValkeyStore
from backstop.valkey_client import connect
from tests.backstop import NOW
from tests.backstop.store_stands import (
    BUDGET,
    GROUP,
    OTHER,
    PREFIX,
    SLOTS,
    Stand,
    a_tally,
    groups_table,
    stand_on_valkey,
)
from tests.backstop.valkey_server import Server, running_cluster


class TestCluster:
    """Scripts touch keys of one slot only: a server of a cluster refuses others, even where all slots are its own."""

    @pytest.fixture(params=["", "?cluster=true"], ids=["plain client", "client of a cluster"])
    def stand(self, request: pytest.FixtureRequest, cluster: Server) -> Iterator[Stand]:
        with stand_on_valkey(cluster, cluster.address + request.param) as stand:
            yield stand

    @pytest.fixture(scope="class")
    def cluster(self) -> Iterator[Server]:
        with running_cluster() as cluster:
            yield cluster

    def test_every_call_works(self, stand: Stand) -> None:
        window = stand.count(1, 3).window
        stand.count(1, group=OTHER)
        assert stand.store.replace(window, SLOTS)
        assert stand.open() == {GROUP, OTHER}
        stand.store.close(stand.window())
        assert stand.open() == {OTHER}
        assert stand.count(2, 1, NOW + BUDGET.window).replaced is not None
        assert stand.store.add_firsts(1, NOW) == 1


class TestConnect:
    @pytest.mark.parametrize("address", ["", "dynamodb", "https://example.com", "redis://", "secret@host:6379"])
    def test_says_that_an_address_is_none_and_does_not_repeat_it(self, address: str) -> None:
        with pytest.raises(SystemFault, match="the address of the alert store") as caught:
            connect(address)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("query", ["", "?cluster=true"], ids=["a server", "a cluster"])
    def test_that_there_is_none_is_said_when_it_is_used(self, query: str) -> None:
        with groups_table() as table:
            store = ValkeyStore(connect(f"redis://127.0.0.1:1{query}"), table, BUDGET, PREFIX)
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    store.count(a_tally(1), NOW)
