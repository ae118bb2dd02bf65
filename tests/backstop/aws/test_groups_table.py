"""The table of failure groups: what the contract of stores (test_stores.py) does not say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from backstop.aws.groups_table import GroupsTable
from backstop.budget import Slots
from tests.backstop import NOW
from tests.backstop.store_stands import A_MINUTE, BUDGET, GROUP, OTHER, TABLE, a_tally, groups_table
from tests.fakes.parking_contract import client_of


class Meeting:
    """A client in whose way somebody else gets once, before an update, after so many of them."""

    def __init__(self, meanwhile: Callable[[], object], after: int) -> None:
        self._meanwhile = meanwhile
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(client_of("dynamodb"), name)

    def update_item(self, **request: Any) -> Any:
        """Update an item."""
        self._after -= 1
        if self._after == -1:
            self._meanwhile()
        return client_of("dynamodb").update_item(**request)


def test_an_end_that_is_told_while_its_window_gives_way_is_not_forgotten() -> None:
    with groups_table() as table:
        table.count(a_tally(1), NOW)
        window = table.count(a_tally(2), NOW + BUDGET.window - A_MINUTE).window
        told = replace(window.slots, sent=2, over_at=2)
        client: Any = Meeting(lambda: table.replace(window, told), after=1)
        counted = GroupsTable(client, TABLE, BUDGET).count(a_tally(3), NOW + BUDGET.window)
        assert counted.replaced == replace(window, slots=told)
        assert counted.window.slots == Slots()


def test_the_end_of_an_ack_of_a_group_that_is_not_known_makes_none() -> None:
    with groups_table() as table:
        table.end_ack(OTHER)
        assert table.look_at_group(OTHER) is None


def test_a_group_whose_window_was_kept_elsewhere_gets_one_when_its_batch_comes_again() -> None:
    with groups_table() as table:
        table.describe(a_tally(1, 3), NOW)
        assert table.look(GROUP) is None
        counted = table.count(a_tally(1, 3), NOW)
        assert (counted.before, counted.window.count, counted.is_repeat) == (0, 3, False)


def test_a_group_is_described_once_a_batch() -> None:
    with groups_table() as table:
        first, was = table.describe(a_tally(1, 3), NOW)
        assert (first.occurrences, was) == (3, None)
        second, was = table.describe(a_tally(2, 4), NOW)
        assert (second.occurrences, was) == (7, first)
        again, _ = table.describe(a_tally(2, 4), NOW + A_MINUTE)
        assert again == second == table.look_at_group(GROUP)
