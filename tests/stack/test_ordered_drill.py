"""The ordered lane on the local AWS: drills, every worker killed, keys that wait for a person."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops.drill.ordered.command import rehearse
from ops.local.state import LocalAws
from ops.stack import Stack
from tests.ops.command import Command, command  # noqa: F401  # a fixture
from tests.stack.killing import killing_workers
from tests.stack.waiting import wait_for

TIMEOUT_SECONDS = 240


def test_an_ordered_drill_balances(stack: Stack) -> None:
    """Dead heads are held exactly where they are, with what follows behind them; all else is done, in its order."""
    account = rehearse(stack, 12, 10, 3, TIMEOUT_SECONDS)

    assert account.is_balanced
    assert set(account.dead) == {"permanent", "crashed"}
    assert (account.sent, account.keys_left) == (120, 0)


def test_killing_every_worker_every_two_seconds_breaks_no_order_and_loses_nothing(
    stack: Stack, local_aws: LocalAws
) -> None:
    """An event that runs each time that its worker is killed is taken for a killer: its key may be held."""
    with killing_workers(local_aws, every_seconds=2, for_seconds=20) as killed:
        account = rehearse(stack, 20, 10, 5, TIMEOUT_SECONDS)

    assert killed() > 5, "the rehearsal killed too few workers to show anything"
    assert (account.order_violations, account.lost, account.effects_twice) == (0, 0, 0)
    assert (account.queued, account.sent) == (0, 200)
    assert account.sent == account.done + sum(account.dead.values()) + account.parked


@pytest.mark.usefixtures("found_by_commands")
def test_an_operator_lets_a_key_go_on_that_is_held(stack: Stack, command: Command) -> None:  # noqa: F811
    """Before, its first event is shown with what befell it; after, who decided is."""
    change = {"id": "held-1", "order": "held", "number": 1, "status": "paid", "changed_at": "2026-11-21T09:00:00Z"}
    stack.sqs.send_message(
        QueueUrl=stack.queue_urls["OrderedQueue"], MessageBody=json.dumps(change), MessageGroupId="held"
    )

    def show() -> dict[str, Any] | None:
        told: dict[str, Any] = json.loads(command("keys", "show", "held", "--local", "--json").out)
        return told if told["state"] == "held" else None

    shown = wait_for(show)
    assert (shown["head"]["event"], shown["head"]["dead_because"]) == ("held-1", "permanent")

    assert "Dry run" in command("keys", "skip", "held", "--local").out
    assert command("keys", "skip", "held", "--yes", "--local").exit_code == 0

    wait_for(lambda: command("keys", "show", "held", "--local", "--json").exit_code == 1)
    [entry] = json.loads(command("keys", "show", "held", "--local", "--json").out)["done"]
    assert (entry["command"], entry["result"]) == ("keys skip --yes held", "done")
