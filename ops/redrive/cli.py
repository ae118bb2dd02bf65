"""The command `backstop redrive`: dead letters go back to where they came from, those that were chosen."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ops.dlq.choosing import Chosen, OfEvent, OfGroup, OfKind, OfQueue, OfReason
from ops.groups.found import answer
from ops.options import AsJson, IsLocal, StackName
from ops.redrive import deciding, native, show, starting
from ops.stack import Stack
from ops.subcommand import is_called
from ops.times import since

app = typer.Typer(help="Send dead letters back to where they came from: those of a group, a kind, a release; or all.")

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The redrive, r….")]
IsNative = Annotated[bool, typer.Option("--native", help="What SQS itself moves.")]


@app.callback(invoke_without_command=True)
def redrive(
    context: typer.Context,
    group: OfGroup = None,
    kind: OfKind = None,
    reason: OfReason = None,
    event: OfEvent = None,
    queue: OfQueue = None,
    before_release: Annotated[
        str | None, typer.Option("--before-release", help="Only what died on an earlier release.", show_default=False)
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", help="Only what died before: a time, or 30m, 2h, 3d ago.", show_default=False),
    ] = None,
    is_all: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    include_new: Annotated[bool, typer.Option("--include-new", help="What dies meanwhile, too.")] = False,
    rescued: Annotated[bool, typer.Option("--rescued", help="Those that the bucket keeps under rescued/.")] = False,
    rate: Annotated[float, typer.Option(min=0.1, max=500, help="Letters a second.")] = 10,
    no_canary: Annotated[bool, typer.Option("--no-canary", help="All at once, not 1, 10, 100 first.")] = False,
    is_native: Annotated[
        bool, typer.Option("--native", help="Let SQS itself move a whole dead-letter queue, --queue.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back: counted first, then agreed to by their number, then moved 1, 10, 100, and the rest.

    If more than 10 % of a step fail again, it stops and leaves the rest where it is. It goes on without you: look at it
    with `redrive status`. What dies after you called is left alone. Exit code 1 if it is not begun.
    """
    if is_called(context):
        return
    now, chosen = datetime.now(UTC), Chosen(group, kind, reason, event, queue)
    if is_native:
        raise typer.Exit(_native(context, chosen, stack, local=local, yes=yes, as_json=as_json))
    died_before = since(older_than, now, "--older-than") if older_than else None
    if is_all == bool(chosen.words or before_release or died_before):
        raise typer.BadParameter("say which letters: --group, --kind, --reason, --event, --queue, …; or --all", context)
    found = Stack.of(stack, is_local=local)
    words = shlex.join(["redrive", *_typed_words(context)])

    def do() -> int:
        selection = replace(
            chosen.selection(found),
            before_release=before_release or "",
            died_before=died_before,
            frozen_at=None if include_new else now,
        )
        asked = starting.Asked(selection, words, rate, not no_canary, rescued, yes, as_json)
        return starting.start(found, asked)

    raise typer.Exit(answer(do))


@app.command()
def status(
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="The redrive, r…; all without it.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to list.")] = 20,
    is_native: IsNative = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Show how redrives stand; one that is under way is followed until it is over, Ctrl-C does not end it.

    Exit code 1 if it stopped by itself, or nobody moves it any more.
    """
    found = Stack.of(stack, is_local=local)
    if is_native:
        raise typer.Exit(native.status(found, as_json=as_json))
    if job is None:
        raise typer.Exit(show.show_all(found, limit, as_json=as_json))
    raise typer.Exit(show.show(found, job, as_json=as_json))


@app.command()
def cancel(
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="The redrive, r….")] = None,
    is_native: IsNative = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
) -> None:
    """End a redrive where it is. What is moved stays moved, what is not stays where it lies; `resume` goes on."""
    found = Stack.of(stack, is_local=local)
    if is_native == (job is not None):
        raise typer.BadParameter("name the redrive, or say --native: one of the two")
    if job is None:
        raise typer.Exit(native.cancel(found))
    raise typer.Exit(deciding.cancel(found, job, shlex.join(["redrive", "cancel", job])))


@app.command()
def resume(
    job: JobId,
    resend_doubtful: Annotated[
        bool, typer.Option("--resend-doubtful", help="Send what may have been sent, too: it may be there twice.")
    ] = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
) -> None:
    """Let a redrive go on that was cancelled or interrupted: nothing is moved twice. Exit code 1 if it cannot."""
    words = ["redrive", "resume", job, *(["--resend-doubtful"] if resend_doubtful else [])]
    found = Stack.of(stack, is_local=local)
    raise typer.Exit(deciding.resume(found, job, shlex.join(words), resends_doubtful=resend_doubtful))


def _native(context: typer.Context, chosen: Chosen, stack: str, *, local: bool, yes: bool, as_json: bool) -> int:
    """Let SQS move a whole queue, which it cannot do by choice."""
    allowed = {"is_native", "queue", "rate", "yes", "stack", "local", "as_json"}
    if _given(context).keys() - allowed:
        raise typer.BadParameter("--native moves a whole queue: it goes with --queue, --rate and --yes only", context)
    given = context.params["rate"] if "rate" in _given(context) else None
    if given is not None and given != int(given):
        raise typer.BadParameter("--native moves whole letters a second: --rate 1 to 500", context)
    rate = None if given is None else int(given)
    queue = chosen.queue or "DeadLetterQueue"
    return native.start(Stack.of(stack, is_local=local), queue, rate, is_agreed=yes, as_json=as_json)


def _given(context: typer.Context) -> dict[str, Any]:
    """Return the options that were typed."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name: context.params[name] for name, source in sources.items() if source and source.name != "DEFAULT"}


def _typed_words(context: typer.Context) -> list[str]:
    """Return the options that were typed, as words."""
    names = {option.name: option.opts[0] for option in context.command.params}
    words: list[str] = []
    for name, value in _given(context).items():
        if name in {"stack", "local", "as_json"}:
            continue
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [names[name]] if one is True else [names[name], str(one)]
    return words
