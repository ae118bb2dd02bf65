"""The command `backstop alerts`: what people were told, and whether they are told at all."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from ops.alerts import listing
from ops.alerts.sent import follow as following
from ops.alerts.sent import sent
from ops.alerts.trial import send_test
from ops.options import AsJson, IsLocal, StackName
from ops.stack import Stack
from ops.subcommand import is_called
from ops.times import since as read_since

app = typer.Typer(help="Alerts: which were sent, and whether one arrives.")


@app.callback(invoke_without_command=True)
def alerts(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="Those sent since: 2026-11-21T09:00 (UTC), or 30m, 2h, 3d ago.")] = "1d",
    follow: Annotated[bool, typer.Option("--follow", help="Go on with those to come, until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many to show, the last; all of --follow's.")] = 50,
    full: Annotated[bool, typer.Option("--full", help="Show each as people get it.")] = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Show the alerts that were sent, the last at the end. With --follow, --json prints a document a line."""
    if is_called(context):
        return
    moment = read_since(since, datetime.now(UTC))
    found = Stack.of(stack, is_local=local)
    if not follow:
        raise typer.Exit(listing.show(found, moment, limit, is_full=full, as_json=as_json))
    coming = following(partial(sent, found), moment, lambda: datetime.now(UTC), time.sleep)
    raise typer.Exit(listing.show_as_they_come(coming, is_full=full, as_json=as_json))


@app.command(name="test")
def send_one(stack: StackName = "backstop", local: IsLocal = False, as_json: AsJson = False) -> None:
    """Send a test alert the way that alerts go, and show who is to get it. Exit code 1 if nobody is."""
    raise typer.Exit(send_test(Stack.of(stack, is_local=local), as_json=as_json))
