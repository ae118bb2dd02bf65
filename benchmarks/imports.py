"""Importing the function's module against importing the libraries that it stands on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

from benchmarks.table import Row
from ops.local.state import ROOT

_ROUNDS = 15
_WAYS = {
    "libraries": "from aws_lambda_powertools import Logger, Metrics\n"
    "from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, idempotent_function",
    "app": "import app",
    "bare": "import json",
}


def measure() -> list[Row]:
    times: dict[str, list[float]] = {name: [] for name in _WAYS}
    for round_number in range(_ROUNDS + 1):
        for name, code in _WAYS.items():
            seconds = _run(code)
            if round_number:  # the first one writes byte code
                times[name].append(seconds)
    # What the interpreter itself takes is no import of ours.
    ratio = median(
        (app - bare) / (libraries - bare)
        for app, libraries, bare in zip(times["app"], times["libraries"], times["bare"], strict=True)
    )
    return [Row("importing", "functions/process/app.py", ratio, "Powertools' Logger, Metrics, idempotency", 1.15)]


def _run(code: str) -> float:
    """Return the processor's seconds that a fresh interpreter takes to run `code`."""
    path = os.pathsep.join((str(ROOT / "functions/process"), str(ROOT / "layers/backstop")))
    environment = {"PYTHONPATH": path, "PATH": os.defpath, "HOME": str(Path.home())}
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
