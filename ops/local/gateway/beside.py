"""A file and a command's words in: this process becomes the command, with a payment gateway beside it.

So the gateway is of the command's process group, and ends with that; or alone, once the command is gone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from time import sleep
from typing import Final

_POLL_SECONDS: Final = 0.02


def main(file: Path, command: list[str]) -> None:
    """Start the gateway, wait until it has written its address to the file, and become the command."""
    file.unlink(missing_ok=True)  # one that was killed left its own
    words = [sys.executable, "-m", "ops.local.gateway", str(file), str(os.getpid())]
    gateway = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    while not file.exists():
        if gateway.poll() is not None:
            sys.exit("the payment gateway ended while it started")
        sleep(_POLL_SECONDS)
    os.execv(command[0], command)  # noqa: S606  # nosec B606  # as a list, by no shell


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
