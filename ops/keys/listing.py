"""A stack in, the keys that wait out: held ones first, then those that have waited longest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from backstop.aws.parked import ParkedTable
from backstop.errors import StoreUnavailable
from backstop.parking import Lock, State
from backstop.trail import Trail
from ops.failure import told_in_a_sentence
from ops.keys.found import Found, history_of, parked_table
from ops.stack import Stack
from ops.terminal import harmless, span
from ops.times import iso

_COLUMNS: Final = ("key", "state", "head", "attempt", "age", "waiting", "next try")


class Row(NamedTuple):
    """A key that waits. Where its head could not be read, `unread` says why: the other keys are listed all the same."""

    found: Found
    unread: str = ""


def show(stack: Stack, state: State | None, limit: int, *, as_json: bool) -> int:
    """Print the keys that wait; returns 0. Raises CallFailed where the table does not answer."""
    now = datetime.now(UTC)
    table = parked_table(stack)
    with told_in_a_sentence():
        locks = waiting_keys(table, state)
    rows = [_row(stack, table, lock, now) for lock in locks[:limit]]
    if as_json:
        print(json.dumps({"keys": [fields(row, now) for row in rows], "total": len(locks)}))
        return 0
    console = Console(highlight=False)
    if not rows:
        console.print("No key waits." if state is None else f"No key is {state}.")
        return 0
    console.print(_table(rows, now))
    if len(rows) < len(locks):
        console.print(f"{len(rows):,} of {len(locks):,} keys; --limit shows more.")
    return 0


def waiting_keys(table: ParkedTable, state: State | None) -> list[Lock]:
    """Return the keys that wait, or those in one state: held ones first, then by how long they have waited."""
    locks = {lock.key: lock for lock in table.locks()}  # one that is given back meanwhile may be met twice
    wanted = [lock for lock in locks.values() if state in (None, lock.state)]
    return sorted(wanted, key=lambda lock: (lock.state is not State.HELD, lock.since, lock.key))


def fields(row: Row, now: datetime) -> dict[str, Any]:
    """Return what a program is told of a key."""
    lock, history = row.found.lock, row.found.history
    return {
        "key": lock.key,
        "state": lock.state,
        "head": row.found.head_name or lock.head,
        "attempt": None if row.unread else history.attempt,
        "since": iso(lock.since),
        "age_seconds": int((now - lock.since).total_seconds()),
        "waiting": lock.waiting,
        "next_try": None if lock.state is State.HELD else iso(lock.due),
        "dead_because": history.dead_because,
        "error_type": history.error_type,
        "unread": row.unread,
    }


def next_try(found: Found, now: datetime) -> str:
    """Say when somebody acts on a key next, or why nobody does."""
    lock, history = found.lock, found.history
    if lock.state is State.HELD:
        return f"held: {history.dead_because} {history.error_type}".rstrip(": ")
    if lock.state is State.RUNNING:
        return "is run now" if found.is_run(now) else "now: its worker died"
    return f"in {span(lock.due - now)}" if lock.due > now else "now"


def _row(stack: Stack, table: ParkedTable, lock: Lock, now: datetime) -> Row:
    try:
        head = next(table.events(lock.key), None)
    except StoreUnavailable as error:
        return Row(Found(lock, None, Trail()), str(error))
    return Row(Found(lock, head, Trail() if head is None else history_of(stack, head, now)))


def _table(rows: list[Row], now: datetime) -> Table:
    table = Table()
    for column in _COLUMNS:
        table.add_column(column, overflow="fold")
    for row in rows:
        lock = row.found.lock
        cells = (
            lock.key,
            lock.state,
            row.found.head_name or lock.head,
            "-" if row.unread else str(row.found.history.attempt),
            span(now - lock.since),
            str(lock.waiting),
            f"not read: {row.unread}" if row.unread else next_try(row.found, now),
        )
        style = "bold red" if lock.state is State.HELD else ""
        table.add_row(*(Text(harmless(cell)) for cell in cells), style=style)
    return table
