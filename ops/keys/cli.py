"""The command `backstop keys`: the keys that wait, and what becomes of those that wait for a person."""

from __future__ import annotations

from typing import Annotated

import typer

from backstop.parking import State
from ops.keys import listing
from ops.keys import show as showing
from ops.keys.command import decide
from ops.keys.deciding import Decision
from ops.options import AsJson, IsLocal, StackName
from ops.stack import Stack
from ops.subcommand import is_called

app = typer.Typer(
    help="The keys that wait in the ordered lane: which, for what, and what becomes of a head that is dead."
)

Key = Annotated[str, typer.Argument(metavar="KEY", help="The key; after -- where it begins with a dash.")]
HeadEvent = Annotated[str | None, typer.Option("--event", help="Only if the head is this event.", show_default=False)]
IsAgreed = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


@app.callback(invoke_without_command=True)
def keys(
    context: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only keys in this state.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many keys to show.")] = 100,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Show the keys that wait: those held for a person first, then those that have waited longest."""
    if not is_called(context):
        raise typer.Exit(listing.show(Stack.of(stack, is_local=local), state, limit, as_json=as_json))


@app.command()
def show(
    key: Key,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many of its events to show.")] = 50,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the events' bodies, too.")] = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Show what a key waits for, its parked events, and what operators did to it. Exit code 1 if it does not wait."""
    raise typer.Exit(showing.show(Stack.of(stack, is_local=local), key, limit, reveals=reveal, as_json=as_json))


@app.command()
def retry(
    key: Key, event: HeadEvent = None, yes: IsAgreed = False, stack: StackName = "backstop", local: IsLocal = False
) -> None:
    """Try the head of a key again now; one that is dead is given new attempts.

    Exit code 1 if that is not done.
    """
    raise typer.Exit(decide(Stack.of(stack, is_local=local), Decision.RETRY, key, event, is_agreed=yes))


@app.command()
def skip(
    key: Key, event: HeadEvent = None, yes: IsAgreed = False, stack: StackName = "backstop", local: IsLocal = False
) -> None:
    """Send the head of a key to DeadLetterQueue, with its reason, and let the others go on.

    Interrupted, the same call goes on; the dead letter may then be there twice. Exit code 1 if that is not done.
    """
    raise typer.Exit(decide(Stack.of(stack, is_local=local), Decision.SKIP, key, event, is_agreed=yes))


@app.command()
def discard(
    key: Key, event: HeadEvent = None, yes: IsAgreed = False, stack: StackName = "backstop", local: IsLocal = False
) -> None:
    """Delete the head of a key for good, and let the others go on.

    Interrupted, the same call goes on. Exit code 1 if that is not done.
    """
    raise typer.Exit(decide(Stack.of(stack, is_local=local), Decision.DISCARD, key, event, is_agreed=yes))
