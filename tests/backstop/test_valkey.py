"""The store of windows on a real Redis or Valkey server: what its contract does not say, and what befalls servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from backstop.budget import STORM, Slots, Window
from backstop.errors import StoreUnavailable
from backstop.valkey import MAX_BATCHES
from tests.backstop import NOW
from tests.backstop.store_stands import (
    A_MINUTE,
    BUDGET,
    GROUP,
    PREFIX,
    SLOTS,
    Stand,
    batch_id,
    stand_on_valkey,
)
from tests.backstop.valkey_server import Server, running_server

WINDOW_KEY = f"{PREFIX}{{{GROUP}}}:window"
BATCHES_KEY = f"{PREFIX}{{{GROUP}}}:batches"
INDEX_KEY = f"{PREFIX}open"
FIRSTS_KEY = f"{PREFIX}firsts:{int(NOW.timestamp()) // 300}"
LONGEST = timedelta(days=3)
WINDOW = Window(GROUP, NOW, NOW, 1)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    if shared_server.process is None:
        shared_server.start()
    return shared_server


@pytest.fixture
def stand(server: Server) -> Iterator[Stand]:
    with stand_on_valkey(server) as stand:
        yield stand


EVERY_CALL: dict[str, Callable[[Stand], object]] = {
    "count": lambda stand: stand.count(2),
    "look": lambda stand: stand.store.look(GROUP),
    "replace": lambda stand: stand.store.replace(WINDOW, SLOTS),
    "close": lambda stand: stand.store.close(WINDOW),
    "open_windows": lambda stand: list(stand.store.open_windows()),
    "add_firsts": lambda stand: stand.store.add_firsts(1, NOW),
}
every_call = pytest.mark.parametrize("call", EVERY_CALL.values(), ids=EVERY_CALL)


class TestServer:
    @every_call
    def test_that_died_is_said_to_be_unavailable(
        self, stand: Stand, server: Server, call: Callable[[Stand], object]
    ) -> None:
        stand.count(1)
        server.kill()
        with pytest.raises(StoreUnavailable, match="the store of windows did not answer: ConnectionError"):
            call(stand)

    def test_that_died_closes_nothing(self, stand: Stand, server: Server) -> None:
        window = stand.count(1).window
        stand.decide(GROUP, {"acked_at": NOW})
        server.kill()
        with pytest.raises(StoreUnavailable):
            stand.store.close(window)
        server.start()
        assert stand.count(2).group.acked_at == NOW

    def test_that_comes_back_empty_opens_windows_anew(self, stand: Stand, server: Server) -> None:
        window = stand.count(1, 3).window
        server.kill()
        server.start()
        assert stand.store.look(GROUP) is None
        assert stand.open() == set()
        assert not stand.store.replace(window, SLOTS)
        stand.store.close(window)
        counted = stand.count(2, 4, NOW + A_MINUTE)
        assert (counted.before, counted.window.count, counted.window.slots) == (0, 4, Slots())
        assert (counted.replaced, counted.seen_before, counted.group.occurrences) == (None, NOW, 7)
        assert stand.open() == {GROUP}
        assert not stand.store.replace(window, SLOTS)

    def test_that_lost_its_windows_but_not_their_index_closes_them_all_the_same(
        self, stand: Stand, server: Server
    ) -> None:
        stand.count(1)
        server.client.delete(WINDOW_KEY)
        assert stand.open() == set()
        window = stand.count(2, 1, NOW - A_MINUTE).window
        assert stand.open() == {GROUP}
        stand.store.close(window)
        assert stand.open() == set()

    @pytest.mark.parametrize(
        ("key", "call"),
        [
            (WINDOW_KEY, "count"),
            (WINDOW_KEY, "look"),
            (WINDOW_KEY, "replace"),
            (WINDOW_KEY, "close"),
            (WINDOW_KEY, "open_windows"),
            (BATCHES_KEY, "count"),
            (INDEX_KEY, "count"),
            (INDEX_KEY, "open_windows"),
            (FIRSTS_KEY, "add_firsts"),
        ],
    )
    def test_with_something_else_at_a_key_is_said_to_be_unavailable(
        self, stand: Stand, server: Server, key: str, call: str
    ) -> None:
        stand.count(1)
        stand.store.add_firsts(1, NOW)
        assert server.client.delete(key)
        server.client.rpush(key, "a list")
        with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
            EVERY_CALL[call](stand)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("opened", "soon"),
            ("counted_at", "9" * 30),
            ("count", "x"),
            ("slots", "{}"),
            ("slots", "[]"),
            ("slots", "\xff"),
        ],
    )
    def test_with_a_window_that_is_not_as_it_was_written_is_said_to_be_unavailable(
        self, stand: Stand, server: Server, name: str, value: str
    ) -> None:
        stand.count(1)
        server.client.hset(WINDOW_KEY, name, value)
        with pytest.raises(StoreUnavailable, match="not as it was written"):
            stand.store.look(GROUP)


class TestMemory:
    def test_forgets_all_by_itself_long_after_a_window(self, stand: Stand, server: Server) -> None:
        stand.count(1)
        stand.store.add_firsts(1, NOW)
        assert {*server.client.keys("*")} == {WINDOW_KEY, BATCHES_KEY, INDEX_KEY, FIRSTS_KEY}
        for key in (WINDOW_KEY, BATCHES_KEY, INDEX_KEY):
            assert BUDGET.window + BUDGET.quiet < timedelta(milliseconds=server.client.pttl(key)) < LONGEST
        assert STORM < timedelta(milliseconds=server.client.pttl(FIRSTS_KEY)) < LONGEST

    def test_remembers_so_many_batches_of_a_group_and_no_more(self, stand: Stand, server: Server) -> None:
        server.client.zadd(BATCHES_KEY, {f"old {number}": number for number in range(MAX_BATCHES)})
        stand.count(1)
        assert server.client.zcard(BATCHES_KEY) == MAX_BATCHES
        assert server.client.zrevrange(BATCHES_KEY, 0, 0) == [batch_id(1)]
        assert stand.count(1).is_repeat

    def test_goes_by_the_clocks_of_watchers_and_not_its_own(self, stand: Stand) -> None:
        for year in (1971, 2026, 2525):
            now = NOW.replace(year=year)
            counted = stand.count(year, 1, now)
            assert (counted.window.opened, counted.before) == (now, 0)
