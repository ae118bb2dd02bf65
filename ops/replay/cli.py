"""The command `backstop stream`: what the stream kept, put back on it."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.options import AsJson, IsLocal, StackName
from ops.replay.command import replay as run_replay
from ops.replay.run import Rules
from ops.stack import Stack

app = typer.Typer(help="The stream: what could not be transformed, put back on it.", no_args_is_help=True)


@app.callback()
def stream() -> None:
    """Name the group, so that its only command is called by its own name."""


@app.command()
def replay(
    prefix: Annotated[str, typer.Option("--from", help="What to replay: errors/ or a part of it.")] = "errors/",
    since: Annotated[
        str | None, typer.Option(help="Only objects written since: 2026-11-21T09:00 (UTC), or 30m, 2h, 3d ago.")
    ] = None,
    max_replays: Annotated[int, typer.Option(min=1, max=100, help="How often a record may be replayed in all.")] = 3,
    resend_doubtful: Annotated[
        bool, typer.Option("--resend-doubtful", help="Send again what an interrupted call may have sent.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; send and write nothing.")] = False,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Put the records that Firehose keeps below errors/ back on the stream, each once.

    How far it has come is kept in the bucket, below replay/: interrupted, the same call goes on; called again, it sends
    what is new. Objects that cannot be read are named and left alone. Exit code 1 if anything was not sent.
    """
    rules = Rules(max_replays, is_dry_run=dry_run, resends_doubtful=resend_doubtful)
    raise typer.Exit(run_replay(Stack.of(stack, is_local=local), prefix, since, rules, as_json=as_json))
