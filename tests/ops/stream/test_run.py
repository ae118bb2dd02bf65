"""Drills of the sample as it is deployed, on a stream that buffers as AWS's does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ops.drill.stream import run as running
from ops.drill.stream.account import Account
from ops.drill.stream.plan import Plan, make
from ops.drill.stream.run import Progress, run
from ops.failure import CallFailed
from ops.stack import Stack
from tests.fakes.faults import Fault
from tests.ops.stream.world import World

PLAN = make(60, 1, "drill-1", datetime(2026, 1, 5, 9, 0, tzinfo=UTC))
BUFFER_SECONDS = 60


def drill(stack: Stack, plan: Plan = PLAN, timeout_seconds: float = 300) -> Account:
    return run(stack, plan, timeout_seconds, lambda _: None)


def test_a_drill_ends_when_each_click_is_accounted_for_and_balances(stack: Stack) -> None:
    account = drill(stack)

    assert account.is_balanced
    malformed = sum(record.is_malformed for record in PLAN.records)
    robots = sum(len(record.robots) for record in PLAN.records)
    assert (account.clicks, account.failed, account.dropped) == (60, malformed, robots)
    assert account.delivered == 60 - malformed - robots
    assert BUFFER_SECONDS <= account.seconds < 2 * BUFFER_SECONDS


def test_what_the_account_says_is_what_the_bucket_holds(stack: Stack, world: World) -> None:
    account = drill(stack)

    assert len(world.lane.stored()) == account.delivered
    assert len(world.lane.kept()) == account.failed


@pytest.mark.usefixtures("world")
def test_a_drill_of_one_click_balances(stack: Stack) -> None:
    account = drill(stack, make(1, 1, "drill-1", datetime(2026, 1, 5, tzinfo=UTC)))

    assert (account.records, account.delivered, account.is_balanced) == (1, 1, True)


def test_two_drills_one_after_the_other_do_not_see_each_other(stack: Stack) -> None:
    assert drill(stack, make(60, 1, "first", datetime(2026, 1, 5, tzinfo=UTC))).is_balanced
    assert drill(stack, make(60, 2, "second", datetime(2026, 1, 5, tzinfo=UTC))).is_balanced


def test_it_looks_a_few_times_more_for_what_must_not_come(
    stack: Stack, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A robot that is delivered late is delivered all the same."""
    robot = next(record.robots[0] for record in PLAN.records if record.robots)

    def wait(seconds: float) -> None:
        was_quiet = not world.lane.stream.buffered
        world.wait(seconds)
        if was_quiet:
            world.write(f'{{"id": "{robot}"}}\n'.encode())

    monkeypatch.setattr(running, "sleep", wait)

    account = drill(stack)

    assert (account.delivered_wrongly, account.lost, account.is_balanced) == (1, 0, False)


def test_what_is_nowhere_after_the_timeout_is_lost_as_far_as_it_can_tell(stack: Stack, world: World) -> None:
    world.is_working = False

    account = drill(stack, timeout_seconds=100)

    robots = sum(len(record.robots) for record in PLAN.records)
    assert (account.delivered, account.failed, account.lost) == (0, 0, 60 - robots)
    assert (account.is_balanced, account.seconds) == (False, 100)


def test_the_longer_it_takes_the_less_often_it_looks(stack: Stack, world: World) -> None:
    world.is_working = False

    drill(stack, timeout_seconds=300)

    assert world.waits == sorted(world.waits[:-1]) + world.waits[-1:]  # the last one ends at the timeout
    assert (world.waits[0], max(world.waits)) == (1, 10)
    assert sum(world.waits) == pytest.approx(300)


def test_progress_is_shown_from_the_first_call_on(stack: Stack) -> None:
    shown: list[Progress] = []

    account = run(stack, PLAN, 300, shown.append)

    assert shown[0] == Progress(waiting=60, delivered=0, failed=0)
    assert shown[-1] == Progress(waiting=0, delivered=account.delivered, failed=account.failed)


def test_more_records_than_a_call_takes_are_sent(stack: Stack, world: World) -> None:
    account = drill(stack, make(700, 1, "drill-1", datetime(2026, 1, 5, tzinfo=UTC)))

    assert (account.clicks, account.is_balanced) == (700, True)
    assert world.lane.faults.calls["PutRecordBatch"] > 1


def test_records_that_the_stream_refuses_are_not_sent_and_not_missed(stack: Stack, world: World) -> None:
    refused = {record.data for record in PLAN.records[:10]}
    world.lane.stream.refuses = lambda data: data in refused

    account = drill(stack)

    assert account.records == len(PLAN.records) - 10
    assert account.is_balanced


@pytest.mark.parametrize(
    ("fault", "why"), [(Fault.UNREACHABLE, "Could not connect"), (Fault.DENIED, "AccessDenied")], ids=["gone", "denied"]
)
def test_a_stream_that_takes_nothing_is_told(fault: Fault, why: str, stack: Stack, world: World) -> None:
    world.lane.faults.fail_always("PutRecordBatch", fault)

    with pytest.raises(CallFailed, match=f"the stream took 0 records, then no more: .*{why}"):
        drill(stack)


def test_a_stream_that_takes_no_more_is_told(stack: Stack, world: World) -> None:
    world.lane.faults.fail("PutRecordBatch", None, Fault.UNREACHABLE)

    with pytest.raises(CallFailed, match="the stream took 100 records, then no more"):
        drill(stack, make(400, 1, "drill-1", datetime(2026, 1, 5, tzinfo=UTC)))
