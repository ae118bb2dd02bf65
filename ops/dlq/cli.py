"""The command `backstop dlq`: the dead-letter queues, what lies in them, and what becomes of it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ops.dlq import discard as discarding
from ops.dlq import edit as editing
from ops.dlq import export as exporting
from ops.dlq import importing, listing
from ops.dlq import show as showing
from ops.dlq.choosing import Chosen, OfEvent, OfGroup, OfKind, OfQueue, OfReason
from ops.groups.found import answer
from ops.options import AsJson, IsLocal, StackName
from ops.stack import Stack
from ops.subcommand import is_called

app = typer.Typer(help="Dead letters: how many there are and why, which one is which, and what becomes of them.")

IsAgreed = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


@app.callback(invoke_without_command=True)
def dlq(context: typer.Context, stack: StackName = "backstop", local: IsLocal = False, as_json: AsJson = False) -> None:
    """Show the dead-letter queues: how many letters each has, how old the oldest is, how long it is still kept."""
    if not is_called(context):
        raise typer.Exit(listing.show(Stack.of(stack, is_local=local), as_json=as_json))


@app.command()
def show(
    group: OfGroup = None,
    kind: OfKind = None,
    reason: OfReason = None,
    event: OfEvent = None,
    queue: OfQueue = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many to show, the newest.")] = 50,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the events' bodies, too.")] = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Show dead letters: why each is dead, since when, and where it came from. While it looks, nobody else sees them.

    Exit code 1 if there is no such group.
    """
    found, chosen = Stack.of(stack, is_local=local), Chosen(group, kind, reason, event, queue)
    raise typer.Exit(
        answer(lambda: showing.show(found, chosen.selection(found), limit, reveals=reveal, as_json=as_json))
    )


@app.command()
def discard(
    group: OfGroup = None,
    kind: OfKind = None,
    reason: OfReason = None,
    event: OfEvent = None,
    queue: OfQueue = None,
    is_all: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    yes: IsAgreed = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
) -> None:
    """Delete dead letters for good: those that are there now. Nothing brings them back.

    They are counted first, and you type their number. Exit code 1 if not all of them are deleted.
    """
    now, chosen = datetime.now(UTC), Chosen(group, kind, reason, event, queue)
    if is_all == bool(chosen.words):
        raise typer.BadParameter("say which letters: --group, --kind, --reason, --event or --queue; or --all")
    found = Stack.of(stack, is_local=local)
    words = " ".join(["dlq", "discard", chosen.words or "--all", *(["--yes"] if yes else [])])

    def do() -> int:
        selection = replace(chosen.selection(found), frozen_at=now)
        return discarding.discard(found, selection, words, is_agreed=yes)

    raise typer.Exit(answer(do))


@app.command()
def export(
    to: Annotated[str, typer.Option("--to", help="A new file; s3: the stack's DataBucket; -: standard output.")],
    group: OfGroup = None,
    kind: OfKind = None,
    reason: OfReason = None,
    event: OfEvent = None,
    queue: OfQueue = None,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Write dead letters down whole, one a line (NDJSON). It reveals payloads: only you may read the file.

    The letters stay where they are. Exit code 1 if there may be more than were seen.
    """
    if to == exporting.STANDARD_OUTPUT and as_json:
        raise typer.BadParameter("--json and --to - both write to standard output: one of the two")
    found, chosen = Stack.of(stack, is_local=local), Chosen(group, kind, reason, event, queue)
    words = " ".join(filter(None, ["dlq export", chosen.words, shlex.join(["--to", to])]))
    raise typer.Exit(
        answer(lambda: exporting.export(found, chosen.selection(found), to, words, as_json=as_json)),
    )


@app.command(name="import")
def import_letters(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="What was exported: a file, s3://…, - for standard input.")
    ],
    from_line: Annotated[int, typer.Option(min=1, help="Where to go on.")] = 1,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad lines out.")] = False,
    yes: IsAgreed = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Put exported dead letters back into the dead-letter queue that they came from, as they were.

    Nothing is sent unless every line is good. They are counted first, and you type their number. If the connection
    breaks for good, it says where to go on. Exit code 1 if a line was bad or not sent.
    """
    given = [*(["--from-line", str(from_line)] if from_line > 1 else []), *(["--skip-bad"] if skip_bad else [])]
    words = shlex.join(["dlq", "import", file, *given, *(["--yes"] if yes else [])])
    rules = importing.Rules(from_line, skips_bad=skip_bad, is_agreed=yes)
    raise typer.Exit(importing.bring_back(Stack.of(stack, is_local=local), file, rules, words, as_json=as_json))


@app.command()
def edit(
    event_id: Annotated[
        str, typer.Argument(metavar="EVENT_ID", help="The event's id; after -- where it begins with a dash.")
    ],
    message: Annotated[
        str | None, typer.Option("--message", help="Which of its dead letters, if it has several.", show_default=False)
    ] = None,
    schema: Annotated[
        Path | None, typer.Option("--schema", help="Another schema.json than the function's.", show_default=False)
    ] = None,
    wait: Annotated[int, typer.Option(min=0, max=3600, help="Seconds to wait for the copy to be done.")] = 60,
    settle: Annotated[
        str | None,
        typer.Option("--settle", help="Only settle the original of this edit, e…, sent before.", show_default=False),
    ] = None,
    yes: IsAgreed = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
) -> None:
    """Edit a dead letter's event in your editor, and send the copy back. The original stays until the copy is done.

    Its id stays, and it must be what the schema allows. What was changed is shown, and kept in the bucket. Exit code 1
    if it was not sent, or the copy is not done yet.
    """
    given = {"--message": message, "--schema": schema, "--settle": settle}
    options = [str(word) for one in given.items() if one[1] is not None for word in one]
    words = shlex.join(["dlq", "edit", event_id, *options, *(["--yes"] if yes else [])])
    asked = editing.Asked(event_id, words, message, schema, wait, is_agreed=yes)
    found = Stack.of(stack, is_local=local)
    raise typer.Exit(editing.edit(found, asked) if settle is None else editing.finish(found, asked, settle))
