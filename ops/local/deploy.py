"""The template in, its stack on the local AWS out, by the real `sam build` and `sam deploy`."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from ops.failure import CallFailed
from ops.local import state
from ops.local.state import LocalAws


def deploy(local_aws: LocalAws, stack_name: str) -> None:
    """Build and deploy the template. Raises CallFailed with what SAM said last."""
    deploy_template(local_aws, stack_name, state.ROOT / "template.yaml", _local_overrides())


def deploy_template(local_aws: LocalAws, stack_name: str, template: Path, overrides: str = "") -> None:
    """Build and deploy any template for the Python and the processor of this machine.

    Raises CallFailed with what SAM said last.
    """
    built = state.FOLDER / "build" / stack_name
    machine = _machine_overrides()
    _sam(
        local_aws, "build", "--template-file", str(template), "--build-dir", str(built),
        "--cache-dir", str(state.FOLDER / "cache"), "--parameter-overrides", machine,
    )  # fmt: skip
    _sam(
        local_aws, "deploy", "--stack-name", stack_name, "--template-file", str(built / "template.yaml"),
        "--parameter-overrides", f"{overrides} {machine}".strip(),
    )  # fmt: skip


def _local_overrides() -> str:
    config = tomllib.loads((state.ROOT / "samconfig.toml").read_text())
    return str(config["local"]["deploy"]["parameters"]["parameter_overrides"])


def _machine_overrides() -> str:
    """Return runtime and processor: the emulator runs functions with its own Python, on this machine."""
    architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    return f"Runtime=python{sys.version_info.major}.{sys.version_info.minor} Architecture={architecture}"


def _sam(local_aws: LocalAws, command: str, *arguments: str) -> None:
    tools = str(Path(sys.executable).parent)
    path = os.pathsep.join((tools, os.environ.get("PATH", os.defpath)))
    sam = _require("sam", path, "run make setup")
    _require("make", path, "install it from your system's packages")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
        "PATH": path,
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "1",
        "AWS_ENDPOINT_URL": local_aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": state.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": state.SECRET_KEY,
        "AWS_DEFAULT_REGION": state.REGION,
    }
    done = subprocess.run(
        [sam, command, "--config-file", str(state.ROOT / "samconfig.toml"), "--config-env", "local", *arguments],
        cwd=state.ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise CallFailed(f"sam {command} failed: {_what_it_said(done.stdout + done.stderr)}")


def _require(tool: str, path: str, remedy: str) -> str:
    found = shutil.which(tool, path=path)
    if found is None:
        raise CallFailed(f"{tool} is missing: {remedy}")
    return found


def _what_it_said(output: str) -> str:
    """Return the failure that SAM names, in one line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [
        place for place, line in enumerate(lines) if "FAILED" in line or line.startswith(("Error", "Build Failed"))
    ]
    return " ".join(lines[telling[0] :][:8] if telling else lines[-3:]) or "it said nothing"
