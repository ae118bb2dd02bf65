from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from math import ceil
from typing import Any

import pytest

from backstop.drill import Fault
from backstop.event import parser
from backstop.redact import redact
from ops.drill.ordered.plan import MOST_EVENTS, STATUSES, Plan, Planned, make
from ops.local import state

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SCHEMA = json.loads((state.ROOT / "functions" / "process_ordered" / "schema.json").read_text())
SIZES = [(1, 1), (2, 1), (3, 4), (7, 3), (20, 20), (50, 40)]


def plan(keys: int = 20, events: int = 20, seed: int = 1, **more: Any) -> Plan:
    return make(keys, events, seed, "d", NOW, **more)


def faults(plan: Plan) -> Counter[Fault | None]:
    return Counter(event.mark.fault for event in plan.events)


def before_the_head(events: tuple[Planned, ...]) -> list[Planned]:
    return list(events[: next((place for place, event in enumerate(events) if event.is_deadly), len(events))])


def test_the_same_seed_plans_the_same_drill() -> None:
    assert plan() == plan()
    assert plan() != plan(seed=2)


@pytest.mark.parametrize(("keys", "events"), SIZES)
def test_it_plans_so_many_events_of_so_many_keys_each_with_its_own_id_and_number(keys: int, events: int) -> None:
    planned = plan(keys, events)

    assert [len(of_key) for of_key in planned.keys.values()] == [events] * keys
    for name in ("event_id", "number", "token"):
        assert len({getattr(event, name) for event in planned.events}) == keys * events
    assert all(event.mark.number == event.number and event.mark.drill == "d" for event in planned.events)


def test_every_event_is_as_the_schema_wants_it_and_its_keys_next() -> None:
    parse = parser(SCHEMA)
    for key, events in plan(7, 12).keys.items():
        changes = [parse(event.body) for event in events]
        assert [change["number"] for change in changes] == list(range(1, 13))
        assert [change["status"] for change in changes] == [*STATUSES, *STATUSES, *STATUSES[:2]]
        assert {change["order"] for change in changes} == {key} == {event.key for event in events}
        assert [change["id"] for change in changes] == [event.event_id for event in events]


def test_it_knows_the_statuses_and_numbers_of_the_sample() -> None:
    assert set(STATUSES) == set(SCHEMA["properties"]["status"]["enum"])
    assert SCHEMA["properties"]["number"]["maximum"] >= MOST_EVENTS


def test_events_are_sent_one_of_each_key_after_the_other() -> None:
    planned = plan(3, 4)

    rounds = list(planned.rounds)
    assert [[event.key for event in events] for events in rounds] == [list(planned.keys)] * 4
    for place, key in enumerate(planned.keys):
        assert tuple(events[place] for events in rounds) == planned.keys[key]


@pytest.mark.parametrize(("keys", "events"), SIZES)
@pytest.mark.parametrize("seed", range(5))
def test_a_third_of_the_keys_at_least_never_fails(keys: int, events: int, seed: int) -> None:
    planned = plan(keys, events, seed)

    assert len(planned.unrelated) == ceil(keys / 3)
    assert {event.mark.fault for key in planned.unrelated for event in planned.keys[key]} == {None}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param(3, [Fault.EXIT, Fault.PERMANENT], id="two of three"),
        pytest.param(20, [Fault.EXIT, Fault.PERMANENT], id="two of twenty"),
        pytest.param(21, [Fault.EXIT, Fault.PERMANENT, Fault.PERMANENT], id="three of twenty-one"),
        pytest.param(50, [Fault.EXIT, Fault.LOOP, *[Fault.PERMANENT] * 3], id="five of fifty"),
    ],
)
def test_of_ten_keys_one_has_a_dead_head(keys: int, expected: list[Fault]) -> None:
    heads = [event for event in plan(keys).events if event.is_deadly]

    assert sorted(event.mark.fault or "" for event in heads) == expected
    assert len({event.key for event in heads}) == len(heads)


@pytest.mark.parametrize("seed", range(10))
def test_a_dead_head_has_events_before_and_behind_it(seed: int) -> None:
    for events in plan(20, 20, seed).keys.values():
        places = [place for place, event in enumerate(events, 1) if event.is_deadly]
        assert all(5 <= place <= 15 for place in places)


@pytest.mark.parametrize("seed", range(10))
def test_what_is_behind_a_dead_head_has_no_fault_of_its_own(seed: int) -> None:
    """It never runs, so it would rehearse nothing."""
    for events in plan(20, 20, seed).keys.values():
        behind = events[len(before_the_head(events)) + 1 :]
        assert {event.mark.fault for event in behind} <= {None}


def test_one_event_in_twenty_fails_once_and_one_in_two_hundred_kills_its_worker_once() -> None:
    found = faults(plan(50, 40))

    assert (found[Fault.TRANSIENT], found[Fault.EXIT_ONCE]) == (100, 10)


@pytest.mark.parametrize("seed", range(10))
def test_a_drill_of_twenty_keys_has_each_fault(seed: int) -> None:
    found = faults(plan(20, 5, seed))

    assert min(found[fault] for fault in (Fault.TRANSIENT, Fault.EXIT_ONCE, Fault.PERMANENT, Fault.EXIT)) >= 1


@pytest.mark.parametrize("seed", range(10))
def test_nothing_fails_before_what_kills_its_worker_once(seed: int) -> None:
    """An event that was parked counts as received before, and would kill nobody."""
    for events in plan(20, 20, seed).keys.values():
        exits = [place for place, event in enumerate(events) if event.mark.fault is Fault.EXIT_ONCE]
        before = events[: max(exits, default=0)]
        assert {event.mark.fault for event in before} <= {None, Fault.EXIT_ONCE}


def test_a_calm_drill_is_the_same_without_faults() -> None:
    planned, calm = plan(), plan(is_calm=True)

    assert faults(calm) == {None: 400}
    assert not any(event.is_deadly for event in calm.events)
    assert calm.unrelated == planned.unrelated
    assert [event.body for event in calm.events] == [event.body for event in planned.events]


@pytest.mark.parametrize("drill", ["ordered-1-x12345678", "ordered-999999999-x12345678"])
def test_no_redaction_changes_an_id(drill: str) -> None:
    for event in make(3, 3, 1, drill, NOW).events:
        assert redact(event.event_id) == event.event_id
        assert redact(event.key) == event.key
