from __future__ import annotations

import platform
import sys
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import pytest

from ops.failure import CallFailed
from ops.local import state
from ops.local.deploy import build_folder, deploy, deploy_template
from ops.local.gateway.admin import administered
from ops.local.gateway.client import BACKUP, PAYMENTS
from ops.local.gateway.entrance import Entrance
from ops.local.gateway.ledger import Ledger
from ops.local.state import LocalAws

LOCAL_AWS = LocalAws(0, 4566)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which tools are found; its `sam` writes down each call's words."""
    monkeypatch.setattr(state, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    install(tmp_path, "make")
    install(tmp_path, "sam", f"printf '%s\\n' \"$@\" > {tmp_path}/$1.words")
    return tmp_path


def install(tools: Path, name: str, script: str = "") -> None:
    tool = tools / name
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def options(tools: Path, command: str) -> dict[str, str]:
    """Return the options that `sam` was given, with their values."""
    words = (tools / f"{command}.words").read_text().splitlines()
    return {name: value for name, value in pairwise(words) if name.startswith("--")}


def test_a_template_that_cannot_be_built_is_not_deployed(tools: Path) -> None:
    install(tools, "sam", f'echo "$1" >> {tools}/calls; exit 1')

    with pytest.raises(CallFailed, match=r"^sam build failed: "):
        deploy(LOCAL_AWS, "backstop")

    assert (tools / "calls").read_text() == "build\n"


def test_a_deployment_that_fails_is_told(tools: Path) -> None:
    install(tools, "sam", 'test "$1" = build || { echo "Error: no such role"; exit 1; }')

    with pytest.raises(CallFailed, match=r"^sam deploy failed: Error: no such role$"):
        deploy(LOCAL_AWS, "backstop")


def test_what_was_built_is_deployed(tools: Path) -> None:
    deploy(LOCAL_AWS, "shop")

    built, deployed = options(tools, "build"), options(tools, "deploy")
    assert Path(built["--template-file"]) == state.ROOT / "template.yaml"
    assert Path(built["--build-dir"]) == build_folder("shop")
    assert Path(deployed["--template-file"]) == build_folder("shop") / "template.yaml"
    assert deployed["--stack-name"] == "shop"


def test_stacks_are_built_apart(tools: Path) -> None:
    assert build_folder("shop") != build_folder("backstop")
    assert build_folder("shop").is_relative_to(tools)


def test_the_template_is_deployed_with_the_local_parameters(tools: Path) -> None:
    deploy(LOCAL_AWS, "backstop")

    parameters = options(tools, "deploy")["--parameter-overrides"].split()
    assert {"Stage=local", "Timing=local", "AllowDrill=true"} <= set(parameters)


@pytest.mark.parametrize(
    ("machine", "architecture"), [("x86_64", "x86_64"), ("AMD64", "x86_64"), ("aarch64", "arm64"), ("arm64", "arm64")]
)
def test_any_template_is_built_and_deployed_for_the_python_and_the_processor_that_run_it(
    machine: str, architecture: str, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    here = {f"Runtime=python{sys.version_info.major}.{sys.version_info.minor}", f"Architecture={architecture}"}

    deploy_template(LOCAL_AWS, "backstop", tools / "template.yaml", "AllowDrill=true")

    assert set(options(tools, "build")["--parameter-overrides"].split()) == here
    assert set(options(tools, "deploy")["--parameter-overrides"].split()) == here | {"AllowDrill=true"}


def test_the_sample_charges_at_the_gateway_of_the_local_aws(tools: Path) -> None:
    ledger = Ledger()
    entrances = {name: Entrance(ledger) for name in (PAYMENTS, BACKUP)}
    with ExitStack() as closed:
        for entrance in entrances.values():
            closed.enter_context(closing(entrance))
        listener = closed.enter_context(closing(administered(entrances)))
        deploy(LocalAws(0, 4566, listener.url), "backstop")

    parameters = options(tools, "deploy")["--parameter-overrides"].split()
    primary, backup = (entrance.listener.url for entrance in entrances.values())
    assert {"Stage=local", f"PaymentUrl={primary}", f"PaymentBackupUrl={backup}"} <= set(parameters)


def test_without_a_gateway_nothing_is_charged(tools: Path) -> None:
    deploy(LOCAL_AWS, "backstop")

    assert "Payment" not in options(tools, "deploy")["--parameter-overrides"]


def test_a_gateway_that_is_gone_is_told_and_nothing_is_deployed(tools: Path) -> None:
    with pytest.raises(CallFailed, match="the payment gateway does not answer"):
        deploy(LocalAws(0, 4566, "http://127.0.0.1:1"), "backstop")

    assert not (tools / "deploy.words").exists()
