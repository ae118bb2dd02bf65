"""Work that goes on in, bars that show a person how far it is out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich import progress as bars
from rich.console import Console


def by_bytes(console: Console) -> bars.Progress:
    """Return a bar for work that is measured in bytes."""
    return bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TimeElapsedColumn(),
        console=console,
    )


@contextmanager
def by_counts(console: Console, colours: Mapping[str, str], total: int) -> Iterator[Callable[[object], None]]:
    """Show a bar a count while something runs, each in its colour.

    Yields what is to be called with the counts: an object with an attribute of each name.
    """
    with bars.Progress(
        bars.TextColumn("{task.description:>9}"),
        bars.BarColumn(bar_width=40),
        bars.TextColumn("{task.completed:>6.0f} of {task.total:.0f}"),
        console=console,
    ) as display:
        rows = {name: display.add_task(f"[{colour}]{name}", total=total) for name, colour in colours.items()}

        def show(counts: object) -> None:
            for name, row in rows.items():
                display.update(row, completed=getattr(counts, name))

        yield show
