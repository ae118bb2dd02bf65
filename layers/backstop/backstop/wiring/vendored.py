"""The folder of a function's code in, the top-level names of the libraries that were installed beside it out."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def vendored_in(own_root: str) -> frozenset[str]:
    """Return the packages and modules that `sam build` put beside the handler, told by their `.dist-info` folders.

    A folder that cannot be read has none: a failure is then told of with more frames rather than not at all.
    """
    try:
        return frozenset(name for folder in Path(own_root).glob("*.dist-info") for name in _names(folder))
    except OSError:
        return frozenset()


def _names(folder: Path) -> frozenset[str]:
    """Return what a distribution installed at the top: from its list of names, else from its list of files."""
    top_level = folder / "top_level.txt"
    if top_level.is_file():
        return frozenset(top_level.read_text("utf-8", "replace").split())
    record = folder / "RECORD"
    if not record.is_file():
        return frozenset()
    tops = {line.split(",", 1)[0].split("/", 1)[0] for line in record.read_text("utf-8", "replace").splitlines()}
    return frozenset(top.partition(".")[0] for top in tops if not top.endswith((".dist-info", ".data")) and top != "..")
