"""A file of events in, sent; which lines were bad, and where to go on, out."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from rich.console import Console

from backstop.event import MAX_ID_LENGTH
from backstop.message import MAX_BYTES
from ops import audit
from ops.failure import CallFailed
from ops.ndjson import object_of, text_of
from ops.progress import by_bytes
from ops.sending import Entry, Sent, send
from ops.stack import Stack
from ops.tables import warn

SUBJECT: Final = "queue EventsQueue"
"""What the audit calls what is sent to."""

_SHOWN: Final = 20


@dataclass
class Outcome:
    """What became of a file's lines, by their number. `open` were handed to SQS without an answer so far."""

    sent: int = 0
    bad: dict[int, str] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    read: int = 0
    broken: str = ""

    @property
    def next_line(self) -> int | None:
        """The first line that is not known to be sent; None where all were."""
        if self.open:
            return min(self.open)
        return self.read + 1 if self.broken else None

    def add(self, call: Sent) -> None:
        """Take in what became of a call."""
        if call.is_broken:
            self.broken = self.broken or next(iter(call.refused.values()))
            return
        self.sent += len(call.taken)
        self.bad |= call.refused
        self.open -= {*call.taken, *call.refused}


def send_file(file: Path, stack: Stack, *, from_line: int, as_json: bool) -> int:
    """Send each line of `file` (`-`: standard input) as an event; returns 1 where a line was bad or not sent, else 0.

    A broken connection is tried again for a while. If it stays broken, or the person stops, it says up to which line
    all is sent; later ones may have been sent, too: sending them once more does no harm, an event is run once.
    """
    console = Console(stderr=True, highlight=False)
    outcome = Outcome(read=from_line - 1)
    url = stack.output("EventsQueueUrl")
    with ExitStack() as resources:
        source, size = _open(file, resources)
        entry = audit.record(stack, shlex.join(["send", str(file), "--from-line", str(from_line)]), SUBJECT, 0)
        display = resources.enter_context(by_bytes(console))
        task = display.add_task("sending", total=size)
        try:
            for call in send(stack.sqs, url, _entries(source, from_line, outcome, lambda n: display.advance(task, n))):
                outcome.add(call)
        except KeyboardInterrupt:
            outcome.broken = "stopped"
    _tell(console, file, stack, outcome)
    unwritten = audit.conclude(stack, entry, _failure(outcome), outcome.sent)
    if unwritten:
        warn(f"what came of it could not be written down: {unwritten}")
    if as_json:
        print(json.dumps({"sent": outcome.sent, "bad": outcome.bad, "next_line": outcome.next_line}))
    return int(bool(outcome.bad or outcome.broken))


def _failure(outcome: Outcome) -> str:
    """Say why not all of the file is sent; nothing where it is."""
    bad = f"{len(outcome.bad):,} bad lines" if outcome.bad else ""
    return ", ".join(filter(None, (outcome.broken, bad)))


def _entries(source: BinaryIO, from_line: int, outcome: Outcome, advance: Callable[[int], None]) -> Iterator[Entry]:
    """Yield the lines that are events, until a call is broken."""
    for number, line in enumerate(source, start=1):
        advance(len(line))
        if number < from_line:
            continue
        if outcome.broken:
            return
        outcome.open.add(number)  # before it counts as read: whoever stops it in between must not skip the line
        outcome.read = number
        text = line.strip()
        try:
            entry = _entry(number, text) if text else None
        except ValueError as error:
            outcome.bad[number] = str(error)
            entry = None
        if entry is None:
            outcome.open.discard(number)
            continue
        yield entry


def _entry(number: int, line: bytes) -> Entry:
    text = text_of(number, line)
    event = object_of(text)
    event_id = event.get("id")
    if not isinstance(event_id, str) or not 0 < len(event_id) <= MAX_ID_LENGTH:
        raise ValueError(f"no `id` of 1 to {MAX_ID_LENGTH} characters")
    entry = Entry.of(number, text)
    if entry.size > MAX_BYTES:
        raise ValueError(f"{entry.size:,} bytes; SQS takes at most {MAX_BYTES:,}")
    return entry


def _open(file: Path, resources: ExitStack) -> tuple[BinaryIO, int | None]:
    if str(file) == "-":
        return sys.stdin.buffer, None
    try:
        return resources.enter_context(file.open("rb")), file.stat().st_size
    except OSError as error:
        raise CallFailed(f"{file} cannot be read: {error.strerror}") from None


def _tell(console: Console, file: Path, stack: Stack, outcome: Outcome) -> None:
    console.print(f"{outcome.sent} sent, {len(outcome.bad)} bad.", style="red" if outcome.bad else "green")
    for number, why in sorted(outcome.bad.items())[:_SHOWN]:
        console.print(f"  line {number}: {why}", markup=False, soft_wrap=True)
    if len(outcome.bad) > _SHOWN:
        console.print(f"  and {len(outcome.bad) - _SHOWN} more; --json lists them all")
    if outcome.broken:
        console.print(
            f"Not all was read: {outcome.broken}\n"
            f"Every good line before line {outcome.next_line} is sent. Go on with:\n"
            f"  backstop send {shlex.quote(str(file))} --from-line {outcome.next_line} --stack {stack.name}"
            f"{' --local' if stack.endpoint_url else ''}",
            style="red",
            markup=False,
            soft_wrap=True,
        )
