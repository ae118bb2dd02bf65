"""What many watchers at once come to, exactly: occurrences counted, alerts sent, whatever the order of their calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import cast

import pytest
from moto import mock_aws

from backstop.aws.groups_table import GroupsTable
from backstop.budget import Budget, Reason
from backstop.groups import Store
from backstop.memory import MemoryStore
from tests.backstop.watch_world import BUDGET, WatchWorld, failing, group_named
from tests.turns import Interleaved, Turns
from tests.watch_lane import client, make_tables

WATCHERS = 8
A_BATCH = 5
NO_DIGEST = replace(BUDGET, digest_after=0)
Stand = Callable[[Budget, Turns], Store]


def in_memory(budget: Budget, turns: Turns) -> Store:
    return cast(Store, Interleaved(MemoryStore(budget), turns))


def on_moto(budget: Budget, turns: Turns) -> Store:
    """Return the table, whose calls of DynamoDB are where watchers take turns."""
    make_tables(client("dynamodb"))
    return GroupsTable(Interleaved(client("dynamodb"), turns), "groups", budget)  # type: ignore[arg-type]  # it has what that has


@contextmanager
def crowd(seed: int, stand: Stand, budget: Budget = BUDGET) -> Iterator[tuple[WatchWorld, Turns]]:
    """Set a world up in which watchers take turns."""
    turns = Turns(Random(seed))
    with mock_aws():
        yield WatchWorld(budget=budget, store=stand(budget, turns)), turns


def shares(world: WatchWorld, failures: list[int]) -> list[Callable[[], object]]:
    """Return what each of the watchers does: batch after batch of its share of the failures, given by their groups."""

    def job(share: list[int]) -> Callable[[], object]:
        batches = [share[start : start + A_BATCH] for start in range(0, len(share), A_BATCH)]
        return lambda: [world.batch([world.occurrence(group) for group in batch]) for batch in batches]

    return [job(failures[number::WATCHERS]) for number in range(WATCHERS)]


CASES = [
    *[pytest.param(seed, in_memory, id=f"in memory, seed {seed}") for seed in range(10)],
    *[pytest.param(seed, on_moto, id=f"in DynamoDB, seed {seed}") for seed in range(2)],
]


@pytest.mark.parametrize(("seed", "stand"), CASES)
def test_ten_thousand_identical_failures_are_five_alerts_and_all_are_counted(seed: int, stand: Stand) -> None:
    with crowd(seed, stand) as (world, turns):
        turns.run(shares(world, [1] * 10_000))
        found = world.kept.look(group_named(1))
        assert found is not None
        assert (found[0].occurrences, found[1].count) == (10_000, 10_000)
        assert Counter(world.told()) == {
            (Reason.FIRST, 5): 1,
            (Reason.MORE, 10): 1,
            (Reason.MORE, 100): 1,
            (Reason.MORE, 1000): 1,
        }
        world.pass_minutes(120)
        assert world.told()[4:] == [(Reason.END, 10_000)]
        assert len(world.sent) == 5


@pytest.mark.parametrize(("seed", "stand"), CASES)
def test_a_hundred_groups_are_a_hundred_first_alerts_where_no_digest_is_wanted(seed: int, stand: Stand) -> None:
    with crowd(seed, stand, NO_DIGEST) as (world, turns):
        turns.run(shares(world, [*range(100)] * 5))
        assert not world.digests
        assert [reasons_of(world, number) for number in range(100)] == [[Reason.FIRST]] * 100


@pytest.mark.parametrize("stand", [in_memory, on_moto])
def test_a_hundred_groups_in_one_batch_are_one_digest_and_nothing_else(stand: Stand) -> None:
    with crowd(1, stand) as (world, _):
        world.batch([world.occurrence(number) for number in range(100)])
        world.pass_minutes(120)
        assert len(world.sent) == len(world.digests) == 1
        assert {alert.group.group for alert in world.digests[0].alerts} == set(map(group_named, range(100)))


@pytest.mark.parametrize(("seed", "stand"), CASES)
def test_a_hundred_groups_of_many_watchers_are_each_told_of_once_by_themselves_or_together(
    seed: int, stand: Stand
) -> None:
    with crowd(seed, stand) as (world, turns):
        turns.run(shares(world, [*range(100)] * 5))
        world.pass_minutes(6)
        together = [alert.group.group for digest in world.digests for alert in digest.alerts]
        alone = [group_named(number) for number in range(100) if world.told(number)]
        assert sorted(together + alone) == list(map(group_named, range(100)))
        assert len(world.sent) <= BUDGET.digest_after + 1


@pytest.mark.parametrize(("seed", "stand"), CASES)
def test_a_topic_that_refuses_three_alerts_in_ten_leaves_no_group_unheard_of_and_tells_nothing_twice(
    seed: int, stand: Stand
) -> None:
    with crowd(seed, stand, NO_DIGEST) as (world, turns):
        world.refuses = failing(0.3, seed)
        turns.run(shares(world, [*range(40)] * 12))
        world.pass_minutes(30)
        for number in range(40):
            reasons = reasons_of(world, number)
            assert {Reason.FIRST, Reason.END} <= set(reasons)
            assert len(reasons) == len(set(reasons)) <= BUDGET.limit


def reasons_of(world: WatchWorld, group: int) -> list[Reason]:
    return [reason for reason, _ in world.told(group)]
