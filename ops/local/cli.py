"""The command `backstop local`: the stack on the local AWS, started, rehearsed on and stopped."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from ops.drill.command import drill
from ops.local import emulator, state
from ops.local.deploy import deploy
from ops.local.state import LocalAws
from ops.options import AsJson, Events, Seed
from ops.stack import Stack, local_session

app = typer.Typer(help="The same stack on a local AWS: no account, no Docker.", no_args_is_help=True)

Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Where it listens; any free port by default.")]
_STACK = "backstop"
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
            stack = Stack(_STACK, local_session(), local_aws.endpoint_url)
            _console.print(f"A drill of {events} orders, some of them faulty …")
            exit_code = drill(stack, events, seed, timeout_seconds=900, as_json=as_json)
        finally:
            emulator.stop(local_aws)
    raise typer.Exit(exit_code)


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


def _how_to_talk_to(local_aws: LocalAws) -> str:
    stack = Stack(_STACK, local_session(), local_aws.endpoint_url)
    return f"""The local AWS is up. Talk to it:

  export AWS_ENDPOINT_URL={local_aws.endpoint_url} AWS_DEFAULT_REGION={state.REGION}
  export AWS_ACCESS_KEY_ID={state.ACCESS_KEY} AWS_SECRET_ACCESS_KEY={state.SECRET_KEY}
  aws sqs send-message --queue-url {stack.queue_urls["EventsQueue"]} --message-body '{{"id": "1"}}'
    (no order, as functions/process/schema.json has it: it becomes a dead letter)

  .venv/bin/backstop status --local
  .venv/bin/backstop drill --local --events 200

Stop it: make local-down"""
