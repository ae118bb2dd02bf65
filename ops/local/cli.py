"""The command `backstop local`: the stack on the local AWS, started, rehearsed on and stopped."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from ops.drill.command import rehearse_live, tell
from ops.drill.ordered.account import Account as OrderedAccount
from ops.drill.ordered.command import rehearse as rehearse_ordered
from ops.drill.ordered.command import tell as tell_ordered
from ops.drill.run import Progress
from ops.drill.stream.account import Account as StreamAccount
from ops.drill.stream.command import rehearse as rehearse_stream
from ops.drill.stream.command import tell as tell_stream
from ops.drill.told import show as show_told
from ops.drill.told import told_since
from ops.local import containers, emulator, state
from ops.local.deploy import deploy
from ops.local.invoke import default_runtime, invoke_all
from ops.local.outage import start_outage
from ops.local.state import LocalAws
from ops.options import AsJson, Events, Seed
from ops.stack import Stack, local_session

app = typer.Typer(help="The same stack on a local AWS: no account, no Docker.", no_args_is_help=True)

Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Where it listens; any free port by default.")]
_STACK = "backstop"
_CLICKS = 60
_KEYS = 6
_CHANGES = 6
_DRILL_SECONDS = 900
_console = Console(stderr=True, highlight=False)


@app.command()
def up(port: Port = None) -> None:
    """Start the local AWS, or use the one that runs, deploy the template to it, and say how to talk to it."""
    local_aws = state.find()
    is_new = local_aws is None
    with _ended_by_signals():
        if local_aws is None:
            local_aws = _start(port)
        try:
            _deploy(local_aws)
        except BaseException:
            if is_new:
                emulator.stop(local_aws)
            raise
    state.remember(local_aws)
    _console.print(_how_to_talk_to(local_aws), soft_wrap=True, markup=False)


@app.command()
def down() -> None:
    """Stop the local AWS; what was in it is gone."""
    local_aws = state.find()
    state.forget()
    if local_aws is None:
        _console.print("No local AWS runs.")
        return
    emulator.stop(local_aws)
    _console.print("The local AWS is stopped.")


@app.command()
def outage(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The downstream: payments or payments-backup.")],
    span: Annotated[str, typer.Option("--for", help="How long it fails: 30s, 2m; a day at most.")] = "30s",
    mode: Annotated[str, typer.Option(help="How: errors, slow, refuse or flaky:0.6; ok ends it.")] = "errors",
) -> None:
    """Let a downstream of the sample fail for a while, to see what becomes of it."""
    _console.print(start_outage(state.running(), name, mode, span), soft_wrap=True, markup=False)


@app.command()
def demo(
    events: Events = 2000,
    seed: Seed = 1,
    port: Port = None,
    as_json: AsJson = False,
) -> None:
    """Start a local AWS of its own, deploy, drill, show the account, and leave nothing behind."""
    with _ended_by_signals():
        local_aws = _start(port)
        try:
            _deploy(local_aws)
            _console.print(
                f"Drills of {events} orders, {_KEYS * _CHANGES} status changes and {_CLICKS} clicks, some faulty …"
            )
            exit_code = _drills(local_aws, events, seed, as_json=as_json)
        finally:
            emulator.stop(local_aws)
    raise typer.Exit(exit_code)


def _drills(local_aws: LocalAws, events: int, seed: int, *, as_json: bool) -> int:
    """Run three drills: that of the orders shows its bars, and in the time that it only waits, the others run."""
    stack, stack_of_changes, stack_of_clicks = (_stack(local_aws) for _ in range(3))  # each makes clients in its thread
    is_waiting, began = Event(), datetime.now(UTC)

    def watch(progress: Progress) -> None:
        if progress.sent == events and progress.queued <= events // 20:
            is_waiting.set()

    def others() -> tuple[OrderedAccount, StreamAccount]:
        is_waiting.wait()
        ordered = rehearse_ordered(stack_of_changes, _KEYS, _CHANGES, seed, _DRILL_SECONDS)
        return ordered, rehearse_stream(stack_of_clicks, _CLICKS, seed, _DRILL_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(others)
        try:
            orders = rehearse_live(stack, events, seed, _DRILL_SECONDS, watch, as_json=as_json)
            if not as_json:
                tell(orders, as_json=False)
        finally:
            is_waiting.set()
        changes, clicks = running.result()
    people = told_since(stack, began)
    if as_json:
        accounts = orders.as_json() | {"ordered": changes.as_json(), "stream": clicks.as_json()}
        print(json.dumps(accounts | people.as_json()))
    else:
        tell_ordered(changes, as_json=False)
        tell_stream(clicks, as_json=False)
        show_told(people, is_full=True)
    return int(not (orders.is_balanced and changes.is_balanced and clicks.is_balanced))


@app.command()
def invoke(
    if_possible: Annotated[
        bool, typer.Option("--if-possible", help="Exit code 0, not 2, where there is no container engine or image.")
    ] = False,
) -> None:
    """Invoke each function with its sample event, in a container, against a local AWS of its own.

    Exit code 1 where an answer is not the one that the README shows.
    """
    try:
        exit_code = _invoke_all()
    except containers.Unavailable as missing:
        _console.print(f"Nothing ran in a container: {missing}", soft_wrap=True, markup=False)
        exit_code = 0 if if_possible else 2
    raise typer.Exit(exit_code)


def _invoke_all() -> int:
    engine = containers.require(default_runtime())
    wrong = 0
    with _ended_by_signals(), emulator.running() as local_aws, _console.status("Functions in containers …"):
        for invoked in invoke_all(local_aws, engine):
            wrong += not invoked.is_as_shown
            style = "green" if invoked.is_as_shown else "red"
            _console.print(f"{invoked.function}: {invoked.verdict}", style=style, soft_wrap=True, markup=False)
    return int(bool(wrong))


def _start(port: int | None) -> LocalAws:
    with _console.status("Starting the local AWS …"):
        return emulator.start(port)


def _deploy(local_aws: LocalAws) -> None:
    with _console.status("sam build, sam deploy …"):
        deploy(local_aws, _STACK)
    _console.print("Deployed template.yaml.")


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let a signal that ends this process end what it started, too."""

    def end(number: int, _: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    ending = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, end) for number in ending]
    try:
        yield
    finally:
        for number, handler in zip(ending, before, strict=True):
            signal.signal(number, handler)


def _stack(local_aws: LocalAws) -> Stack:
    return Stack(_STACK, local_session(), local_aws.endpoint_url)


def _how_to_talk_to(local_aws: LocalAws) -> str:
    stack = _stack(local_aws)
    return f"""The local AWS is up. Talk to it:

  export AWS_ENDPOINT_URL={local_aws.endpoint_url} AWS_DEFAULT_REGION={state.REGION}
  export AWS_ACCESS_KEY_ID={state.ACCESS_KEY} AWS_SECRET_ACCESS_KEY={state.SECRET_KEY}
  aws sqs send-message --queue-url {stack.queue_urls["EventsQueue"]} --message-body '{{"id": "1"}}'
    (no order, as functions/process/schema.json has it: it becomes a dead letter)

  .venv/bin/backstop status --local
  .venv/bin/backstop drill --local --events 200
  .venv/bin/backstop local outage payments --for 30s --mode errors    # the sample's payment gateway fails
  .venv/bin/backstop alerts --local --follow --full    # what people are told, as it is sent

Stop it: make local-down"""
