"""A function's worker: the real app.py, imported as Lambda imports it; and what it prints."""

from __future__ import annotations

import importlib.util
import io
import json
import logging
import os
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from unittest.mock import patch

import time_machine
from moto import mock_aws

from tests.fakes.clock import VirtualClock
from tests.fakes.source import Handler, WorkerDied

FUNCTIONS: Final = Path(__file__).parents[1] / "functions"

_ENVIRONMENT: Final = {"AWS_DEFAULT_REGION": "eu-west-1", "STAGE": "test", "RELEASE": "r1"}


@dataclass
class Worker:
    """An execution environment of the function in `folder`, made at first use and anew when it died."""

    folder: Path
    stand_in: Mapping[str, Any] | None
    """What the module `handler` holds in place of the sample's own."""
    stdout: io.TextIOWrapper = field(
        default_factory=lambda: io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    )
    """Takes UTF-8 only, as a function's own does."""
    _handler: Handler | None = None

    def invoke(self, event: Any, context: Any) -> object:
        """Invoke the function; a worker that died is replaced by a new one."""
        handler = self.start()
        try:
            with redirect_stdout(self.stdout):
                return handler(event, context)
        except WorkerDied:
            self.restart()
            raise

    def start(self) -> Handler:
        """Return the handler that takes the next batch."""
        if self._handler is None:
            self._handler = self.new()
        return self._handler

    def restart(self) -> None:
        """Let the next batch begin with a cold start."""
        self._handler = None

    def new(self) -> Handler:
        """Start an execution environment: app.py is imported anew."""
        _forget_modules()
        if self.stand_in is not None:
            stand_in = ModuleType("handler")
            vars(stand_in).update(self.stand_in)
            sys.modules["handler"] = stand_in
        spec = importlib.util.spec_from_file_location("app", self.folder / "app.py")
        assert spec is not None
        assert spec.loader is not None
        app = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(app)
        handler: Handler = app.lambda_handler
        return handler

    def printed(self) -> str:
        """Return what the function has printed."""
        written = self.stdout.buffer
        assert isinstance(written, io.BytesIO)
        return written.getvalue().decode()

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines that the function has printed: one JSON object each."""
        return [json.loads(line) for line in self.printed().splitlines()]

    def reports(self) -> list[dict[str, Any]]:
        """Return the pipeline events among the lines."""
        return [line for line in self.lines() if "pipeline_event" in line]

    def metrics(self) -> list[dict[str, Any]]:
        """Return the metrics among the lines."""
        return [line for line in self.lines() if "_aws" in line]

    def forget_printed(self) -> None:
        """Forget what was printed."""
        self.stdout.seek(0)
        self.stdout.truncate()


@contextmanager
def deployed(
    folder: Path, name: str, clock: VirtualClock, environment: dict[str, str], *, seed: int = 0
) -> Iterator[None]:
    """Be where the function in `folder` runs under that name: its variables, its modules, its time; moto is AWS.

    Nothing of it stays behind.
    """
    import stamina  # as the product: only where it is needed

    own = {"AWS_LAMBDA_FUNCTION_NAME": name, "LAMBDA_TASK_ROOT": str(folder)}
    with ExitStack() as stack:
        clock.follow(stack.enter_context(time_machine.travel(clock.now(), tick=False)).move_to)
        stack.enter_context(mock_aws())
        stack.enter_context(patch.dict(os.environ, _ENVIRONMENT | own | environment))
        stack.callback(_forget_modules)
        stack.enter_context(patch.object(sys, "path", [str(folder), *sys.path]))
        stack.callback(_forget_logger)
        stack.callback(random.setstate, random.getstate())
        random.seed(seed)
        stack.enter_context(stamina.set_testing(True, attempts=3, cap=True))  # tries again without a wait
        yield


def _forget_modules() -> None:
    """Let app.py, and what stands beside it, be imported anew."""
    for name in ("app", "handler", "payments"):
        sys.modules.pop(name, None)


def _forget_logger() -> None:
    """Let the next lane's logger write to its own standard output: one logger a service is kept otherwise."""
    logging.Logger.manager.loggerDict.pop("backstop", None)
