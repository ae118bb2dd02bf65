"""Words for the command `sam` in, run against the local AWS; what it printed out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ops.failure import CallFailed
from ops.local import state
from ops.local.state import LocalAws


def run(local_aws: LocalAws, command: str, *arguments: str) -> str:
    """Run `sam` against the local AWS and return what it printed. Raises CallFailed with what it said last.

    `command` may be of several words: `local invoke`.
    """
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
        [
            sam,
            *command.split(),
            "--config-file",
            str(state.ROOT / "samconfig.toml"),
            "--config-env",
            "local",
            *arguments,
        ],
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
    return done.stdout


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
