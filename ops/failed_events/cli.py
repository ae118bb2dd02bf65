"""The command `backstop events`: where the failed events of a group are now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from ops.failed_events import listing
from ops.failed_events.history import Where
from ops.groups.found import NotFound
from ops.options import AsJson, IsLocal, StackName
from ops.stack import Stack
from ops.tables import warn
from ops.times import since as read_since

app = typer.Typer(help="Failed events: where those of a group are now.", no_args_is_help=True)

Limit = Annotated[int, typer.Option(min=1, max=100_000, help="How many to show, the newest.")]


@app.callback()
def events() -> None:
    """Name the group, so that its only command is called by its own name."""


@app.command(name="list")
def list_events(
    group: Annotated[str, typer.Option(help="The group that they failed with, or its first digits.")],
    state: Annotated[Where | None, typer.Option(help="Only events that are there now.", show_default=False)] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what failed since: 2026-11-21T09:00 (UTC), or 30m, 2h, 3d ago.")
    ] = None,
    limit: Limit = 50,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Show where the events that failed with a group are now, those that failed last first.

    Exit code 1 if there is no such group.
    """
    moment = None if since is None else read_since(since, datetime.now(UTC))
    try:
        code = listing.show(Stack.of(stack, is_local=local), group, state, moment, limit, as_json=as_json)
    except NotFound as error:
        warn(str(error))
        code = 1
    raise typer.Exit(code)
