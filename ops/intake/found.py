"""A stack in, its intakes out: all, or the one that a person names; and what recovery may do to them."""

from __future__ import annotations

from typing import Final

from backstop.aws.release_counts import ReleaseCounts
from backstop.errors import SystemFault
from backstop.recovery.state import Intake
from backstop.release_counts import Hold
from backstop.settings.recovery import RecoverySettings
from ops.failure import CallFailed, told_in_a_sentence
from ops.stack import Stack
from ops.terminal import harmless

ALL: Final = "all"
"""What a person types for every intake."""

_FUNCTION: Final = "AWS_LAMBDA_FUNCTION_NAME"
"""What Lambda itself tells a function."""


def recovery_of(stack: Stack) -> RecoverySettings:
    """Return what RecoverFunction is told by its template. Raises CallFailed where the stack has none."""
    name = stack.output("RecoverFunctionName")
    configuration = stack.functions.get_function_configuration(FunctionName=name)
    try:
        told = configuration.get("Environment", {}).get("Variables", {})
        return RecoverySettings.from_environment({**told, _FUNCTION: name})
    except SystemFault as error:
        raise CallFailed(f"RecoverFunction: {harmless(str(error))}; deploy the template again") from error


def chosen(intakes: tuple[Intake, ...], name: str) -> tuple[Intake, ...]:
    """Return the intakes that are meant. Raises CallFailed where there is none of that name."""
    found = tuple(one for one in intakes if name in {ALL, one.name})
    if not found:
        there = ", ".join(one.name for one in intakes)
        raise CallFailed(f"there is no intake {harmless(name)!r}: there are {there}; or {ALL}")
    return found


def held_releases(stack: Stack) -> list[Hold]:
    """Return the releases whose failures are held back. Raises CallFailed where the table does not answer."""
    with told_in_a_sentence():
        return ReleaseCounts(stack.dynamodb, stack.output("CircuitsTableName")).holds()
