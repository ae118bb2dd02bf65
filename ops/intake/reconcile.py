"""What is to hold of intakes in, what recovery made of it at once out."""

from __future__ import annotations

import json
from collections.abc import Iterable

from botocore.exceptions import BotoCoreError, ClientError

from backstop.aws.intakes import Intakes
from backstop.errors import SystemFault
from backstop.recovery.state import Intake, IntakeMemory, Memory, SourceMapping
from ops.failure import CallFailed, sentence
from ops.stack import Stack
from ops.terminal import harmless


def reconcile(stack: Stack) -> str:
    """Let RecoverFunction do now what it does each minute; returns why it did not, or nothing."""
    try:
        answer = stack.functions.invoke(
            FunctionName=stack.output("RecoverFunctionName"), Payload=json.dumps({"reconcile": True}).encode()
        )
    except (ClientError, BotoCoreError) as error:
        return sentence(error)
    return _failure(answer["Payload"].read()) if answer.get("FunctionError") else ""


def set_directly(stack: Stack, intakes: Iterable[Intake], memory: Memory) -> str:
    """Let mappings be at once as recovery wants them; returns why one is not, or nothing."""
    mappings = Intakes(stack.functions)
    try:
        for one in intakes:
            wanted = memory.intakes.get(one.name, IntakeMemory())
            mappings.set(one.mapping_id, wanted.pause is None, wanted.concurrency or one.normal)
    except SystemFault as error:
        return harmless(str(error))
    return ""


def look(stack: Stack, intakes: Iterable[Intake]) -> dict[str, SourceMapping]:
    """Return how the intakes' mappings are, by the intake's name. Raises CallFailed where Lambda does not answer."""
    mappings = Intakes(stack.functions)
    try:
        return {one.name: mappings.look(one.mapping_id) for one in intakes}
    except SystemFault as error:
        raise CallFailed(str(error)) from error


def _failure(payload: bytes) -> str:
    try:
        told = json.loads(payload)
        return harmless(f"RecoverFunction failed: {told['errorType']}: {told['errorMessage']}")
    except (ValueError, KeyError, TypeError):
        return "RecoverFunction failed: WatchLogs says why"
