"""What `sam` is given and what is told of it, by a stand-in that writes down how it was called."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.failure import CallFailed
from ops.local import sam, state
from ops.local.state import LocalAws

LOCAL_AWS = LocalAws(0, 4566)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which tools are found; `make` is there."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    install(tmp_path, "make")
    return tmp_path


def install(tools: Path, name: str, script: str = "") -> None:
    tool = tools / name
    tool.write_bytes(f"#!/bin/sh\n{script}\n".encode("latin-1"))
    tool.chmod(0o755)


def environment(tools: Path) -> dict[str, str]:
    """Return the environment that `export -p` wrote down, as far as it is of one line a variable."""
    exported = (tools / "environment").read_text()
    return dict(re.findall(r"""^export (\w+)=['"]?([^'"\n]*)""", exported, re.MULTILINE))


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        pytest.param("sam", "sam is missing: run make setup", id="no sam"),
        pytest.param("make", "make is missing: install it from your system's packages", id="no make"),
    ],
)
def test_a_missing_tool_is_named(missing: str, said: str, tools: Path) -> None:
    install(tools, "sam")
    (tools / missing).unlink()

    with pytest.raises(CallFailed, match=f"^{said}$"):
        sam.run(LOCAL_AWS, "build")


def test_a_tool_that_cannot_be_run_is_missing(tools: Path) -> None:
    install(tools, "sam")
    (tools / "sam").chmod(0o644)

    with pytest.raises(CallFailed, match="sam is missing"):
        sam.run(LOCAL_AWS, "build")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param("echo fine; echo 'Error: no such layer' >&2; exit 1", "Error: no such layer", id="an error"),
        pytest.param("echo 'Build Failed'; echo why; exit 1", "Build Failed why", id="a failed build"),
        pytest.param("echo one; echo 'CREATE_FAILED  Queue'; exit 1", "CREATE_FAILED  Queue", id="a failed resource"),
        pytest.param("for n in 1 2 3 4 5; do echo $n; done; exit 1", "3 4 5", id="nothing that it names"),
        pytest.param("exit 1", "it said nothing", id="not a word"),
        pytest.param("echo 'Error: caf\xe9'; exit 1", "Error: caf", id="bytes that are no text"),
        pytest.param("echo 'Error: no runtime'; exit 255", "Error: no runtime", id="another exit code"),
    ],
)
@pytest.mark.parametrize("command", ["build", "local invoke"])
def test_a_failure_is_told_as_sam_told_it(command: str, script: str, said: str, tools: Path) -> None:
    install(tools, "sam", script)

    with pytest.raises(CallFailed) as failed:
        sam.run(LOCAL_AWS, command)

    assert str(failed.value).startswith(f"sam {command} failed: {said}")


def test_what_it_printed_is_returned_and_what_it_logged_is_not(tools: Path) -> None:
    install(tools, "sam", "echo START >&2; echo one; echo 'Error: it is only a word here' >&2; echo two")

    assert sam.run(LOCAL_AWS, "local invoke") == "one\ntwo\n"


def test_printed_bytes_that_are_no_text_are_no_failure(tools: Path) -> None:
    install(tools, "sam", "echo 'caf\xe9'")

    assert sam.run(LOCAL_AWS, "local invoke").startswith("caf")


@pytest.mark.parametrize("command", ["build", "local invoke"])
def test_its_words_arrive_one_by_one_behind_the_local_settings(command: str, tools: Path) -> None:
    install(tools, "sam", f"printf '%s\\n' \"$@\" > {tools}/words")

    sam.run(LOCAL_AWS, command, "ProcessFunction", "--parameter-overrides", "Stage=local Timing=local", "a'b $HOME *")

    assert (tools / "words").read_text().splitlines() == [
        *command.split(),
        "--config-file", str(state.ROOT / "samconfig.toml"), "--config-env", "local",
        "ProcessFunction", "--parameter-overrides", "Stage=local Timing=local", "a'b $HOME *",
    ]  # fmt: skip


def test_it_talks_to_the_local_aws_alone(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever account its caller is signed in to, and whatever else of AWS its caller has set."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, "production")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, "production")
    install(tools, "sam", f"export -p > {tools}/environment")

    sam.run(LOCAL_AWS, "deploy")

    assert {name: value for name, value in environment(tools).items() if name.startswith("AWS_")} == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def test_it_sends_no_telemetry_and_finds_what_its_caller_has_set_besides_aws(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container engine that is elsewhere, say."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    monkeypatch.setenv("SAM_CLI_TELEMETRY", "1")
    install(tools, "sam", f"export -p > {tools}/environment")

    sam.run(LOCAL_AWS, "local invoke")

    found = environment(tools)
    assert (found["DOCKER_HOST"], found["SAM_CLI_TELEMETRY"]) == ("unix:///run/user/1000/docker.sock", "0")


def test_the_sam_beside_this_python_goes_before_any_other(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("PATH", str(other))
    install(tools, "sam", "echo pinned")
    install(other, "sam", "echo another")

    assert sam.run(LOCAL_AWS, "build") == "pinned\n"


def test_it_runs_in_the_checkout_wherever_its_caller_is(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tools)
    install(tools, "sam", "pwd -P")

    assert sam.run(LOCAL_AWS, "build") == f"{state.ROOT.resolve()}\n"


def test_it_can_ask_nobody(tools: Path) -> None:
    install(tools, "sam", "if read answer; then echo answered; else echo nobody is there; fi")

    with typed(b"y\n"):
        assert sam.run(LOCAL_AWS, "deploy") == "nobody is there\n"


@contextmanager
def typed(keys: bytes) -> Iterator[None]:
    """Let someone have typed something at this process's standard input."""
    terminal, keyboard = os.pipe()
    before = os.dup(0)
    os.write(keyboard, keys)
    os.dup2(terminal, 0)
    try:
        yield
    finally:
        os.dup2(before, 0)
        for descriptor in (terminal, keyboard, before):
            os.close(descriptor)
