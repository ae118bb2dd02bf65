"""A stack with intakes, circuits and releases, and what there is to see of them after a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest
from moto import mock_aws

from backstop.aws.circuits import CircuitTable
from backstop.aws.intakes import Intakes
from backstop.aws.recovery_log import RecoveryLog
from backstop.aws.release_counts import ReleaseCounts
from backstop.circuits.state import Calls, Opening, Standing, Thresholds
from backstop.circuits.window import slot_of
from backstop.recovery.mode import Mode
from backstop.recovery.plan import plan
from backstop.recovery.state import Bounds, Intake, IntakeMemory, Pause, SetIntake, World
from backstop.release_counts import Hold
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Faults
from tests.ops.command import Command, Ran
from tests.ops.dlq.conftest import Terminal
from tests.ops.intake.functions import RECOVER, Functions
from tests.ops.keys.conftest import SESSION, clock, faults
from tests.template.tables import make_table

__all__ = ["SESSION", "clock", "faults"]

WHO: Final = "arn:aws:sts::123456789012:user/moto"
HOSTILE: Final = "x\x1b[2J\u202e\r[red]"
"""What a terminal would obey, and what rich would."""
EVENTS: Final = Intake("events", "shop-process", "m-events", 10, "shop-old")
ORDERED: Final = Intake("ordered", "shop-process-ordered", "m-ordered", 10, "shop-old-ordered")

_TABLES: Final = {"circuits": "CircuitsTable", "recovery": "RecoveryLogTable", "audit": "AuditTable"}


@dataclass
class Ground:
    """A stack, and what stands behind it: `client` is touched by no fault of the stack's clients."""

    stack: Stack
    clock: VirtualClock
    client: Any
    functions: Functions

    @property
    def circuits(self) -> CircuitTable:
        return CircuitTable(self.client, "circuits")

    @property
    def releases(self) -> ReleaseCounts:
        return ReleaseCounts(self.client, "circuits")

    @property
    def log(self) -> RecoveryLog:
        return RecoveryLog(self.client, "recovery")

    def open(self, name: str = "payments", *dependents: str, why: str = "5 failures in a row") -> Standing:
        """Let a circuit open, which these functions depend on."""
        opening = Opening(self.clock.now(), "environment-1", "shop-process")
        opened = self.circuits.open(self.circuits.read(name), why, opening, timedelta(seconds=30))
        assert opened is not None
        for function in dependents:
            self.circuits.depend(name, function)
        return self.circuits.read(name)

    def count(self, name: str, calls: Calls) -> None:
        """Let calls through a circuit be shared."""
        now = self.clock.now()
        self.circuits.add(self.circuits.read(name), {slot_of(now, Thresholds()): calls}, now)

    def hold(self, function: str = EVENTS.function, release: str = "1.4.0") -> Hold:
        """Let a release be held, as 34 of 40 messages failed the same way."""
        hold = Hold(function, release, "a" * 16, 34, 40, self.clock.now())
        assert self.releases.hold(hold, "environment-1")
        assert self.releases.holds() == [hold]
        return hold

    def reconcile(self) -> None:
        """Do to intakes what RecoverFunction does each minute: its own plan, carried out."""
        memory, circuits = self.log.memory(), tuple(self.circuits.all())
        mappings = {one.name: Intakes(self._functions).look(one.mapping_id) for one in (EVENTS, ORDERED)}
        world = World(
            now=self.clock.now(),
            mode=Mode(self.functions.variables["RECOVERY_MODE"]),
            bounds=Bounds(20, timedelta(hours=1)),
            circuits=circuits,
            holds=tuple(self.releases.holds()),
            intakes=(EVENTS, ORDERED),
            mappings=mappings,
            ringing=frozenset(),
            switches={},
        )
        planned = plan(world, memory)
        assert self.log.remember(planned.memory, planned.entries, world.now)
        ids = {one.name: one.mapping_id for one in (EVENTS, ORDERED)}
        for action in planned.actions:
            if isinstance(action, SetIntake):
                Intakes(self._functions).set(ids[action.intake], action.is_enabled, action.concurrency)

    def minute(self) -> None:
        """Let a minute pass, mappings settle, and the reconciler run."""
        self.clock.advance(timedelta(minutes=1))
        self.functions.settle()
        self.reconcile()

    def states(self) -> dict[str, str]:
        """Return how Lambda has the mappings."""
        return {mapping_id: one["State"] for mapping_id, one in self.functions.mappings.items()}

    def pause_of(self, intake: str = "events") -> Pause | None:
        """Return what recovery remembers of an intake's pause."""
        return self.log.memory().intakes.get(intake, IntakeMemory()).pause

    def audit(self) -> list[tuple[str, str, str]]:
        """Return what is written down: commands, subjects and results, the oldest first."""
        items = self.client.scan(TableName="audit")["Items"]
        names = ("command", "subject", "result")
        return [tuple(item[name]["S"] for name in names) for item in sorted(items, key=lambda one: one["at"]["S"])]

    def snapshot(self) -> Any:
        """Return everything that is in the tables, and how the mappings are."""
        items = (str(item) for name in _TABLES for item in self.client.scan(TableName=name)["Items"])
        return sorted(items), self.states()

    @property
    def _functions(self) -> Any:
        return self.functions


@pytest.fixture
def stack() -> Stack:
    stack = Stack("shop", SESSION)
    outputs = {
        "CircuitsTableName": "circuits",
        "RecoveryLogTableName": "recovery",
        "AuditTableName": "audit",
        "RecoverFunctionName": RECOVER,
    }
    vars(stack).update(_outputs=outputs)
    return stack


@pytest.fixture
def ground(stack: Stack, clock: VirtualClock, faults: Faults) -> Iterator[Ground]:
    with mock_aws():
        client: Any = SESSION.client("dynamodb")
        for name, resource in _TABLES.items():
            make_table(client, name, resource)
        functions = Functions()
        functions.variables = {
            "CIRCUITS_TABLE": "circuits",
            "RECOVERY_LOG_TABLE": "recovery",
            "RECOVERY_MODE": "act",
            "MAX_INTAKE_CONCURRENCY": "20",
            "MAX_PAUSE_MINUTES": "60",
            "EVENTS_INTAKE": _setting(EVENTS),
            "ORDERED_INTAKE": _setting(ORDERED),
            "SWITCHES": "",
            "ALERT_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:shop-alerts",
            "STACK_NAME": "shop",
            "STAGE": "prod",
            "RELEASE": "1.4.0",
        }
        for one in (EVENTS, ORDERED):
            functions.mappings[one.mapping_id] = {"State": "Enabled", "ScalingConfig": {"MaximumConcurrency": 10}}
        vars(stack).update(functions=functions)
        ground = Ground(stack, clock, client, functions)
        functions.recovers = ground.reconcile
        with faults.installed(stack.dynamodb):
            yield ground


def _setting(intake: Intake) -> str:
    """Return an intake as the template tells RecoverFunction of it."""
    return f"{intake.function},{intake.mapping_id},{intake.normal},{intake.age_alarm}"


@pytest.fixture
def backstop(
    command: Command, ground: Ground, found_by_commands: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Run `backstop` where nobody sits, or where a person does who types a word."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: str, types: str | None = None) -> Ran:
        with monkeypatch.context() as patched:
            if types is not None:
                patched.setattr("sys.stdin", Terminal(f"{types}\n"))
                patched.setattr("sys.stdout.isatty", lambda: True)
            ran = command(*words)
        assert "Traceback" not in ran.err
        assert "unexpectedly" not in ran.err, ran.err
        assert not [one for one in ran.out + ran.err if not one.isprintable() and one != "\n"]
        return ran

    return run
