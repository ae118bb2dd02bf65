"""Grouping labelled log messages by `parametrise`: the share of messages whose group is exactly their label's.

The messages are no part of the project: LOGHUB names a folder of CSV files, one a system, with `content` and `label`.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean

from backstop.parametrise import parametrise
from benchmarks.table import Row

_AT_LEAST = 0.90


def measure() -> list[Row]:
    folder = os.environ.get("LOGHUB", "")
    systems = sorted(Path(folder).glob("*.csv")) if folder else []
    if not systems:
        print("grouping labelled messages: left out, as LOGHUB names no folder that has them")
        return []
    accuracies = {path.stem: accuracy(_read(path), parametrise) for path in systems}
    print("grouping labelled messages:", ", ".join(f"{name} {value:.3f}" for name, value in accuracies.items()))
    ungrouped = 1 - mean(accuracies.values())
    return [Row("messages grouped otherwise", f"{len(systems)} systems", ungrouped, "all messages", 1 - _AT_LEAST)]


def accuracy(messages: Iterable[tuple[str, str]], group_of: Callable[[str], str]) -> float:
    """Return the share of messages (text, label) whose group holds all of their label's messages and no others."""
    groups: dict[str, list[int]] = defaultdict(list)
    labels: dict[str, list[int]] = defaultdict(list)
    for index, (text, label) in enumerate(messages):
        groups[group_of(text)].append(index)
        labels[label].append(index)
    exact = {tuple(members) for members in labels.values()}
    count = sum(map(len, groups.values()))
    return sum(len(members) for members in groups.values() if tuple(members) in exact) / max(count, 1)


def _read(path: Path) -> list[tuple[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [(row["content"], row["label"]) for row in csv.DictReader(file)]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        os.environ["LOGHUB"] = sys.argv[1]
    for row in measure():
        print(row)
