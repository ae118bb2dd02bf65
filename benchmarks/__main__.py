"""`make bench`: measures everything and prints one table. Exit code 1 where a limit is not met."""

from __future__ import annotations

import sys

from benchmarks import calls, core, end_to_end, fingerprint, imports, ordered, outage, poison, redrive, stream, watch
from benchmarks.table import show


def main() -> int:
    parts = (core, stream, imports, fingerprint, poison, outage, ordered, watch, redrive, calls, end_to_end)
    rows = [row for part in parts for row in part.measure()]
    show(rows)
    return int(not all(row.is_met for row in rows))


if __name__ == "__main__":
    sys.exit(main())
