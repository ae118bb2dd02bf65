"""A port in, a running MiniStack with a payment gateway beside it out; and its end, with all of its workers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from ops.failure import CallFailed
from ops.local import state
from ops.local.state import LocalAws

_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 10


def start(port: int | None = None) -> LocalAws:
    """Start MiniStack with its access control on, at `port` or any free one, and return when it answers.

    A payment gateway runs beside it, in its process group.

    Raises CallFailed where the port is in use or it does not come up; then nothing is left running.
    """
    port = _free_port() if port is None else _require_free(port)
    scratch = _scratch(port)
    scratch.mkdir(exist_ok=True)
    log, gateway = scratch / "ministack.log", scratch / "gateway.url"
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "AWS_ACCESS_KEY_ID": state.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": state.SECRET_KEY,
        "IOT_MTLS_ENABLED": "false",
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(scratch),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ops.local.gateway.beside", str(gateway), sys.executable, "-m", "ministack"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its workers and the gateway are of its group, and end with it
        )
    local_aws = LocalAws(process.pid, port)
    try:
        _wait_until_ready(process, local_aws, log)
        local_aws = replace(local_aws, gateway_url=gateway.read_text())
    except BaseException:
        stop(local_aws)
        raise
    finally:
        process.returncode = 0  # it may outlive this command: `stop` ends it, by its pid
    return local_aws


def stop(local_aws: LocalAws) -> None:
    """End MiniStack, every worker that it started, and the gateway."""
    with suppress(ProcessLookupError):
        os.killpg(local_aws.pid, signal.SIGTERM)
    deadline = monotonic() + _STOP_SECONDS
    while _group_is_alive(local_aws.pid) and monotonic() < deadline:
        sleep(0.05)
    with suppress(ProcessLookupError):
        os.killpg(local_aws.pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(local_aws.pid, 0)
    shutil.rmtree(_scratch(local_aws.port), ignore_errors=True)


@contextmanager
def running(port: int | None = None) -> Iterator[LocalAws]:
    """Start MiniStack, and end it whatever happens inside."""
    local_aws = start(port)
    try:
        yield local_aws
    finally:
        stop(local_aws)


def _group_is_alive(pid: int) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _scratch(port: int) -> Path:
    """Return the folder for its log and its workers' code; it goes when the emulator does."""
    return Path(tempfile.gettempdir()) / f"backstop-local-{port}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _require_free(port: int) -> int:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return port
    except (OSError, OverflowError):
        raise CallFailed(
            f"port {port} cannot be used: take another with --port, or leave it out for a free one"
        ) from None


def _wait_until_ready(process: subprocess.Popen[bytes], local_aws: LocalAws, log: Path) -> None:
    deadline = monotonic() + _START_SECONDS
    while monotonic() < deadline:
        if process.poll() is not None:
            raise CallFailed(f"the local AWS ended while it started: {_last_line(log)}")
        if _answers(local_aws):
            return
        sleep(0.1)
    raise CallFailed(f"the local AWS did not answer within {_START_SECONDS} s: {_last_line(log)}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def _answers(local_aws: LocalAws) -> bool:
    try:
        with closing(HTTPConnection("127.0.0.1", local_aws.port, timeout=2)) as connection:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
