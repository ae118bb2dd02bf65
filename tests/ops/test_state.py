from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.failure import CallFailed
from ops.local import state
from ops.local.state import LocalAws


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what is remembered out of the checkout."""
    monkeypatch.setattr(state, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr(state, "_FILE", tmp_path / "kept" / "local.json")
    return tmp_path / "kept" / "local.json"


def test_a_local_aws_that_runs_is_found() -> None:
    waiting = [sys.executable, "-c", "print(flush=True); input()", "ministack"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it runs now: its command line is there to be read
        local_aws = LocalAws(process.pid, 4566)
        state.remember(local_aws)

        assert state.find() == state.running() == local_aws
    assert state.find() is None


def test_its_payment_gateway_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalAws, "is_alive", True)
    state.remember(LocalAws(1, 4566, "http://127.0.0.1:4567"))

    assert state.running().gateway.admin_url == "http://127.0.0.1:4567"


def test_one_that_was_started_before_there_were_gateways_says_how_to_get_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalAws, "is_alive", True)
    file.parent.mkdir()
    file.write_text('{"pid": 1, "port": 4566}')

    with pytest.raises(CallFailed, match="this local AWS has no payment gateway: make local-down, then make local"):
        _ = state.running().gateway


def test_a_process_of_something_else_is_no_local_aws() -> None:
    """Its number was given to another process after a restart of the machine."""
    state.remember(LocalAws(os.getpid(), 4566))

    assert state.find() is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"pid": 1}', '{"pid": "x", "port": 1}', '{"pid": 1, "port": 1, "x": 1}']
)
def test_what_cannot_be_read_is_no_local_aws(text: str, file: Path) -> None:
    file.parent.mkdir()
    file.write_text(text)

    assert state.find() is None


def test_without_one_it_says_how_to_start_it() -> None:
    with pytest.raises(CallFailed, match="no local AWS runs: start it with make local"):
        state.running()


def test_what_was_forgotten_may_be_forgotten_again(file: Path) -> None:
    state.remember(LocalAws(os.getpid(), 4566))

    state.forget()
    state.forget()

    assert not file.exists()
