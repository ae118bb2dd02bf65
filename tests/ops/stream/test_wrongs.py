"""Drills of handlers that do wrong: each wrong is seen, and where it belongs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ops.drill.stream.account import Account
from ops.drill.stream.plan import Sort, make
from ops.drill.stream.run import run
from ops.stack import Stack
from tests.ops.stream.world import World
from tests.stream_lane import ScriptedTransform

PLAN = make(130, 1, "drill-1", datetime(2026, 1, 5, 9, 0, tzinfo=UTC))
GOOD = next(record.good[0] for record in PLAN.records if record.sort is Sort.CLICK and b'"email"' in record.data)
SEVERAL = next(record for record in PLAN.records if len(record.good) > 1)
ROBOT = next(record.robots[0] for record in PLAN.records if record.sort is Sort.ROBOT)


def id_alone(click: dict[str, Any]) -> dict[str, Any]:
    return {"id": click["id"]}


@pytest.fixture
def script() -> ScriptedTransform:
    """Do what is right, until a test says otherwise."""
    script = ScriptedTransform()
    for record in PLAN.records:
        for good in record.good:
            script.will(good, id_alone)
        for robot in record.robots:
            script.will(robot, lambda _: None)
        for broken in record.broken:  # those that the schema lets through
            script.will(broken, ValueError("year 0 is out of range"))
    return script


def drill(stack: Stack) -> Account:
    return run(stack, PLAN, 200, lambda _: None)


def wrong(account: Account) -> dict[str, int]:
    names = ("lost", "delivered_wrongly", "good_records_failed", "addresses_in_clear")
    return {name: getattr(account, name) for name in names if getattr(account, name)}


def test_a_handler_that_does_what_is_right_has_nothing_wrong(stack: Stack) -> None:
    account = drill(stack)

    assert (wrong(account), account.is_balanced) == ({}, True)


def test_a_good_click_that_is_dropped_is_lost(stack: Stack, script: ScriptedTransform) -> None:
    script.will(GOOD, lambda _: None)

    assert wrong(drill(stack)) == {"lost": 1}


def test_a_robot_that_is_stored_is_delivered_wrongly(stack: Stack, script: ScriptedTransform) -> None:
    script.will(ROBOT, id_alone)

    assert wrong(drill(stack)) == {"delivered_wrongly": 1}


def test_a_malformed_click_that_is_stored_is_delivered_wrongly(stack: Stack, script: ScriptedTransform) -> None:
    """The one that the schema lets through; its failure is missed, too."""
    for record in PLAN.records:
        for broken in record.broken:
            script.will(broken, id_alone)

    account = drill(stack)

    assert account.delivered_wrongly == account.lost == 1


def test_a_click_that_is_stored_as_it_came_shows_its_address(stack: Stack, script: ScriptedTransform) -> None:
    script.will(GOOD, lambda click: {**click, "page": ""})

    assert wrong(drill(stack)) == {"addresses_in_clear": 1}


def test_a_good_click_that_fails_is_a_good_record_that_failed(stack: Stack, script: ScriptedTransform) -> None:
    script.will(GOOD, KeyError("visitor"))

    assert wrong(drill(stack)) == {"good_records_failed": 1}


def test_one_of_several_that_fails_takes_its_record_along_and_none_is_lost(
    stack: Stack, script: ScriptedTransform
) -> None:
    script.will(SEVERAL.good[0], KeyError("visitor"))

    assert wrong(drill(stack)) == {"good_records_failed": 1}


def test_a_robot_that_fails_is_a_good_record_that_failed(stack: Stack, script: ScriptedTransform) -> None:
    script.will(ROBOT, KeyError("visitor"))

    assert wrong(drill(stack)) == {"good_records_failed": 1}


def test_another_senders_failure_shows(stack: Stack, world: World) -> None:
    world.lane.put(b"not JSON, and not the drill's")

    assert wrong(drill(stack)) == {"good_records_failed": 1}


def test_another_senders_click_does_not(stack: Stack, world: World) -> None:
    world.lane.put(world.lane.click())

    assert wrong(drill(stack)) == {}
