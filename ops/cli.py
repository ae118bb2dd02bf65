"""The command `backstop`: words in, an exit code out: 0 fine, 1 the answer is no, 2 the call was wrong."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from ops import audit_trail, sending_file, status
from ops.alerts import cli as alerts_cli
from ops.circuits import cli as circuits_cli
from ops.dlq import cli as dlq_cli
from ops.drill.command import drill as run_drill
from ops.drill.ordered.command import drill as run_ordered_drill
from ops.drill.outage import command as outages
from ops.drill.stream.command import drill as run_stream_drill
from ops.failed_events import cli as events_cli
from ops.failure import CallFailed, sentence
from ops.function_settings import function_settings
from ops.groups import cli as groups_cli
from ops.intake.cli import pause, resume
from ops.keys import cli as keys_cli
from ops.local import cli as local_cli
from ops.options import AsJson, DrillEvents, IsLocal, Seed, StackName
from ops.recovery.cli import recovery
from ops.redrive import cli as redrive_cli
from ops.replay import cli as replay_cli
from ops.stack import Stack
from ops.times import since as read_since
from ops.where.show import show as show_where

app = typer.Typer(
    name="backstop",
    help="Operate a Backstop stack: send events, see how it is, what fails and what waits, replay, rehearse failures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(groups_cli.app, name="groups")
app.add_typer(events_cli.app, name="events")
app.add_typer(redrive_cli.app, name="redrive")
app.add_typer(alerts_cli.app, name="alerts")
app.add_typer(keys_cli.app, name="keys")
app.add_typer(circuits_cli.app, name="circuits")
app.add_typer(dlq_cli.app, name="dlq")
app.add_typer(replay_cli.app, name="stream")
app.add_typer(local_cli.app, name="local")


@app.command()
def drill(
    events: DrillEvents = None,
    seed: Seed = 1,
    timeout: Annotated[int, typer.Option(min=1, help="Seconds after which it stops waiting.")] = 900,
    stream: Annotated[bool, typer.Option("--stream", help="Rehearse the stream: clicks instead of orders.")] = False,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Rehearse the ordered lane: status changes instead of orders.")
    ] = False,
    keys: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="With --ordered: of how many orders, its keys (20).")
    ] = None,
    calm: Annotated[
        bool, typer.Option("--calm", help="With --ordered: the same events without a fault, to compare delays.")
    ] = False,
    outage: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN",
            help=f"With --local: the payment gateway fails for so long (60s) amid good orders ({outages.EVENTS}).",
        ),
    ] = None,
    mode: Annotated[
        str | None, typer.Option(help=f"With --outage: errors, slow, refuse or flaky:0.6 ({outages.MODE}).")
    ] = None,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Send orders, clicks or status changes, some of them faulty, and account for where each one ended.

    With --outage, the orders are good and the payment gateway is not: all is to go on by itself once it is well again.
    Exit code 1 if the account does not balance. The stack must allow drills (AllowDrill=true): never where real events
    flow.
    """
    if stream + ordered + (outage is not None) > 1:
        raise typer.BadParameter("--stream, --ordered, --outage: two drills are not one, take one at a time")
    if not ordered and (calm or keys is not None):
        raise typer.BadParameter("--keys and --calm go with --ordered")
    if outage is None and mode is not None:
        raise typer.BadParameter("--mode goes with --outage")
    if outage is not None:
        asked = (stack, outage, mode or outages.MODE, events or outages.EVENTS, seed, timeout)
        raise typer.Exit(outages.drill(*asked, is_local=local, as_json=as_json))
    found = Stack.of(stack, is_local=local)
    if ordered:
        raise typer.Exit(
            run_ordered_drill(found, keys or 20, events or 20, seed, timeout, is_calm=calm, as_json=as_json)
        )
    if stream:
        raise typer.Exit(run_stream_drill(found, events or 500, seed, timeout, as_json=as_json))
    raise typer.Exit(run_drill(found, events or 2000, seed, timeout, as_json=as_json))


@app.command()
def send(
    file: Annotated[Path, typer.Argument(help="Events, one JSON object a line (NDJSON); - for standard input.")],
    from_line: Annotated[int, typer.Option(min=1, help="Where to go on.")] = 1,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Send a file of events to EventsQueue.

    Bad lines are shown with their number and not sent. If the connection breaks for good, it says where to go on. Exit
    code 1 if a line was bad or not sent.
    """
    stack_found = Stack.of(stack, is_local=local)
    raise typer.Exit(sending_file.send_file(file, stack_found, from_line=from_line, as_json=as_json))


@app.command(name="status")
def show_status(stack: StackName = "backstop", local: IsLocal = False, as_json: AsJson = False) -> None:
    """Show queues, streams, functions and alarms, open circuits and paused intakes. Exit code 1 if an alarm rings."""
    raise typer.Exit(status.show(Stack.of(stack, is_local=local), as_json=as_json))


@app.command()
def where(
    event_id: Annotated[
        str, typer.Argument(metavar="EVENT_ID", help="The event's id; after -- where it begins with a dash.")
    ],
    key: Annotated[str, typer.Option(help="Its key, where you know it: it is looked for there.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How much of its history to show, the newest.")] = 50,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Show where an event is now and all that happened to it. Exit code 1 if nothing is known of it."""
    raise typer.Exit(show_where(Stack.of(stack, is_local=local), event_id, key, limit, as_json=as_json))


@app.command(name="audit-trail")
def show_audit_trail(
    since: Annotated[
        str, typer.Option(help="Only what was done since: 2026-11-21T09:00 (UTC), or 30m, 2h, 3d ago.")
    ] = audit_trail.SINCE,
    word: Annotated[
        str, typer.Option("--command", metavar="WORD", help='Only commands with this word, or these: "keys skip".')
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many entries to show, the newest.")] = 50,
    stack: StackName = "backstop",
    local: IsLocal = False,
    as_json: AsJson = False,
) -> None:
    """Show what operators changed: who, what, how many, when, and what came of it, the newest first."""
    moment = read_since(since, datetime.now(UTC))
    raise typer.Exit(audit_trail.show(Stack.of(stack, is_local=local), moment, word, limit, as_json=as_json))


@app.command()
def env(stack: StackName = "backstop", local: IsLocal = False) -> None:
    """Print the functions' variables as they are deployed: what `sam local invoke --env-vars` takes."""
    print(json.dumps(function_settings(Stack.of(stack, is_local=local)), indent=2))


for function in (recovery, pause, resume):
    app.command()(function)


def main() -> NoReturn:
    """Run the command; whoever calls sees a sentence, never a traceback."""
    try:
        app()  # exits by itself
    except CallFailed as error:
        _fail(str(error))
    except (ClientError, BotoCoreError) as error:
        _fail(sentence(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # the last net: a traceback helps nobody who only called a command
        if "BACKSTOP_DEBUG" in os.environ:
            raise
        _fail(f"unexpectedly failed ({type(error).__name__}: {error}); BACKSTOP_DEBUG=1 shows where")
    sys.exit(0)


def _fail(text: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(f"backstop: {text}", style="red", markup=False, highlight=False)
    sys.exit(2)
