"""Valkey beside the table of groups: what is done by halves is mended when its batch comes again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from backstop.aws.groups_table import GroupsTable
from backstop.budget import Slots
from backstop.errors import StoreUnavailable
from backstop.groups import Group
from backstop.occurrence import Tally
from backstop.valkey import Client, ValkeyStore
from backstop.valkey_client import connect
from backstop.valkey_scripts import COUNT, UNLIST
from tests.backstop import NOW
from tests.backstop.store_stands import (
    A_MINUTE,
    BUDGET,
    GROUP,
    PREFIX,
    SLOTS,
    Stand,
    a_tally,
    batch_id,
    groups_table,
    stand_on_valkey,
)
from tests.backstop.valkey_server import Server, running_server

INDEX_KEY = f"{PREFIX}open"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def stand(server: Server) -> Iterator[Stand]:
    with stand_on_valkey(server) as stand:
        yield stand


@dataclass
class Groups:
    """The table of groups, which fails when told to, and remembers the batches that it was told of.

    `meanwhile` happens while an `ack` ends.
    """

    table: GroupsTable
    fails: bool = False
    described: list[str] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    def describe(self, tally: Tally, now: datetime) -> tuple[Group, Group | None]:
        """Add a tally to its group."""
        self._answer()
        self.described.append(tally.batch)
        return self.table.describe(tally, now)

    def look_at_group(self, group: str) -> Group | None:
        """Return a group."""
        self._answer()
        return self.table.look_at_group(group)

    def end_ack(self, group: str) -> None:
        """Let an `ack` end."""
        self._answer()
        self.table.end_ack(group)
        self.meanwhile()

    def _answer(self) -> None:
        if self.fails:
            raise StoreUnavailable("the table did not answer")


@pytest.fixture
def groups(server: Server) -> Iterator[Groups]:
    server.empty()
    with groups_table() as table:
        yield Groups(table)


@dataclass
class Meeting:
    """A client in whose way somebody else gets once, before a script, `after` so many runs of it."""

    client: Client
    script: str
    meanwhile: Callable[[], object]
    after: int = 0

    def eval(self, script: str, numkeys: int, /, *keys_and_args: str | int) -> Any:
        """Run a script."""
        if script == self.script:
            self.after -= 1
            if self.after == -1:
                self.meanwhile()
        return self.client.eval(script, numkeys, *keys_and_args)


def store_on(server: Server, groups: Any) -> ValkeyStore:
    return ValkeyStore(connect(server.address), groups, BUDGET, PREFIX)


class TestHalfDone:
    """What a watcher that died in between left is mended when its batch comes again."""

    def test_a_batch_that_the_table_did_not_take_is_counted_when_it_comes_again(
        self, server: Server, groups: Groups
    ) -> None:
        store = store_on(server, groups)
        groups.fails = True
        with pytest.raises(StoreUnavailable):
            store.count(a_tally(1, 3), NOW)
        groups.fails = False
        counted = store.count(a_tally(1, 3), NOW)
        assert (counted.before, counted.window.count, counted.group.occurrences) == (0, 3, 3)
        assert not counted.is_repeat

    def test_a_batch_that_only_the_table_took_is_counted_when_it_comes_again(
        self, server: Server, groups: Groups
    ) -> None:
        groups.describe(a_tally(1, 3), NOW)
        counted = store_on(server, groups).count(a_tally(1, 3), NOW)
        assert (counted.before, counted.window.count, counted.group.occurrences) == (0, 3, 3)
        assert (counted.is_repeat, counted.seen_before) == (False, None)

    def test_a_group_that_was_known_has_been_seen_before_when_its_batch_comes_again(
        self, server: Server, groups: Groups
    ) -> None:
        groups.describe(a_tally(1), NOW)
        groups.describe(a_tally(2, 3, at=NOW + A_MINUTE), NOW)
        counted = store_on(server, groups).count(a_tally(2, 3, at=NOW + A_MINUTE), NOW)
        assert counted.seen_before == NOW + A_MINUTE
        assert counted.group.occurrences == 4

    def test_a_window_that_was_not_listed_is_when_its_batch_comes_again(self, stand: Stand, server: Server) -> None:
        stand.count(1)
        server.client.delete(INDEX_KEY)
        assert stand.count(1).is_repeat
        assert stand.open() == {GROUP}

    def test_a_window_that_was_closed_and_is_still_listed_is_not_open(self, stand: Stand, server: Server) -> None:
        window = stand.count(1).window
        listed = server.client.zscore(INDEX_KEY, GROUP)
        stand.store.close(window)
        server.client.zadd(INDEX_KEY, {GROUP: listed or 0})
        assert stand.open() == set()
        assert not server.client.exists(INDEX_KEY)

    def test_an_ack_that_could_not_end_leaves_the_window_open(self, server: Server, groups: Groups) -> None:
        store = store_on(server, groups)
        window = store.count(a_tally(1), NOW).window
        groups.fails = True
        with pytest.raises(StoreUnavailable):
            store.close(window)
        assert list(store.open_windows()) == [window]

    def test_a_window_that_grows_while_an_ack_ends_stays_open(self, server: Server, groups: Groups) -> None:
        store = store_on(server, groups)
        window = store.count(a_tally(1), NOW).window
        groups.meanwhile = lambda: store.count(a_tally(2), NOW)
        store.close(window)
        assert [open_one.count for open_one in store.open_windows()] == [2]

    def test_a_window_that_is_counted_in_while_it_is_closed_stays_listed(self, server: Server, groups: Groups) -> None:
        store = store_on(server, groups)
        window = store.count(a_tally(1), NOW).window
        meeting = Meeting(store.client, UNLIST, lambda: store.count(a_tally(2), NOW))
        replace(store, client=meeting).close(window)
        assert [open_one.count for open_one in store.open_windows()] == [2]

    def test_a_window_that_is_counted_in_while_it_is_found_closed_stays_listed(
        self, server: Server, groups: Groups
    ) -> None:
        store = store_on(server, groups)
        store.count(a_tally(1), NOW)
        server.client.hset(f"{PREFIX}{{{GROUP}}}:window", "is_open", "0")
        meeting = Meeting(store.client, UNLIST, lambda: store.count(a_tally(2), NOW))
        assert list(replace(store, client=meeting).open_windows()) == []
        assert [open_one.count for open_one in store.open_windows()] == [2]

    def test_an_end_that_is_told_while_its_window_gives_way_is_not_forgotten(
        self, server: Server, groups: Groups
    ) -> None:
        store = store_on(server, groups)
        store.count(a_tally(1), NOW)
        window = store.count(a_tally(2), NOW + BUDGET.window - A_MINUTE).window
        told = replace(window.slots, sent=2, over_at=1)

        def tell_the_end() -> None:
            found = store.look(GROUP)
            assert found is not None
            assert store.replace(found[1], told)

        meeting = Meeting(store.client, COUNT, tell_the_end, after=1)
        counted = replace(store, client=meeting).count(a_tally(3), NOW + BUDGET.window)
        assert counted.replaced == replace(window, slots=told)
        assert counted.window.slots == Slots()

    def test_a_group_is_written_once_a_batch(self, server: Server, groups: Groups) -> None:
        store = store_on(server, groups)
        for batch in (1, 2):
            store.replace(store.count(a_tally(batch), NOW).window, SLOTS)
        assert groups.described == [batch_id(1), batch_id(2)]


def test_stacks_that_share_a_server_are_kept_apart(server: Server, groups: Groups) -> None:
    shop = store_on(server, groups)
    shop.count(a_tally(1), NOW)
    other = replace(shop, prefix="backstop:other:")
    assert list(other.open_windows()) == []
    assert other.look(GROUP) is None
    assert other.add_firsts(1, NOW) == shop.add_firsts(1, NOW) == 1
