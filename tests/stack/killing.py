"""Workers of the local AWS that die while a drill runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final

from ops.local.state import LocalAws

_WORKER: Final = "_worker.py"
"""What the emulator runs functions by; the payment gateway beside it is no worker."""


@contextmanager
def killing_workers(
    local_aws: LocalAws, *, every_seconds: int, for_seconds: int, of: str = ""
) -> Iterator[Callable[[], int]]:
    """Kill workers each so many seconds: all, or those `of` a function."""
    killed: list[int] = []
    stopped = Event()

    def kill() -> None:
        for _ in range(for_seconds // every_seconds):
            if stopped.wait(every_seconds):
                return
            for pid in workers(local_aws, of):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    thread = Thread(target=kill)
    thread.start()
    try:
        yield lambda: len(killed)
    finally:
        stopped.set()
        thread.join()


def workers(local_aws: LocalAws, of: str = "") -> list[int]:
    """Return the processes that the emulator runs functions in: its children, or those of one function."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        words = _words(stat.parent)
        if int(parent) == local_aws.pid and state != "Z" and _WORKER in words and of in words:
            found.append(int(stat.parent.name))
    return found


def _words(process: Path) -> str:
    """Return what a process was called with, and its environment: the emulator names the function there."""
    try:
        return (process / "cmdline").read_text() + (process / "environ").read_text()
    except OSError:
        return ""
