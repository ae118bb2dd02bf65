"""What the local AWS does in its own time, waited for."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest


def wait_for(look: Callable[[], Any], seconds: float = 90) -> Any:
    """Look until something is there; the local AWS does its work in its own time."""
    pause = Event()
    for _ in range(int(seconds / 0.5)):
        if found := look():
            return found
        pause.wait(0.5)
    pytest.fail(f"nothing came within {seconds} s")
