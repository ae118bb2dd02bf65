"""A stack with dead letters and a machine that would move them, at a time that stands still."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from backstop.aws.redrive_jobs import RedriveJobs
from backstop.redrive import Job
from ops.stack import Stack
from tests.ops.command import Command, Ran
from tests.ops.dlq.conftest import SESSION, Terminal, clock, faults, rows, sqs
from tests.ops.dlq.conftest import ground as letters_ground
from tests.ops.dlq.conftest import stack as letters_stack
from tests.ops.dlq.ground import Ground
from tests.template.tables import make_table

__all__ = ["SESSION", "clock", "faults", "letters_ground", "letters_stack", "rows", "sqs"]


@dataclass
class Redrives:
    """What stands behind the command: jobs, and the machine that takes their turns."""

    ground: Ground
    machine: str
    jobs: RedriveJobs

    def job(self) -> Job:
        """Return the one job that there is."""
        [job] = self.jobs.all()
        return job

    def runs(self) -> list[tuple[str, Any]]:
        """Return the machine's runs: their names and what they were given."""
        client = SESSION.client("stepfunctions")
        found = client.list_executions(stateMachineArn=self.machine)["executions"]
        described = [client.describe_execution(executionArn=one["executionArn"]) for one in found]
        return sorted((one["name"], json.loads(one["input"])) for one in described)

    def end_run(self, name: str) -> None:
        """Let a run come to an end, be it by somebody who stops it."""
        SESSION.client("stepfunctions").stop_execution(
            executionArn=f"{self.machine.replace(':stateMachine:', ':execution:')}:{name}"
        )


@pytest.fixture
def stack(letters_stack: Stack) -> Stack:
    return letters_stack


@pytest.fixture
def ground(letters_ground: Ground) -> Ground:
    return letters_ground


@pytest.fixture
def redrives(ground: Ground, stack: Stack) -> Redrives:
    make_table(ground.client, "redrives", "RedriveTable")
    machine = SESSION.client("stepfunctions").create_state_machine(
        name="redrive",
        definition=json.dumps({"StartAt": "Turn", "States": {"Turn": {"Type": "Succeed"}}}),
        roleArn="arn:aws:iam::123456789012:role/machine",
    )["stateMachineArn"]
    stack._outputs.update(RedriveTableName="redrives", RedriveStateMachineArn=machine)
    client: Any = ground.client
    return Redrives(ground, machine, RedriveJobs(client, "redrives"))


@pytest.fixture
def redrive(
    command: Command, redrives: Redrives, found_by_commands: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Ran]]:
    """Run `backstop redrive` where nobody sits, or where a person does who types a word."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: str, types: str | None = None) -> Ran:
        with monkeypatch.context() as patched:
            if types is not None:
                patched.setattr("sys.stdin", Terminal(f"{types}\n"))
                patched.setattr("sys.stdout.isatty", lambda: True)
            ran = command("redrive", *words)
        assert "Traceback" not in ran.err
        assert "unexpectedly" not in ran.err, ran.err
        return ran

    yield run
    assert redrives.ground.hidden() == 0, "what is looked at is seen again at once"
