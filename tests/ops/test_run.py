from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backstop.drill import mark_of
from backstop.errors import MalformedEvent
from backstop.event import parser
from ops.drill import run as running
from ops.drill.account import Account
from ops.drill.plan import Plan, Sort, make
from ops.drill.run import LATE_SECONDS, Progress, run
from ops.failure import CallFailed
from ops.local import state
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault
from tests.fakes.queue import QueuedMessage
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
PLAN = make(30, 1, "d", NOW)

SCHEMA = state.ROOT / "functions" / "process" / "schema.json"
GOOD_NUMBER = next(event.number for event in PLAN.events if event.sort is Sort.GOOD)

parse = parser(json.loads(SCHEMA.read_text()))


@dataclass
class Worker:
    """Stores each order once and takes its items from stock; what is no order becomes a dead letter."""

    stack: Stack
    sqs: FakeSqs
    loses: frozenset[int] = frozenset()
    """Events that it deletes without a trace."""
    doubles: frozenset[int] = frozenset()
    """Events whose items it takes twice."""
    is_working: bool = True

    def work(self) -> None:
        queue = self.sqs.queue("shop-events")
        while self.is_working and (messages := queue.receive(10)):
            for message in messages:
                self._take(message)
                queue.delete(message.receipt_handle)

    def _take(self, message: QueuedMessage) -> None:
        mark = mark_of(message.attributes["backstop-drill"]["StringValue"])
        assert mark is not None
        if mark.number in self.loses:
            return
        try:
            self._store(parse(message.body), 2 if mark.number in self.doubles else 1)
        except MalformedEvent:
            trail = {"DataType": "String", "StringValue": json.dumps({"dead_because": "permanent"})}
            self.sqs.queue("shop-dead").put(message.body, {**message.attributes, "backstop": trail}, {})

    def _store(self, order: dict[str, Any], times: int) -> None:
        dynamodb = self.stack.dynamodb
        if "Item" in dynamodb.get_item(TableName="orders", Key={"id": {"S": order["id"]}}):
            return
        items = {item["sku"]: {"N": str(item["quantity"])} for item in order["items"]}
        dynamodb.put_item(TableName="orders", Item={"id": {"S": order["id"]}, "items": {"M": items}})
        for sku, quantity in items.items():
            dynamodb.update_item(
                TableName="catalog",
                Key={"sku": {"S": sku}},
                UpdateExpression="SET stock = stock - :n",
                ExpressionAttributeValues={":n": {"N": str(times * int(quantity["N"]))}},
            )


@pytest.fixture
def worker(stack: Stack, sqs: FakeSqs, clock: VirtualClock, tables: None, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """Works while the drill waits; no time passes but the clock's."""
    worker = Worker(stack, sqs)

    def wait(seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))
        worker.work()

    monkeypatch.setattr(running, "sleep", wait)
    monkeypatch.setattr(running, "monotonic", lambda: clock.now().timestamp())
    return worker


def drill(stack: Stack, plan: Plan = PLAN, timeout_seconds: float = 60) -> Account:
    return run(stack, plan, timeout_seconds, lambda _: None)


@pytest.mark.usefixtures("worker")
def test_a_drill_ends_when_nothing_moves_any_more_and_balances(stack: Stack) -> None:
    account = drill(stack)

    assert account.is_balanced
    assert (account.sent, account.done, account.dead) == (30, 29, {"permanent": 1})
    assert account.seconds == LATE_SECONDS + 3  # the queues are empty three times in a row


@pytest.mark.usefixtures("worker")
def test_duplicates_are_sent_twice_and_counted_once(stack: Stack, sqs: FakeSqs) -> None:
    assert drill(stack).sent == 30

    duplicates = sum(event.sort is Sort.DUPLICATE for event in PLAN.events)
    assert len(sqs.queue("shop-events").deleted) == 30 + duplicates > 30


def test_what_a_worker_drops_is_lost(stack: Stack, worker: Worker) -> None:
    worker.loses = frozenset({GOOD_NUMBER})

    account = drill(stack)

    assert (account.lost, account.done, account.is_balanced) == (1, 28, False)


def test_an_effect_that_happened_twice_is_seen(stack: Stack, worker: Worker) -> None:
    worker.doubles = frozenset({GOOD_NUMBER})

    account = drill(stack)

    assert account.effects_twice > 0
    assert account.lost == 0


def test_what_still_moves_after_the_timeout_is_shown_as_it_is(stack: Stack, worker: Worker, sqs: FakeSqs) -> None:
    worker.is_working = False

    account = drill(stack, timeout_seconds=20)

    assert account.queued == len(sqs.queue("shop-events").messages)
    assert (account.done, account.is_balanced, account.seconds) == (0, False, 20)


@pytest.mark.usefixtures("worker")
def test_progress_is_shown_while_it_waits(stack: Stack) -> None:
    shown: list[Progress] = []

    run(stack, PLAN, 60, shown.append)

    assert shown[-1] == Progress(sent=30, done=29, dead=1, retrying=0, queued=0)


@pytest.mark.usefixtures("worker")
def test_letters_of_before_are_not_this_drills(stack: Stack, sqs: FakeSqs) -> None:
    sqs.send_message(QueueUrl=sqs.queue("shop-dead").url, MessageBody="{}")
    shown: list[Progress] = []

    account = run(stack, PLAN, 60, shown.append)

    assert (shown[-1].dead, account.dead) == (1, {"permanent": 1})


@pytest.mark.usefixtures("worker")
def test_a_connection_that_breaks_is_told(stack: Stack, sqs: FakeSqs) -> None:
    sqs.faults.fail_always("SendMessageBatch", Fault.UNREACHABLE)

    with pytest.raises(CallFailed, match="SQS took 0 events, then no more: Could not connect"):
        drill(stack)


@pytest.mark.usefixtures("worker")
def test_events_that_sqs_refuses_are_not_sent_and_not_missed(stack: Stack, sqs: FakeSqs) -> None:
    sqs.refuses = lambda operation, entry: (
        operation == "SendMessageBatch" and PLAN.events[0].body == entry["MessageBody"]
    )

    account = drill(stack)

    assert (account.sent, account.lost) == (29, 0)


@pytest.mark.usefixtures("worker", "found_by_commands", "told")
def test_the_command_prints_the_account_as_json(command: Command) -> None:
    ran = command("drill", "--events", "10", "--json")

    account = json.loads(ran.out)
    assert (ran.exit_code, account["sent"], account["done"]) == (0, 10, 10)
    assert (account["groups"], account["alerts"]) == (2, 0)


@pytest.mark.usefixtures("found_by_commands", "told")
def test_the_command_says_no_where_it_does_not_balance(command: Command, worker: Worker) -> None:
    worker.loses = frozenset(range(10))

    ran = command("drill", "--events", "10")

    assert ran.exit_code == 1
    assert "It does not balance: see the table." in ran.out


@pytest.mark.usefixtures("worker", "found_by_commands", "told")
def test_people_see_a_table_and_one_sentence(command: Command) -> None:
    ran = command("drill", "--events", "10")

    assert ran.exit_code == 0
    assert "Where each event ended" in ran.out
    assert "It balances" in ran.out
    assert "Failures: 5 in 2 groups. Alerts sent: 0" in ran.out
