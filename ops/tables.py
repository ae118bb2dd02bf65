"""Values in, tables and lines for a terminal out: whatever they hold, nothing in them is obeyed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.terminal import harmless


def facts(values: Mapping[str, Any]) -> Table:
    """Return a table of names and values; what is empty is left out."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in values.items():
        if value not in ("", None):
            table.add_row(name, cell(value))
    return table


def rows(title: str, records: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table with a line a record, whose fields are its columns."""
    table = Table(title=title or None, title_justify="left")
    for column in records[0] if records else ("none",):
        table.add_column(column.replace("_", " "), overflow="fold")
    for record in records:
        table.add_row(*(cell(value) for value in record.values()))
    return table


def cell(value: object) -> Text:
    """Return a value as it stands in a table."""
    return Text("" if value is None else harmless(str(value)))


def say(text: str, style: str = "") -> None:
    """Print a line."""
    Console(highlight=False, soft_wrap=True).print(Text(harmless(text), style))


def warn(text: str) -> None:
    """Print a line where errors go."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(f"backstop: {harmless(text)}", "red"))
