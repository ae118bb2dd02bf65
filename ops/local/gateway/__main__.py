"""A file in: the gateway runs, its admin address is written there, until whoever started it is gone."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from time import sleep
from typing import Final

from ops.local.gateway.admin import administered
from ops.local.gateway.client import BACKUP, PAYMENTS
from ops.local.gateway.entrance import Entrance
from ops.local.gateway.ledger import Ledger

_POLL_SECONDS: Final = 0.2


def main(file: Path, parent: int) -> None:
    """Serve for as long as the parent process lives."""
    ledger = Ledger()
    listener = administered({name: Entrance(ledger) for name in (PAYMENTS, BACKUP)})
    written = file.with_suffix(".new")
    written.write_text(listener.url)
    written.replace(file)  # who reads it reads all of it
    while os.getppid() == parent:
        sleep(_POLL_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
