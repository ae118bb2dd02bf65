"""A file of exported letters in; they are put back where they came from, and what could not be is named.

The file is read twice: first to say what is wrong with it and to count, then to send. Letters go out in its order, one
call after the other, so that there is a line before which all of them are back.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import typer
from botocore.exceptions import ClientError

from backstop.aws.sqs import MAX_ENTRIES
from backstop.batches import pack
from backstop.message import MAX_BYTES
from ops import audit
from ops.dlq.discard import SUBJECT
from ops.dlq.exported import Exported, read
from ops.dlq.scanning import present
from ops.failure import CallFailed
from ops.ndjson import text_of
from ops.sending import Entry, send_batch
from ops.sending_file import Outcome
from ops.stack import Stack
from ops.tables import say, warn
from ops.terminal import is_a_person
from ops.typed import typed

_SHOWN: Final = 20


class Rules(NamedTuple):
    """What a person decided: where to begin, whether bad lines may be left out, whether it is agreed to."""

    from_line: int = 1
    skips_bad: bool = False
    is_agreed: bool = False


@dataclass
class Checked:
    """What the first reading found: good lines by queue, and what is wrong with the others."""

    good: dict[str, int] = field(default_factory=dict)
    bad: dict[int, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many letters can be put back."""
        return sum(self.good.values())


def bring_back(stack: Stack, file: str, rules: Rules, words: str, *, as_json: bool) -> int:
    """Put the letters of a file (`-`: standard input; `s3://…`) back; returns 0 where all are, or would be, else 1.

    `words` is the command as it was typed. Raises CallFailed where the file cannot be read, and what botocore raises
    where it cannot be written down.
    """
    urls = {url.rpartition("/")[2]: url for url in (stack.queue_urls[name] for name in present(stack))}
    with ExitStack() as resources:
        source = _open(stack, file, resources)
        checked = _check(source, frozenset(urls), rules.from_line)
        _tell_bad(checked.bad)
        outcome = Outcome(bad=checked.bad, read=rules.from_line - 1)
        code = _may_begin(checked, rules, as_json=as_json)
        if code is None:
            source.seek(0)
            code = _carry_out(stack, _entries(source, urls, rules.from_line, outcome), outcome, checked.total, words)
            _tell(stack, file, outcome, rules, as_json=as_json)
    if as_json:
        print(json.dumps({"imported": outcome.sent, "bad": outcome.bad, "next_line": outcome.next_line}))
    return code


def _check(source: BinaryIO, queues: frozenset[str], from_line: int) -> Checked:
    checked = Checked()
    for number, found in _lines(source, queues, from_line):
        if isinstance(found, Exported):
            checked.good[found.queue] = checked.good.get(found.queue, 0) + 1
        else:
            checked.bad[number] = found
    return checked


def _lines(source: BinaryIO, queues: frozenset[str], from_line: int) -> Iterator[tuple[int, Exported | str]]:
    """Yield, for each line that is not empty, the letter in it, or what is wrong with it."""
    for number, line in enumerate(source, start=1):
        if number < from_line or not line.strip():
            continue
        try:
            yield number, read(text_of(number, line.strip()), queues)
        except ValueError as error:
            yield number, str(error)


def _may_begin(checked: Checked, rules: Rules, *, as_json: bool) -> int | None:
    """Say what would be done and ask for it; returns the exit code where it is not begun."""
    if checked.bad and not rules.skips_bad:
        warn(f"nothing was sent: mend the {len(checked.bad):,} bad lines, or leave them out with --skip-bad")
        return 1
    if not checked.total:
        warn("there are no letters in it: nothing was sent")
        return int(bool(checked.bad))
    for queue, count in checked.good.items() if not as_json else ():
        say(f"{count:,} letters go back to {queue}.")
    if rules.is_agreed:
        return None
    if not is_a_person():
        warn("dry run: nothing was sent; --yes does it")
        return 0
    typed = typer.prompt("Type the number of letters to put them back", default="", show_default=False, err=as_json)
    if typed.strip() == str(checked.total):
        return None
    warn("nothing was sent")
    return 1


def _entries(
    source: BinaryIO, urls: dict[str, str], from_line: int, outcome: Outcome
) -> Iterator[tuple[str, list[Entry]]]:
    """Yield calls' worth of letters and the address of their queue, in the file's order."""

    def good() -> Iterator[tuple[str, Entry]]:
        for number, found in _lines(source, frozenset(urls), from_line):
            if isinstance(found, Exported):
                outcome.open.add(number)
                outcome.read = number
                yield urls[found.queue], Entry(number, found.body, found.attributes, found.size, found.system)

    for url, run in groupby(good(), key=lambda one: one[0]):
        for batch in pack((entry for _, entry in run), MAX_ENTRIES, MAX_BYTES):
            yield url, batch


def _carry_out(stack: Stack, calls: Iterator[tuple[str, list[Entry]]], outcome: Outcome, count: int, words: str) -> int:
    """Write down what is begun, send, write down what came of it; returns 1 where a letter is not back."""
    entry = audit.record(stack, words, SUBJECT, count)
    skipped = len(outcome.bad)
    try:
        for url, batch in calls:
            outcome.add(send_batch(stack.sqs, url, batch))
            if outcome.broken:
                break
    except KeyboardInterrupt:
        outcome.broken = "stopped"
    refused = len(outcome.bad) - skipped
    failure = outcome.broken or (f"SQS refused {refused:,} letters" if refused else "")
    if unwritten := audit.conclude(stack, entry, failure, outcome.sent):
        warn(f"what came of it could not be written down: {unwritten}")
    if refused:
        _tell_bad(dict(list(outcome.bad.items())[skipped:]))
    return int(bool(outcome.bad or outcome.broken))


def _open(stack: Stack, file: str, resources: ExitStack) -> BinaryIO:
    """Return what can be read twice."""
    if file.startswith("s3://") or file == "-":
        source: Any = resources.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # whoever has `resources` closes it
        shutil.copyfileobj(sys.stdin.buffer if file == "-" else _object(stack, file), source)
        source.seek(0)
        return source  # type: ignore[no-any-return]
    try:
        return resources.enter_context(Path(file).open("rb"))
    except OSError as error:
        raise CallFailed(f"{file} cannot be read: {error.strerror}") from None


def _object(stack: Stack, address: str) -> Any:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise CallFailed(f"{address} names no object: s3://bucket/key")
    try:
        return stack.s3.get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket"):
            raise CallFailed(f"{address} is not there") from None
        raise


def _tell_bad(bad: dict[int, str]) -> None:
    for number, why in list(bad.items())[:_SHOWN]:
        warn(f"line {number}: {why}")
    if len(bad) > _SHOWN:
        warn(f"and {len(bad) - _SHOWN:,} more bad lines; --json lists them all")


def _tell(stack: Stack, file: str, outcome: Outcome, rules: Rules, *, as_json: bool) -> None:
    if outcome.bad or outcome.broken:
        warn(f"{outcome.sent:,} letters put back, {len(outcome.bad):,} lines were not")
    elif not as_json:
        say(f"{outcome.sent:,} letters put back.")
    if outcome.broken:
        leaving_out = ["--skip-bad"] if rules.skips_bad else []
        then = typed(stack, "dlq", "import", "--from-line", str(outcome.next_line), *leaving_out, argument=file)
        warn(
            f"not all was sent: {outcome.broken}. Every good line before line {outcome.next_line} is back; up to "
            f"{MAX_ENTRIES} from there on may be. Go on with: {then}"
        )
