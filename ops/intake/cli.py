"""The commands `backstop pause` and `backstop resume`: fresh events wait in their queue, or come in again."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from ops.agreeing import Asked
from ops.intake import command
from ops.intake.command import LONGEST
from ops.intake.found import ALL
from ops.options import AsJson, IsLocal, StackName
from ops.stack import Stack
from ops.times import lasting

IsAgreed = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
IntakeName = Annotated[str, typer.Argument(metavar="INTAKE", help="events, ordered, or all.")]


def pause(
    intake: IntakeName = ALL,
    span: Annotated[str, typer.Option("--for", help="How long: 30m, 2h; at most 24h.")] = "1h",
    yes: IsAgreed = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Let no fresh events in for a while: they wait in their queue. What is tried again goes on.

    One that recovery has paused is paused until then instead. Exit code 1 if it is not done.
    """
    time = lasting("--for", span, LONGEST)
    words = shlex.join(["pause", intake, "--for", span, *(["--yes"] if yes else [])])
    raise typer.Exit(command.pause(Stack.of(stack, is_local=local), intake, time, Asked(words, yes, as_json)))


def resume(
    intake: IntakeName = ALL,
    yes: IsAgreed = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Let fresh events in again, few at a time first, whatever paused them. A release that is held is let go.

    Exit code 1 if it is not done.
    """
    words = shlex.join(["resume", intake, *(["--yes"] if yes else [])])
    raise typer.Exit(command.resume(Stack.of(stack, is_local=local), intake, Asked(words, yes, as_json)))
