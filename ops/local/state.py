"""Where the local AWS is: written when it starts, read by whoever wants to talk to it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from ops.failure import CallFailed
from ops.local.gateway.client import Gateway

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".backstop"
ACCESS_KEY: Final = "test"  # the emulator's root
SECRET_KEY: Final = "test"  # noqa: S105  # as is this
REGION: Final = "us-east-1"

_FILE: Final = FOLDER / "local.json"


@dataclass(frozen=True)
class LocalAws:
    """A local AWS that was started: its process and its port, and where its payment gateway is administered."""

    pid: int
    port: int
    gateway_url: str = ""

    @property
    def endpoint_url(self) -> str:
        """The address that AWS clients take."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def gateway(self) -> Gateway:
        """The payment gateway that runs beside it. Raises CallFailed where none does."""
        if not self.gateway_url:
            raise CallFailed("this local AWS has no payment gateway: make local-down, then make local")
        return Gateway(self.gateway_url)

    @property
    def is_alive(self) -> bool:
        """Whether its process still runs."""
        try:
            command = Path(f"/proc/{self.pid}/cmdline").read_bytes() if Path("/proc").is_dir() else b"ministack"
            os.kill(self.pid, 0)
        except (OSError, ProcessLookupError):
            return False
        return b"ministack" in command


def running() -> LocalAws:
    """Return the local AWS that runs. Raises CallFailed where none does."""
    local_aws = find()
    if local_aws is None:
        raise CallFailed("no local AWS runs: start it with make local")
    return local_aws


def find() -> LocalAws | None:
    """Return the local AWS that runs, or None."""
    try:
        local_aws = LocalAws(**json.loads(_FILE.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return local_aws if local_aws.is_alive else None


def remember(local_aws: LocalAws) -> None:
    """Write down where the local AWS is."""
    FOLDER.mkdir(exist_ok=True)
    _FILE.write_text(json.dumps(asdict(local_aws)))


def forget() -> None:
    """Remove what was written down."""
    _FILE.unlink(missing_ok=True)
