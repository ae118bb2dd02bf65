"""A stack with all that may know of an event, at a time that stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command, Ran
from tests.ops.groups import ground as groups
from tests.ops.groups.ground import SESSION, clock, faults
from tests.ops.keys import ground as keys
from tests.ops.keys.conftest import rows, sqs
from tests.ops.where.ground import Functions, Ground
from tests.template.tables import make_table

__all__ = ["clock", "faults", "rows", "sqs"]

_TABLES = {"groups": "FailureGroupsTable", "events": "FailedEventsTable", "idempotency": "IdempotencyTable"}


@pytest.fixture
def stack(sqs: FakeSqs) -> Stack:
    stack = Stack("shop", SESSION)
    outputs = {
        "FailureGroupsTableName": "groups",
        "FailedEventsTableName": "events",
        "IdempotencyTableName": "idempotency",
        "ParkedTableName": "parked",
        "AuditTableName": "audit",
        "DataBucketName": "data",
        "ProcessFunctionName": "shop-process",
        "ProcessOrderedFunctionName": "shop-process-ordered",
        "WatchFunctionName": "shop-watch",
        "OrderedQueueUrl": sqs.queue(keys.ORDERED).url,
        "DrainQueueUrl": sqs.queue("shop-drain").url,
        "DeadLetterQueueUrl": sqs.queue("shop-dead").url,
    }
    vars(stack).update(sqs=sqs, functions=Functions(), _outputs=outputs)
    return stack


@pytest.fixture
def ground(stack: Stack, sqs: FakeSqs, clock: VirtualClock, faults: Faults) -> Iterator[Ground]:
    with mock_aws():
        client: Any = SESSION.client("dynamodb")
        for name, resource in _TABLES.items():
            make_table(client, name, resource)
        parked = keys.ground_of(stack, sqs, clock)
        functions: Any = stack.functions
        with faults.installed(stack.dynamodb):
            yield Ground(stack, clock, client, functions, faults, groups.Ground(stack, clock, client), parked)


@pytest.fixture
def where(
    command: Command, ground: Ground, found_by_commands: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Run `backstop where`, and see that it never shows where it stands in the code."""
    monkeypatch.setenv("COLUMNS", "300")

    def run(*words: str) -> Ran:
        ran = command("where", *words)
        assert "Traceback" not in ran.err
        assert "unexpectedly" not in ran.err
        return ran

    return run
