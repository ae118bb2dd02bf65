"""A stack whose SQS is asked nothing that its service model does not know."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from ops.redrive import native
from ops.stack import Stack
from tests.fakes.faults import Faults
from tests.ops.command import Ran
from tests.ops.dlq.conftest import SESSION, Terminal
from tests.ops.dlq.ground import make_tables
from tests.ops.redrive.native.ground import DEAD, ORDERED, Sqs, url


@pytest.fixture
def faults() -> Faults:
    """How the stack's tables fail."""
    return Faults()


@pytest.fixture
def sqs(faults: Faults) -> Iterator[Sqs]:
    stack = Stack("shop", SESSION)
    queues = {"EventsQueue": "events", "OrderedQueue": "ordered.fifo", DEAD: "dead", ORDERED: "ordered-dead.fifo"}
    outputs = {f"{name}Url": url(queue) for name, queue in queues.items()} | {"AuditTableName": "audit"}
    vars(stack).update(_outputs=outputs)
    with mock_aws(), Stubber(stack.sqs) as stub:
        tables: Any = SESSION.client("dynamodb")
        make_tables(tables)
        with faults.installed(stack.dynamodb):
            yield Sqs(stack, stub, tables)
        stub.assert_no_pending_responses()


Run = Callable[..., Ran]


@pytest.fixture
def run(sqs: Sqs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call a function where nobody sits."""
    monkeypatch.setenv("COLUMNS", "300")

    def call(function: Callable[..., int], *words: Any, **options: Any) -> Ran:
        code = function(sqs.stack, *words, **options)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


@pytest.fixture
def start(run: Run) -> Run:
    def call(queue: str = DEAD, rate: int | None = None, *, yes: bool = False, as_json: bool = False) -> Ran:
        return run(native.start, queue, rate, is_agreed=yes, as_json=as_json)

    return call


@pytest.fixture
def answers(start: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Begin where a person sits who types the first word."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")

    def call(typed: str, *words: Any, **options: Any) -> Ran:
        monkeypatch.setattr(sys, "stdin", Terminal(typed))
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        return start(*words, **options)

    return call
