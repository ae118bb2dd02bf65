"""Drills of the sample as it is deployed, on queues in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from backstop.drill import Fault as Injected
from backstop.parking import State
from ops.drill.ordered.account import Account
from ops.drill.ordered.plan import Plan, make
from ops.drill.ordered.run import Progress, run
from ops.failure import CallFailed
from ops.stack import Stack
from tests.fakes.faults import Fault
from tests.ops.ordered.world import World

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
PLAN = make(9, 8, 1, "d", NOW)
CALM = make(9, 8, 1, "d", NOW, is_calm=True)


def drill(stack: Stack, plan: Plan = PLAN, timeout_seconds: float = 600) -> Account:
    return run(stack, plan, timeout_seconds, lambda _: None)


def behind_heads(plan: Plan) -> int:
    places = [
        next((place for place, event in enumerate(events, 1) if event.is_deadly), len(events))
        for events in plan.keys.values()
    ]
    return sum(len(events) - place for events, place in zip(plan.keys.values(), places, strict=True))


def test_a_drill_balances_with_each_dead_head_holding_up_its_own_key(stack: Stack, world: World) -> None:
    account = drill(stack)

    assert account.is_balanced
    assert (account.sent, account.dead) == (72, {"crashed": 1, "permanent": 1})
    assert account.parked == behind_heads(PLAN) > 0
    assert account.done == 72 - 2 - account.parked
    assert account.other_delay_seconds.p99 is not None
    assert world.deaths >= 2 + 1  # a killer head kills two workers, and another event one


def test_a_calm_drill_finishes_every_event_and_kills_nobody(stack: Stack, world: World) -> None:
    account = drill(stack, CALM)

    assert account.is_balanced
    assert (account.done, account.dead, account.parked, world.deaths) == (72, {}, 0, 0)
    assert account.seconds == 3 + 1  # work is done during the first wait, then three quiet looks in a row


def test_it_leaves_nothing_parked_and_the_orders_with_their_history(stack: Stack, world: World) -> None:
    account = drill(stack)

    assert account.keys_left == 0
    assert [item for item in world.items("parked") if item["sort"]["S"] != "totals"] == []
    assert sum(len(item.get("history", {"L": []})["L"]) for item in world.items("orders")) == account.done


def test_two_drills_one_after_the_other_do_not_see_each_other(stack: Stack, world: World) -> None:
    assert drill(stack, make(4, 4, 1, "first", NOW)).is_balanced
    assert drill(stack, make(4, 4, 1, "second", NOW)).is_balanced


@pytest.mark.parametrize(("keys", "events"), [(1, 1), (2, 3), (11, 1)])
def test_a_small_drill_balances(keys: int, events: int, stack: Stack, world: World) -> None:
    account = drill(stack, make(keys, events, 1, "d", NOW))

    assert (account.sent, account.is_balanced) == (keys * events, True)


def test_no_key_is_in_two_calls_at_once_nor_twice_in_one(stack: Stack, world: World) -> None:
    drill(stack)

    calls = [call.request["Entries"] for call in world.sqs.calls if call.operation == "SendMessageBatch"]
    sent = [entries for entries in calls if "MessageGroupId" in entries[0]]
    assert all(len({entry["MessageGroupId"] for entry in entries}) == len(entries) for entries in sent)
    assert sum(map(len, sent)) == 72


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.THROTTLED])
def test_a_call_that_broke_is_made_again_and_doubles_nothing(fault: Fault, stack: Stack, world: World) -> None:
    world.sqs.faults.fail("SendMessageBatch", fault)

    account = drill(stack, CALM)

    assert (account.sent, account.done, account.is_balanced) == (72, 72, True)


def test_an_entry_that_was_refused_is_sent_before_the_next_of_its_key(stack: Stack, world: World) -> None:
    refused: list[Any] = []

    def refuse_once(operation: str, entry: Any) -> bool:
        if operation != "SendMessageBatch" or '"number": 3' not in entry["MessageBody"] or refused:
            return False
        refused.append(entry)
        return True

    world.sqs.refuses = refuse_once

    account = drill(stack, CALM)

    assert (len(refused), account.done, account.order_violations, account.is_balanced) == (1, 72, 0, True)


def test_a_queue_that_takes_nothing_is_told(stack: Stack, world: World) -> None:
    world.sqs.faults.fail_always("SendMessageBatch", Fault.DENIED)

    with pytest.raises(CallFailed, match="SQS took 0 events, then no more: AWS refused"):
        drill(stack)


def test_what_still_moves_after_the_timeout_is_shown_as_it_is(stack: Stack, world: World) -> None:
    world.is_working = False

    account = drill(stack, timeout_seconds=20)

    assert (account.queued, account.done, account.lost) == (72, 0, 0)
    assert (account.is_balanced, account.seconds) == (False, 20)


def test_a_key_that_still_waits_for_its_time_is_left_to_go_on(stack: Stack, world: World) -> None:
    account = drill(stack, timeout_seconds=1)

    assert (account.is_balanced, account.keys_left) == (False, len(list(world.parked.locks())))
    assert {lock.state for lock in world.parked.locks()} == {State.WAITING}
    for _ in range(100):
        world.wait(1)
    held = {lock.key for lock in world.parked.locks()}
    assert held <= {event.key for event in PLAN.events if event.is_deadly}


def test_a_drill_waits_for_a_key_whose_turn_comes_late(stack: Stack, world: World) -> None:
    """Its wake-up was lost, so that no queue knows of it: only its lock does."""
    plan = make(4, 6, 1, "d", NOW)
    shown: list[Progress] = []

    def show(progress: Progress) -> None:
        shown.append(progress)
        if len(shown) < 20:
            world.drains.messages.clear()
        elif len(shown) == 20:
            world.sqs.send_message(QueueUrl=world.drains.url, MessageBody='{"sweep": true}')

    account = run(stack, plan, 600, show)

    assert any(event.mark.fault is Injected.TRANSIENT for event in plan.events)
    assert account.is_balanced
    assert len(shown) > 20


def test_a_drill_waits_until_no_wake_up_is_under_way(stack: Stack, world: World) -> None:
    world.sqs.send_message(QueueUrl=world.drains.url, MessageBody='{"sweep": true}', DelaySeconds=30)

    account = drill(stack, CALM)

    assert account.is_balanced
    assert 30 <= account.seconds < 40


def test_progress_is_shown_while_it_waits(stack: Stack, world: World) -> None:
    shown: list[Progress] = []

    account = run(stack, PLAN, 600, shown.append)

    assert shown[0] == Progress(queued=72, parked=0, done=0)
    assert shown[-1] == Progress(queued=0, parked=account.parked + 2, done=account.done)
