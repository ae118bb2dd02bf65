from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from backstop.drill import Fault, mark_of
from backstop.errors import MalformedEvent
from backstop.event import parser
from ops.drill.plan import ENDS_DONE, Plan, Planned, Sort, make

SCHEMA = Path(__file__).parents[2] / "functions" / "process" / "schema.json"
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
KILLERS = {Sort.EXIT, Sort.LOOP}

parse = parser(json.loads(SCHEMA.read_text()))


def plan(events: int, seed: int = 1, drill: str = "d") -> Plan:
    return make(events, seed, drill, NOW)


def places(planned: Plan, sorts: set[Sort]) -> list[int]:
    return [event.number for event in planned.events if event.sort in sorts]


def likeness(event: Planned, drill: str) -> tuple[int, Sort, str]:
    return event.number, event.sort, event.body.replace(drill, "…")


def test_the_same_seed_plans_the_same_drill() -> None:
    assert plan(300, seed=7) == plan(300, seed=7)


def test_two_drills_of_one_seed_differ_in_their_ids_alone() -> None:
    first, second = plan(300, drill="d-1"), plan(300, drill="d-2")

    in_order = [event for event in first.events if event.sort is not Sort.MALFORMED]
    as_second = [event for event in second.events if event.sort is not Sort.MALFORMED]
    assert [likeness(event, "d-1") for event in in_order] == [likeness(event, "d-2") for event in as_second]
    assert not {event.order_id for event in in_order} & {event.order_id for event in as_second}


def test_another_seed_plans_another_drill() -> None:
    assert [event.sort for event in plan(300, seed=1).events] != [event.sort for event in plan(300, seed=2).events]


@pytest.mark.parametrize("events", range(1, 61))
def test_there_are_as_many_events_as_asked_for_numbered_in_order(events: int) -> None:
    assert [event.number for event in plan(events).events] == list(range(events))


@pytest.mark.parametrize("events", [50, 51, 59, 60, 199, 2000])
def test_from_fifty_events_on_every_sort_occurs(events: int) -> None:
    assert {event.sort for event in plan(events).events} == set(Sort)


def test_most_events_are_good() -> None:
    sorts = Counter(event.sort for event in plan(2000).events)

    assert sorts == {
        Sort.GOOD: 1654, Sort.DUPLICATE: 100, Sort.LATE: 80, Sort.SYSTEM: 60, Sort.MALFORMED: 80,
        Sort.UNPRICED: 10, Sort.EXIT: 10, Sort.LOOP: 6,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_every_body_but_the_malformed_is_what_the_schema_allows(seed: int) -> None:
    for event in plan(200, seed).events:
        if event.sort is not Sort.MALFORMED:
            assert parse(event.body)["id"] == event.order_id


@pytest.mark.parametrize("seed", range(10))
def test_every_malformed_body_is_refused(seed: int) -> None:
    bodies = [event.body for event in plan(500, seed).events if event.sort is Sort.MALFORMED]

    assert len(bodies) == 20
    for body in bodies:
        with pytest.raises(MalformedEvent):
            parse(body)


def test_a_malformed_event_has_no_order_that_could_be_stored() -> None:
    assert {event.sort for event in plan(500).events if not event.order_id} == {Sort.MALFORMED}


def test_only_late_and_unpriced_orders_name_products_without_a_price() -> None:
    planned = plan(2000)

    for event in planned.events:
        if event.sort is Sort.MALFORMED:
            continue
        skus = {item["sku"] for item in parse(event.body)["items"]}
        allowed = {Sort.LATE: planned.late_products, Sort.UNPRICED: (planned.unpriced_product,)}
        assert skus <= set(allowed.get(event.sort, planned.products))


@pytest.mark.parametrize("events", [50, 100, 251, 800])
def test_what_takes_long_to_end_stands_in_the_first_half(events: int) -> None:
    slow = {Sort.EXIT, Sort.LOOP, Sort.LATE, Sort.SYSTEM, Sort.UNPRICED}

    for seed in range(15):
        assert max(places(plan(events, seed), slow)) < events / 2


@pytest.mark.parametrize(("events", "seeds"), [(50, (1, 206, 359)), (51, (1, 206)), (100, (1, 177)), (800, range(20))])
def test_killers_stand_apart(events: int, seeds: Iterable[int]) -> None:
    """Two in one batch would say less: the first to run hides the second."""
    for seed in seeds:
        assert min(after - before for before, after in pairwise(places(plan(events, seed), KILLERS))) > 1


def test_only_duplicates_are_sent_twice() -> None:
    planned = plan(200)

    assert {event.copies for event in planned.events if event.sort is Sort.DUPLICATE} == {2}
    assert {event.copies for event in planned.events if event.sort is not Sort.DUPLICATE} == {1}


def test_a_mark_is_read_as_it_was_written() -> None:
    for event in plan(200).events:
        assert mark_of(event.mark.serialise()) == event.mark


@pytest.mark.parametrize(
    ("sort", "fault"),
    [(Sort.EXIT, Fault.EXIT), (Sort.LOOP, Fault.LOOP), (Sort.SYSTEM, Fault.SYSTEM), (Sort.GOOD, None)],
    ids=lambda value: str(value),
)
def test_a_mark_asks_for_the_fault_of_its_sort(sort: Sort, fault: Fault | None) -> None:
    marks = [event.mark for event in plan(200).events if event.sort is sort]

    assert {mark.fault for mark in marks} == {fault}


def test_a_system_fault_ends_by_itself() -> None:
    untils = {event.mark.until for event in plan(200).events if event.sort is Sort.SYSTEM}

    assert untils == {NOW.timestamp() + 8}


def test_what_must_end_done_is_what_nothing_is_wrong_with_in_the_end() -> None:
    assert set(Sort) - ENDS_DONE == {Sort.MALFORMED, Sort.UNPRICED, *KILLERS}
