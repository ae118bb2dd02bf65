"""The gateway as a process of its own, beside another one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from ops.local.gateway.client import BACKUP, PAYMENTS, Gateway

COMMAND = "import sys; print(*sys.argv, flush=True); input()"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.url"


@pytest.fixture
def beside(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Return a command that waits, with a gateway beside it, in a process group of their own."""
    file.write_text("http://127.0.0.1:1")  # what one that was killed has left
    words = [sys.executable, "-m", "ops.local.gateway.beside", str(file), sys.executable, "-c", COMMAND, "it", "runs"]
    started = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert started.stdout is not None
    assert started.stdin is not None
    with started.stdin, started.stdout:
        assert started.stdout.readline() == "-c it runs\n"
        yield started
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def running(group: int) -> list[str]:
    """Return the command lines of a process group: those of processes that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
            if int(of) == group and state != "Z":
                found.append(stat.with_name("cmdline").read_text())
        except OSError:
            continue
    return found


def test_the_command_runs_once_the_gateway_answers(beside: subprocess.Popen[str], file: Path) -> None:
    assert list(Gateway(file.read_text()).urls()) == [PAYMENTS, BACKUP]
    assert len(running(beside.pid)) == 2


def has_ended(group: int) -> bool:
    """Whether nothing of a process group runs any more, or soon."""
    deadline = monotonic() + 10
    while running(group) and monotonic() < deadline:
        pass
    return running(group) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_gateway_ends_with_its_group(number: int, beside: subprocess.Popen[str]) -> None:
    os.killpg(beside.pid, number)
    beside.wait()

    assert has_ended(beside.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_gateway_ends_when_the_command_alone_is_killed(number: int, beside: subprocess.Popen[str]) -> None:
    beside.send_signal(number)
    beside.wait()

    assert has_ended(beside.pid)


def test_a_gateway_that_cannot_start_is_told_and_the_command_does_not_run(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "ops.local.gateway.beside", str(tmp_path / "no" / "folder"), sys.executable, "-V"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.endswith("the payment gateway ended while it started\n")
