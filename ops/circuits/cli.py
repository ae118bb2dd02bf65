"""The command `backstop circuits`: how downstreams are, as their circuits know it, and what an operator does to one."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from ops.agreeing import Asked
from ops.circuits import deciding, listing
from ops.circuits.deciding import LONGEST
from ops.options import AsJson, IsLocal, StackName
from ops.stack import Stack
from ops.subcommand import is_called
from ops.times import lasting

app = typer.Typer(help="The circuits: which are open, since when and why, what waits for them; and held releases.")

CircuitName = Annotated[str, typer.Argument(metavar="NAME", help="The circuit; after -- where it begins with a dash.")]
IsAgreed = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


@app.callback(invoke_without_command=True)
def circuits(
    context: typer.Context, stack: StackName = "backstop", local: IsLocal = False, as_json: AsJson = False
) -> None:
    """Show the circuits, open ones first: since when, why, their probes, and what is paused because of them."""
    if not is_called(context):
        raise typer.Exit(listing.show(Stack.of(stack, is_local=local), as_json=as_json))


@app.command(name="open")
def hold_open(
    name: CircuitName,
    span: Annotated[str, typer.Option("--for", help="How long: 30m, 2h; at most 24h.")] = "1h",
    new: Annotated[bool, typer.Option("--new", help="Even if no call through it failed lately.")] = False,
    yes: IsAgreed = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Hold a circuit open for a while: no call goes through, not even a probe. Then probes close it, as always.

    Exit code 1 if that is not done.
    """
    time = lasting("--for", span, LONGEST)
    options = [*(["--new"] if new else []), *(["--yes"] if yes else [])]
    asked = Asked(_words("open", ["--for", span, *options], name), yes, as_json)
    raise typer.Exit(deciding.hold_open(Stack.of(stack, is_local=local), name, time, asked, is_new=new))


@app.command()
def close(
    name: CircuitName,
    yes: IsAgreed = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Close a circuit, be it held open or not: all calls go through at once. Exit code 1 if that is not done."""
    asked = Asked(_words("close", ["--yes"] if yes else [], name), yes, as_json)
    raise typer.Exit(deciding.close(Stack.of(stack, is_local=local), name, asked))


def _words(command: str, options: list[str], name: str) -> str:
    """Return the command as it would be typed."""
    return shlex.join(["circuits", command, *options, *(["--", name] if name.startswith("-") else [name])])
