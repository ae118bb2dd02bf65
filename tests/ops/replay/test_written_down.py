"""A replay is written down before it begins, with how many records it sent and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ops import audit
from ops.stack import Stack
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command
from tests.ops.replay.ground import KEY, Ground, numbered

REPLAY = ("stream", "replay")
WORDS = "stream replay --from errors/ --max-replays 3"


def written_down(stack: Stack) -> list[tuple[str, int, str]]:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    return [(entry.command, entry.count, entry.result) for entry in audit.entries(stack, since)]


@pytest.fixture(autouse=True)
def _found(found_by_commands: None) -> None:
    """Let every command be about this stack."""


def test_with_the_records_that_were_sent(ground: Ground, stack: Stack, command: Command) -> None:
    ground.keep(KEY, *numbered(3))
    command(*REPLAY)
    assert written_down(stack) == [(WORDS, 3, "done")]


def test_as_it_was_typed(ground: Ground, stack: Stack, command: Command) -> None:
    ground.keep(KEY, b"a")
    command(*REPLAY, "--from", "errors/processing-failed/", "--since", "2h", "--resend-doubtful")
    [(words, _, _)] = written_down(stack)
    assert words == "stream replay --from errors/processing-failed/ --since 2h --max-replays 3 --resend-doubtful"


def test_with_why_not_all_was_sent(ground: Ground, stack: Stack, command: Command) -> None:
    ground.keep(KEY, b"\x00backstop 1 rounds=0 replays=3\na", b"b")
    ground.write(f"{KEY}-2", b"garbage")
    command(*REPLAY)
    assert written_down(stack) == [(WORDS, 1, "failed: 1 replayed too often, 1 objects not read")]


def test_with_what_stopped_it(ground: Ground, stack: Stack, command: Command) -> None:
    ground.keep(KEY, b"a")
    ground.stream.faults.fail("PutRecordBatch", Fault.DENIED)
    command(*REPLAY)
    [(_, count, result)] = written_down(stack)
    assert (count, result) == (0, "failed: AWS refused PutRecordBatch: a test says: denied")


@pytest.mark.parametrize("words", [("--dry-run",), ("--from", "errors/none/")], ids=["dry run", "nothing there"])
def test_not_where_nothing_is_sent(words: tuple[str, ...], ground: Ground, stack: Stack, command: Command) -> None:
    ground.keep(KEY, b"a")
    command(*REPLAY, *words)
    assert written_down(stack) == []


def test_or_it_is_not_done(ground: Ground, stack: Stack, command: Command) -> None:
    ground.keep(KEY, b"a")
    faults = Faults()
    faults.fail_always("PutItem", Fault.DENIED)
    with faults.installed(stack.dynamodb):
        ran = command(*REPLAY)
    assert (ran.exit_code, ground.arrived()) == (2, [])


def test_and_that_its_end_could_not_be_is_told(ground: Ground, stack: Stack, command: Command) -> None:
    ground.keep(KEY, b"a")
    faults = Faults()
    faults.fail_always("UpdateItem", Fault.DENIED)
    with faults.installed(stack.dynamodb):
        ran = command(*REPLAY)
    assert (ran.exit_code, "could not be written down: " in ran.err) == (0, True)
    assert written_down(stack) == [(WORDS, 0, "begun")]
