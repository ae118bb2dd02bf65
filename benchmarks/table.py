"""Rows in, the one table that `make bench` prints out."""

from __future__ import annotations

import sys
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Row(NamedTuple):
    """A measurement: what, of what against what, the ratio or count, and the most it may be."""

    what: str
    case: str
    value: float
    against: str
    limit: float | None = None

    @property
    def is_met(self) -> bool:
        return self.limit is None or self.value <= self.limit


def show(rows: list[Row]) -> None:
    table = Table(title="What Backstop costs", title_justify="left")
    for column in ("what", "case", "measured", "at most", "against"):
        table.add_column(column, justify="right" if column in {"measured", "at most"} else "left")
    for row in rows:
        limit = "" if row.limit is None else f"{row.limit:.2f}"
        table.add_row(row.what, row.case, f"{row.value:.2f}", limit, row.against, style=None if row.is_met else "red")
    Console(width=None if sys.stdout.isatty() else 150).print(table)
