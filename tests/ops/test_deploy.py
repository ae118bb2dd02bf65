from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ops.failure import CallFailed
from ops.local import state
from ops.local.deploy import deploy, deploy_template
from ops.local.state import LocalAws

LOCAL_AWS = LocalAws(0, 4566)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which tools are found."""
    monkeypatch.setattr(state, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install(tools: Path, name: str, script: str = "") -> None:
    tool = tools / name
    tool.write_bytes(f"#!/bin/sh\n{script}\n".encode("latin-1"))
    tool.chmod(0o755)


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        pytest.param(["make"], "sam is missing: run make setup", id="no sam"),
        pytest.param(["sam"], "make is missing: install it from your system's packages", id="no make"),
    ],
)
def test_a_missing_tool_is_named(there: list[str], missing: str, tools: Path) -> None:
    for name in there:
        install(tools, name)

    with pytest.raises(CallFailed, match=missing):
        deploy(LOCAL_AWS, "backstop")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param("echo fine; echo 'Error: no such layer' >&2; exit 1", "Error: no such layer", id="an error"),
        pytest.param("echo 'Build Failed'; echo why; exit 1", "Build Failed why", id="a failed build"),
        pytest.param("echo one; echo 'CREATE_FAILED  Queue'; exit 1", "CREATE_FAILED  Queue", id="a failed resource"),
        pytest.param("for n in 1 2 3 4 5; do echo $n; done; exit 1", "3 4 5", id="nothing that it names"),
        pytest.param("exit 1", "it said nothing", id="not a word"),
        pytest.param("echo 'Error: caf\xe9'; exit 1", "Error: caf", id="bytes that are no text"),
    ],
)
def test_it_tells_what_sam_said(script: str, said: str, tools: Path) -> None:
    install(tools, "make")
    install(tools, "sam", script)

    with pytest.raises(CallFailed) as failed:
        deploy(LOCAL_AWS, "backstop")

    assert str(failed.value).startswith(f"sam build failed: {said}")


def test_a_template_that_cannot_be_built_is_not_deployed(tools: Path) -> None:
    install(tools, "make")
    install(tools, "sam", f'echo "$1" >> {tools}/calls; exit 1')

    with pytest.raises(CallFailed):
        deploy(LOCAL_AWS, "backstop")

    assert (tools / "calls").read_text() == "build\n"


def test_sam_talks_to_the_local_aws_alone(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever account its caller is signed in to."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    install(tools, "make")
    install(tools, "sam", f"export -p > {tools}/environment-$1")

    deploy_template(LOCAL_AWS, "backstop", tools / "template.yaml", "AllowDrill=true")

    for command in ("build", "deploy"):
        exported = (tools / f"environment-{command}").read_text()
        assert "http://127.0.0.1:4566" in exported
        assert "production" not in exported
        assert "AWS_SESSION_TOKEN" not in exported
