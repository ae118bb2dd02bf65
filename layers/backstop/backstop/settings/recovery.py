"""The environment of `recover` in, what it is told by its template out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Self

from backstop.recovery.mode import Mode
from backstop.recovery.state import Bounds, Intake
from backstop.settings.reader import Reader


@dataclass(frozen=True, slots=True)
class RecoverySettings:
    """What `recover` is told by its template."""

    circuits_table: str
    recovery_log_table: str
    mode: Mode
    bounds: Bounds
    intakes: tuple[Intake, ...]
    switches: Mapping[str, str]
    """The names of the SSM parameters, by the circuits whose downstreams have a backup."""
    topic_arn: str
    stack: str
    stage: str
    release: str
    function: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raises SystemFault, naming what is missing or wrong."""
        read = Reader(environment)
        return cls(
            circuits_table=read("CIRCUITS_TABLE", str),
            recovery_log_table=read("RECOVERY_LOG_TABLE", str),
            mode=read("RECOVERY_MODE", Mode),
            bounds=Bounds(
                most=read("MAX_INTAKE_CONCURRENCY", int),
                longest_pause=timedelta(minutes=read("MAX_PAUSE_MINUTES", int)),
            ),
            intakes=(read("EVENTS_INTAKE", _intake("events")), read("ORDERED_INTAKE", _intake("ordered"))),
            switches=read("SWITCHES", _switches) if environment.get("SWITCHES") else {},
            topic_arn=read("ALERT_TOPIC_ARN", str),
            stack=read("STACK_NAME", str),
            stage=read("STAGE", str),
            release=read("RELEASE", str),
            function=read("AWS_LAMBDA_FUNCTION_NAME", str),
        )


def _intake(name: str) -> Callable[[str], Intake]:
    return partial(_as_intake, name)


def _as_intake(name: str, text: str) -> Intake:
    """Read `function,mapping id,normal concurrency,age alarm's name`. Raises ValueError where it is not that."""
    function, mapping_id, normal, age_alarm = text.split(",", 3)
    return Intake(name, function, mapping_id, int(normal), age_alarm)


def _switches(text: str) -> Mapping[str, str]:
    """Read `circuit=parameter,…`. Raises ValueError where it is not that."""
    pairs = [one.split("=", 1) for one in text.split(",")]
    return {circuit: parameter for circuit, parameter in pairs}  # noqa: C416  # a pair that is none is refused
