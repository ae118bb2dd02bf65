from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import pytest

from ops.failure import CallFailed
from ops.local import cli as local_cli
from ops.local import emulator, state
from ops.local.state import LocalAws
from tests.ops.command import Command


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what is remembered out of the checkout, and see what is left behind."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(state, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr(state, "_FILE", tmp_path / "kept" / "local.json")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the processes that were started, by their ids."""
    pids: list[int] = []
    popen = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> Any:
        process = popen(*arguments, **options)
        pids.append(process.pid)
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    return pids


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of tools: this Python, and whatever a test puts beside it."""
    folder = tmp_path / "tools"
    folder.mkdir()
    install(folder, "python", f'exec {sys.executable} "$@"')
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return folder


def install(tools: Path, name: str, script: str) -> None:
    tool = tools / name
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def group_is_gone(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_port_in_use_is_named_and_nothing_is_started(started: list[int], scratch: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(CallFailed, match=f"port {port} cannot be used: take another with --port"):
            emulator.start(port)

    assert started == []
    assert list(scratch.iterdir()) == []


def test_one_that_ends_while_it_starts_tells_its_last_line_and_leaves_nothing(
    tools: Path, scratch: Path, started: list[int]
) -> None:
    install(tools, "python", "echo starting; echo no room; echo; exit 1")

    with pytest.raises(CallFailed, match=r"the local AWS ended while it started: no room$"):
        emulator.start()

    assert [group_is_gone(pid) for pid in started] == [True]
    assert list(scratch.iterdir()) == []


def test_one_that_never_answers_is_ended(
    tools: Path, scratch: Path, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tools, "python", "exec sleep 60")
    monkeypatch.setattr(emulator, "_START_SECONDS", 0)

    with pytest.raises(CallFailed, match="the local AWS did not answer within 0 s: it said nothing"):
        emulator.start()

    assert [group_is_gone(pid) for pid in started] == [True]
    assert list(scratch.iterdir()) == []


def test_one_that_will_not_end_is_killed_with_its_workers(
    tools: Path, scratch: Path, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tools, "python", "trap '' TERM; sleep 60 & wait; sleep 60")
    monkeypatch.setattr(emulator, "_START_SECONDS", 0)
    monkeypatch.setattr(emulator, "_STOP_SECONDS", 0.2)

    with pytest.raises(CallFailed):
        emulator.start()

    assert [has_ended(pid) for pid in started] == [True]
    assert list(scratch.iterdir()) == []


def has_ended(pid: int) -> bool:
    """Whether nothing of a process's group runs: who was killed may not have been taken note of yet."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            process_state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == pid and process_state != "Z":
            return False
    return True


def test_one_that_runs_has_a_payment_gateway_which_ends_with_it(scratch: Path) -> None:
    with emulator.running() as local_aws:
        assert [urlsplit(url).hostname for url in local_aws.gateway.urls().values()] == ["127.0.0.1"] * 2
        assert local_aws.is_alive

    assert has_ended(local_aws.pid)
    with pytest.raises(CallFailed, match="the payment gateway does not answer"):
        local_aws.gateway.urls()
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_one_that_is_killed_takes_its_payment_gateway_along(number: int, scratch: Path) -> None:
    with emulator.running() as local_aws:
        os.kill(local_aws.pid, number)
        deadline = monotonic() + 10
        while not has_ended(local_aws.pid) and monotonic() < deadline:
            pass

        assert has_ended(local_aws.pid)


@pytest.mark.parametrize("port", ["0", "70000"])
def test_a_port_that_is_none_is_refused_by_the_command(port: str, command: Command, started: list[int]) -> None:
    assert command("local", "up", "--port", port).exit_code == 2
    assert started == []


def test_a_demo_whose_deployment_fails_says_why_and_leaves_nothing_running(
    tools: Path, scratch: Path, started: list[int], command: Command
) -> None:
    """The local AWS and its gateway are real here: they answer, then end with all that they started."""
    install(tools, "sam", f'echo "$AWS_ENDPOINT_URL" > {tools}/endpoint; echo "Error: no such layer"; exit 1')
    install(tools, "make", "")

    ran = command("local", "demo", "--events", "10")

    assert ran.exit_code == 2
    assert "backstop: sam build failed: Error: no such layer" in ran.err
    assert (tools / "endpoint").read_text().startswith("http://127.0.0.1:")
    assert [group_is_gone(pid) for pid in started[:1]] == [True]
    assert list(scratch.iterdir()) == []
    assert state.find() is None


def test_up_whose_deployment_fails_ends_what_it_started(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = watched(monkeypatch, LocalAws(0, 4566), running=None)

    assert command("local", "up").exit_code == 2
    assert stopped == [LocalAws(0, 4566)]
    assert state.find() is None


def test_up_whose_deployment_fails_leaves_a_local_aws_running_that_ran_before(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = watched(monkeypatch, LocalAws(0, 1), running=LocalAws(0, 4566))

    assert command("local", "up").exit_code == 2
    assert stopped == []


def watched(monkeypatch: pytest.MonkeyPatch, new: LocalAws, running: LocalAws | None) -> list[LocalAws]:
    """Let a deployment fail; returns what is stopped."""
    stopped: list[LocalAws] = []

    def fail(*_: object) -> None:
        raise CallFailed("sam build failed: no")

    monkeypatch.setattr(state, "find", lambda: running)
    monkeypatch.setattr(emulator, "start", lambda _port: new)
    monkeypatch.setattr(emulator, "stop", stopped.append)
    monkeypatch.setattr(local_cli, "deploy", fail)
    return stopped


def test_a_demo_that_is_told_to_end_stops_its_local_aws(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = watched(monkeypatch, LocalAws(0, 4566), running=None)
    monkeypatch.setattr(local_cli, "deploy", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)

    assert command("local", "demo").exit_code == 128 + signal.SIGTERM
    assert stopped == [LocalAws(0, 4566)]
    assert signal.getsignal(signal.SIGTERM) is before


def test_down_without_a_local_aws_is_no_failure(command: Command) -> None:
    ran = command("local", "down")

    assert (ran.exit_code, "No local AWS runs." in ran.err) == (0, True)
