"""The template in, its stack on the local AWS out, by the real `sam build` and `sam deploy`."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

from ops.failure import CallFailed
from ops.local import state
from ops.local.state import LocalAws

_BUILD: Final = state.FOLDER / "build"
_CACHE: Final = state.FOLDER / "cache"


def deploy(local_aws: LocalAws, stack_name: str) -> None:
    """Build and deploy the template. Raises CallFailed with what SAM said last."""
    build()
    overrides = " ".join((_local_overrides(), *_machine_overrides()))
    _sam(
        local_aws, "deploy", "--stack-name", stack_name,
        "--template-file", str(_BUILD / "template.yaml"), "--parameter-overrides", overrides,
    )  # fmt: skip


def build() -> None:
    """Build functions and layer for the Python and the processor of this machine."""
    _sam(
        None, "build", "--build-dir", str(_BUILD), "--cache-dir", str(_CACHE),
        "--parameter-overrides", " ".join(_machine_overrides()),
    )  # fmt: skip


def _local_overrides() -> str:
    config = tomllib.loads((state.ROOT / "samconfig.toml").read_text())
    return str(config["local"]["deploy"]["parameters"]["parameter_overrides"])


def _machine_overrides() -> tuple[str, str]:
    """Return runtime and processor: the emulator runs functions with its own Python, on this machine."""
    architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    return f"Runtime=python{sys.version_info.major}.{sys.version_info.minor}", f"Architecture={architecture}"


def _sam(local_aws: LocalAws | None, command: str, *arguments: str) -> None:
    tools = str(Path(sys.executable).parent)
    path = os.pathsep.join((tools, os.environ.get("PATH", os.defpath)))
    sam = _require("sam", path, "run make setup")
    _require("make", path, "install it from your system's packages")
    environment = os.environ | {"PATH": path, "SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "1"}
    if local_aws is not None:
        environment |= {
            "AWS_ENDPOINT_URL": local_aws.endpoint_url,
            "AWS_ACCESS_KEY_ID": state.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": state.SECRET_KEY,
            "AWS_DEFAULT_REGION": state.REGION,
        }
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            environment.pop(name, None)
    done = subprocess.run(
        [sam, command, "--config-file", str(state.ROOT / "samconfig.toml"), "--config-env", "local", *arguments],
        cwd=state.ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
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
