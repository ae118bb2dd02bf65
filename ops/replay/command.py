"""What the person asked of a replay in, its exit code out."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from types import FrameType
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops import audit
from ops.failure import CallFailed
from ops.progress import by_bytes
from ops.replay.run import Outcome, Replay, Rules, find
from ops.stack import Stack
from ops.tables import warn
from ops.terminal import harmless
from ops.times import since as read_since

ERRORS: Final = "errors/"
"""Where the template's stream keeps what was not transformed."""
SUBJECT: Final = "stream ClicksStream"
"""What the audit calls what is replayed to."""


def replay(stack: Stack, prefix: str, since: str | None, rules: Rules, *, as_json: bool) -> int:
    """Put what is kept below `prefix` back on the stream; returns 0 where all of it is, else 1.

    Raises CallFailed where the prefix or the time is none.
    """
    bucket, stream = stack.output("DataBucketName"), stack.output("ClicksStreamName")
    prefix = _below_errors(prefix, bucket)
    moment = None if since is None else read_since(since, datetime.now(UTC))
    console = Console(stderr=True, highlight=False)
    objects = find(stack.s3, bucket, prefix, moment)
    is_changing = bool(objects) and not rules.is_dry_run
    entry = audit.record(stack, _words(prefix, since, rules), SUBJECT, 0) if is_changing else None
    with _stopped_by_signals(console) as is_stopped:
        running = Replay(stack.s3, stack.firehose_once, bucket, stream, rules, is_stopped)
        with by_bytes(console) as display:
            task = display.add_task("reading" if rules.is_dry_run else "replaying", total=sum(o.size for o in objects))
            for found in running.run(objects):
                display.advance(task, found.size)
    if not objects:
        since_then = "" if moment is None else f" since {moment:%Y-%m-%d %H:%M:%S %Z}"
        console.print(Text(harmless(f"There is nothing below s3://{bucket}/{prefix}{since_then}.")), soft_wrap=True)
    _tell(console, running.outcome, rules)
    if entry is not None:
        _conclude(stack, entry, running.outcome)
    if as_json:
        print(json.dumps(asdict(running.outcome) | {"dry_run": rules.is_dry_run}))
    return int(not running.outcome.is_complete)


def _words(prefix: str, since: str | None, rules: Rules) -> str:
    """Return the command as it would be typed."""
    options = [*(("--since", since) if since else ()), "--max-replays", str(rules.max_replays)]
    return shlex.join(
        ["stream", "replay", "--from", prefix, *options, *(["--resend-doubtful"] if rules.resends_doubtful else [])]
    )


def _conclude(stack: Stack, entry: audit.Entry, outcome: Outcome) -> None:
    unwritten = audit.conclude(stack, entry, _failure(outcome), outcome.sent)
    if unwritten:
        warn(f"what came of it could not be written down: {unwritten}")


def _failure(outcome: Outcome) -> str:
    """Say why not all of it is on the stream; nothing where it is."""
    if outcome.is_complete or outcome.stopped:
        return outcome.stopped
    left = {
        "in doubt": sum(outcome.in_doubt.values()),
        "replayed too often": outcome.rounds_used_up,
        "too large": outcome.too_large,
        "objects not read": len(outcome.unreadable),
    }
    return ", ".join(f"{count:,} {what}" for what, count in left.items() if count)


def _below_errors(prefix: str, bucket: str) -> str:
    prefix = prefix.removeprefix(f"s3://{bucket}/")
    if not prefix.startswith(ERRORS):
        raise CallFailed(
            f"--from {prefix}: what was not transformed is kept below {ERRORS} in s3://{bucket}; "
            f"name that, or a part of it such as {ERRORS}processing-failed/2026/11/21/"
        )
    return prefix


@contextmanager
def _stopped_by_signals(console: Console) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C or a signal that ends processes stop it between two calls, where nothing is in doubt."""
    stopping: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopping.append(number)
        console.print("Stopping after this call …")

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in signals]
    try:
        yield lambda: bool(stopping)
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _tell(console: Console, outcome: Outcome, rules: Rules) -> None:
    def tell(style: str, text: str) -> None:
        console.print(Text(harmless(text), style), soft_wrap=True)

    console.print(_table(outcome, rules))
    for key, why in outcome.unreadable.items():
        tell("red", f"not read: {key}: {why}")
    for key, count in outcome.in_doubt.items():
        tell("yellow", f"in doubt: {count} records of {key}")
    if outcome.in_doubt:
        tell("", "What is in doubt may be on the stream already. To send it again: --resend-doubtful")
    if outcome.stopped:
        tell("red", f"Stopped: {outcome.stopped}. The same call goes on from there.")


def _table(outcome: Outcome, rules: Rules) -> Table:
    table = Table(
        title="Dry run: nothing was sent" if rules.is_dry_run else "Replay", show_header=False, title_justify="left"
    )
    table.add_column()
    table.add_column(justify="right")
    rows = {
        "objects": outcome.objects,
        "records to send" if rules.is_dry_run else "records sent": outcome.sent,
        "sent before": outcome.sent_before,
        f"replayed {rules.max_replays} times already": outcome.rounds_used_up,
        "too large to be marked": outcome.too_large,
        "in doubt": sum(outcome.in_doubt.values()),
        "objects not read": len(outcome.unreadable),
    }
    for name, count in rows.items():
        table.add_row(name, f"{count:,}")
    return table
