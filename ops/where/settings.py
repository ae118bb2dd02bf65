"""A stack in, the numbers that its functions were deployed with out."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from ops.failure import CallFailed
from ops.stack import Stack

PROCESS = "ProcessFunctionName"
PROCESS_ORDERED = "ProcessOrderedFunctionName"
WATCH = "WatchFunctionName"


def number(stack: Stack, function: str, name: str) -> int | None:
    """Return a number from a function's environment; None where that cannot be read: all can be told without it.

    `function` is the output of the stack that names it.
    """
    try:
        configuration = stack.functions.get_function_configuration(FunctionName=stack.output(function))
        return int(configuration["Environment"]["Variables"][name])
    except (CallFailed, ClientError, BotoCoreError, KeyError, ValueError):
        return None
