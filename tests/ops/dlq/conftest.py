"""A stack with dead letters, at a time that stands still."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command, Ran
from tests.ops.dlq.ground import DEAD, ORDERED_DEAD, Ground, make_tables
from tests.ops.keys.conftest import SESSION, clock, faults, rows

__all__ = ["SESSION", "clock", "faults", "rows"]


@pytest.fixture
def sqs(clock: VirtualClock, faults: Faults) -> FakeSqs:
    sqs = FakeSqs(clock, faults)
    kept = {"MessageRetentionPeriod": "1209600"}
    for name in ("shop-events", "shop-retry", DEAD):
        sqs.create_queue(QueueName=name, Attributes=kept)
    for name in ("shop-ordered.fifo", ORDERED_DEAD):
        sqs.create_queue(QueueName=name, Attributes=kept | {"FifoQueue": "true"})
    return sqs


@pytest.fixture
def stack(sqs: FakeSqs) -> Stack:
    stack = Stack("shop", SESSION)
    outputs = {
        "EventsQueueUrl": sqs.queue("shop-events").url,
        "RetryQueueUrl": sqs.queue("shop-retry").url,
        "OrderedQueueUrl": sqs.queue("shop-ordered.fifo").url,
        "DeadLetterQueueUrl": sqs.queue(DEAD).url,
        "OrderedDeadLetterQueueUrl": sqs.queue(ORDERED_DEAD).url,
        "ParkedTableName": "parked",
        "FailureGroupsTableName": "groups",
        "FailedEventsTableName": "events",
        "AuditTableName": "audit",
        "DataBucketName": "data",
    }
    vars(stack).update(sqs=sqs, _outputs=outputs)
    return stack


@pytest.fixture
def ground(stack: Stack, sqs: FakeSqs, clock: VirtualClock, faults: Faults) -> Iterator[Ground]:
    with mock_aws():
        client: Any = SESSION.client("dynamodb")
        make_tables(client)
        with faults.installed(stack.dynamodb):
            yield Ground(stack, sqs, clock, client)


@pytest.fixture
def dlq(command: Command, ground: Ground, found_by_commands: None, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `backstop dlq` where nobody sits, and see that it never shows where it stands in the code."""
    monkeypatch.setenv("COLUMNS", "300")

    def run(*words: str) -> Ran:
        ran = command("dlq", *words)
        assert "Traceback" not in ran.err
        assert "unexpectedly" not in ran.err
        return ran

    return run


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def answers(dlq: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run a command where a person sits who types the first word."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(typed: str, *words: str) -> Ran:
        monkeypatch.setattr(sys, "stdin", Terminal(typed))
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        return dlq(*words)

    return run


def is_harmless(ran: Ran) -> bool:
    """Return whether a terminal would obey nothing of what was printed."""
    return all(one.isprintable() or one == "\n" for one in ran.out + ran.err)
