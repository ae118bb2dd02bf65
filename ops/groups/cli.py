"""The command `backstop groups`: the groups of failures, and what becomes of the alerts about them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from backstop.groups import State
from ops.groups import deciding, listing
from ops.groups import show as showing
from ops.groups import why as reasons
from ops.groups.command import decide
from ops.groups.found import answer
from ops.options import AsJson, IsLocal, StackName
from ops.stack import Stack
from ops.subcommand import is_called
from ops.times import lasting
from ops.times import since as read_since

app = typer.Typer(help="Groups of failures, each one bug or one outage: which, why, and who hears of them.")

GroupName = Annotated[str, typer.Argument(metavar="GROUP", help="The group, g…, or its first digits.")]


@app.callback(invoke_without_command=True)
def groups(
    context: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only groups in this state.", show_default=False)] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only groups seen since: 2026-11-21T09:00 (UTC), or 30m, 2h, 3d ago. 14d unless said."),
    ] = None,
    is_all: Annotated[bool, typer.Option("--all", help="However long ago they were seen.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many groups to show.")] = 50,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Show the groups of failures: open ones first, the most urgent and most recent of these first."""
    if is_called(context):
        return
    if is_all and since is not None:
        raise typer.BadParameter("--all and --since contradict each other", context)
    moment = None if is_all else read_since(listing.RECENT if since is None else since, datetime.now(UTC))
    raise typer.Exit(listing.show(Stack.of(stack, is_local=local), state, moment, limit, as_json=as_json))


@app.command()
def show(
    group: GroupName,
    events: Annotated[int, typer.Option(min=0, max=1000, help="How many of its newest events to show.")] = 10,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Show all about a group, its newest failed events, and what to type next. Exit code 1 if there is none."""
    found = Stack.of(stack, is_local=local)
    raise typer.Exit(answer(lambda: showing.show(found, group, events, as_json=as_json)))


@app.command()
def why(
    group: GroupName,
    other: Annotated[str | None, typer.Argument(metavar="[OTHER]", help="Why not in this one?")] = None,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Show why failures are in a group; with two groups, what tells them apart. Exit code 1 if that is not known."""
    found = Stack.of(stack, is_local=local)
    if other is None:
        raise typer.Exit(answer(lambda: reasons.why(found, group, as_json=as_json)))
    raise typer.Exit(answer(lambda: reasons.why_apart(found, group, other, as_json=as_json)))


@app.command()
def ack(group: GroupName, stack: StackName = "backstop", local: IsLocal = False) -> None:
    """Say that you work on it: nothing more is told of the group until it is over."""
    found, now = Stack.of(stack, is_local=local), datetime.now(UTC)
    raise typer.Exit(decide(found, group, lambda _: deciding.ack(now)))


@app.command()
def silence(
    group: GroupName,
    span: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 3d; at most 30d.")],
    stack: StackName = "backstop",
    local: IsLocal = False,
) -> None:
    """Let nothing be told of the group for a while."""
    now, time = datetime.now(UTC), lasting("--for", span, deciding.LONGEST_SILENCE)
    found = Stack.of(stack, is_local=local)
    raise typer.Exit(decide(found, group, lambda _: deciding.silence(now, time), "--for", span))


@app.command()
def resolve(group: GroupName, stack: StackName = "backstop", local: IsLocal = False) -> None:
    """Take the group for mended: if it comes back, that is told. It ends an ack and a silence."""
    found, now = Stack.of(stack, is_local=local), datetime.now(UTC)
    raise typer.Exit(decide(found, group, lambda known: deciding.resolve(known, now)))


@app.command()
def reopen(group: GroupName, stack: StackName = "backstop", local: IsLocal = False) -> None:
    """Take back an ack, a silence or a resolve: people are told of the group again."""
    found = Stack.of(stack, is_local=local)
    raise typer.Exit(decide(found, group, lambda _: deciding.reopen()))


@app.command()
def note(
    group: GroupName,
    text: Annotated[str, typer.Argument(help="What others are to know, 512 characters; empty takes it away.")],
    stack: StackName = "backstop",
    local: IsLocal = False,
) -> None:
    """Keep a note with the group: it stands in its alerts. Secrets in it are replaced."""
    decision, found = deciding.note(text), Stack.of(stack, is_local=local)
    kept = decision.sets.get("note", {}).get("S", "")
    raise typer.Exit(decide(found, group, lambda _: decision, kept))
