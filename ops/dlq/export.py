"""Which dead letters are meant in; they are written down whole, one a line, where the person wants them.

They are collected in a file that nobody else may read, which becomes the export only at its end: what is there under
its own name is complete. The letters stay where they are.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from backstop.selection import Selection
from ops import audit
from ops.dlq.discard import SUBJECT
from ops.dlq.exported import line
from ops.dlq.scanning import of_stack
from ops.failure import CallFailed, told_in_a_sentence
from ops.stack import Stack
from ops.tables import warn
from ops.terminal import harmless

STANDARD_OUTPUT: Final = "-"
BUCKET: Final = "s3"
KEPT_BELOW: Final = "exported/"
"""Where the bucket keeps what was exported."""


@dataclass(frozen=True, slots=True)
class Collected:
    """How many letters were written down, and whether there may be more."""

    count: int
    may_be_more: bool


def export(stack: Stack, selection: Selection, to: str, words: str, *, as_json: bool) -> int:
    """Write the letters that are meant to a file, the bucket (`s3`) or standard output (`-`).

    Returns 0, or 1 where there may be more than were seen. `words` is the command as it was typed. Raises CallFailed
    where it cannot be written, or SQS does not answer; then nothing is there under its name.
    """
    if to not in (STANDARD_OUTPUT, BUCKET):
        _require_free(Path(to))
    with _private_file(to) as (file, path):
        with told_in_a_sentence():
            collected = _collect(stack, selection, file)
        where = _publish(stack, file, path, to, collected.count, words) if collected.count else ""
    if as_json:
        print(json.dumps({"exported": collected.count, "to": where or None, "is_complete": not collected.may_be_more}))
    else:
        _say(
            f"{collected.count:,} exported to {where}." if where else "No dead letters are meant: nothing was written."
        )
    return int(collected.may_be_more)


def _collect(stack: Stack, selection: Selection, file: BinaryIO) -> Collected:
    """Write the letters' lines; all letters are seen again when it returns. Raises StoreUnavailable."""
    count = 0
    with of_stack(stack) as looks:
        for letter in filter(selection.has, chain.from_iterable(looks)):
            file.write(f"{line(letter)}\n".encode())
            count += 1
    file.flush()
    return Collected(count, any(look.is_cut or look.unseen for look in looks))


def _publish(stack: Stack, file: BinaryIO, path: Path, to: str, count: int, words: str) -> str:
    """Write down who gets them, then hand them over; returns where they are now."""
    entry = audit.record(stack, words, SUBJECT, count)
    try:
        where = _handed_over(stack, file, path, to, count)
    except (CallFailed, OSError, ClientError, BotoCoreError) as error:
        audit.conclude(stack, entry, str(error))
        raise
    if unwritten := audit.conclude(stack, entry):
        warn(f"that it is done could not be written down: {unwritten}")
    return where


def _handed_over(stack: Stack, file: BinaryIO, path: Path, to: str, count: int) -> str:
    file.seek(0)
    if to == STANDARD_OUTPUT:
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return "standard output"
    if to == BUCKET:
        now, bucket = datetime.now(UTC), stack.output("DataBucketName")
        key = f"{KEPT_BELOW}{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03}Z-{count}.ndjson"
        stack.s3.put_object(Bucket=bucket, Key=key, Body=file, ContentType="application/x-ndjson")
        return f"s3://{bucket}/{key}"
    _name(path, Path(to))
    return to


def _name(path: Path, target: Path) -> None:
    """Give a file the name that it is to have, unless another one has it. Raises CallFailed."""
    try:
        os.link(path, target)
    except FileExistsError:
        _require_free(target)
    except OSError:  # a file system where no file has two names
        _require_free(target)
        path.rename(target)


@contextmanager
def _private_file(to: str) -> Iterator[tuple[BinaryIO, Path]]:
    """Make a file that only its owner may read, beside the one that it is to become; it is gone in the end."""
    folder = None if to in (STANDARD_OUTPUT, BUCKET) else Path(to).parent
    try:
        number, name = tempfile.mkstemp(prefix=".backstop-", suffix=".ndjson", dir=folder)
    except OSError as error:
        raise CallFailed(f"{to} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(number, "w+b") as file:
            yield file, Path(name)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise CallFailed(f"{to} cannot be written: {error.strerror}") from None
    finally:
        with suppress(FileNotFoundError):  # it has its name
            Path(name).unlink()


def _require_free(target: Path) -> None:
    if str(target).startswith("s3:"):
        raise CallFailed("--to s3 writes to the stack's own bucket; a file is named as it is")
    if os.path.lexists(target):
        raise CallFailed(f"{target} is there already, and is not overwritten: name another file, or move it away")


def _say(text: str) -> None:
    """Print a line where it is not taken for a letter."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(harmless(text)))
