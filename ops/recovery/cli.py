"""The command `backstop recovery`: what was done about which cause, and what of it holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from ops.options import AsJson, IsLocal, StackName
from ops.recovery import show
from ops.stack import Stack
from ops.times import since as read_since


def recovery(
    since: Annotated[
        str, typer.Option(help="Only what was done since: 2026-11-21T09:00 (UTC), or 30m, 2h, 3d ago.")
    ] = show.SINCE,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many entries to show, the newest.")] = 50,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Show what recovery did and why, the newest first; above it, what is paused, scaled or on its backup now."""
    moment = read_since(since, datetime.now(UTC))
    raise typer.Exit(show.show(Stack.of(stack, is_local=local), moment, limit, as_json=as_json))
