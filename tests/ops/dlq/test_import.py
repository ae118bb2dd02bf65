"""What was exported is put back as it was; what cannot be is named by its line, and nothing is sent unasked."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstop.trail import ATTRIBUTE
from ops.stack import Stack
from tests.fakes.faults import Fault, Faults
from tests.fakes.queue import QueuedMessage
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command, Ran
from tests.ops.dlq.conftest import is_harmless
from tests.ops.dlq.ground import DEAD, HOSTILE, ORDERED_DEAD, Ground
from tests.ops.dlq.kept import Bucket, bucket
from tests.ops.dlq.test_exported import UNSENDABLE
from tests.ops.replay.interruptions import Interrupted, Killed, Killer

__all__ = ["bucket"]

sendable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=UNSENDABLE), min_size=1)
texts = st.builds(lambda text: {"DataType": "String", "StringValue": text}, sendable)
binaries = st.builds(lambda some: {"DataType": "Binary.x", "BinaryValue": some}, st.binary(min_size=1))
attributes = st.dictionaries(st.from_regex(r"[A-Za-z]{1,9}", fullmatch=True), texts | binaries, max_size=8)
letters = st.lists(st.tuples(sendable, attributes, st.sampled_from(["", "k", "k/2"])), min_size=1, max_size=25)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "letters.ndjson"


def of(messages: list[QueuedMessage]) -> list[Any]:
    """Return what must come back: bodies, attributes, groups."""
    return [(one.body, one.attributes, one.group) for one in messages]


def exported(dlq: Command, file: Path) -> list[str]:
    """Write all letters down."""
    file.unlink(missing_ok=True)
    assert dlq("export", "--to", str(file)).exit_code == 0
    return file.read_text().splitlines()


def written_down(ground: Ground) -> list[tuple[str, str, int, str]]:
    return [entry for entry in ground.audit() if entry[0].startswith("dlq import")]


def told(ran: Ran) -> Any:
    return json.loads(ran.out)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some=letters)
def test_what_was_exported_and_discarded_comes_back_byte_for_byte(
    ground: Ground, dlq: Command, file: Path, some: list[Any]
) -> None:
    ground.messages().clear()
    for body, own, group in some:
        ground.die("e", body=body, attributes=own)
        ground.messages()[-1].system |= {"MessageGroupId": group} if group else {}
    before = of(ground.messages())
    exported(dlq, file)
    ground.messages().clear()

    ran = dlq("import", str(file), "--yes", "--json")

    assert (ran.exit_code, told(ran)) == (0, {"imported": len(some), "bad": {}, "next_line": None})
    assert of(ground.messages()) == before


def test_ordered_letters_come_back_to_their_own_queue_in_the_order_of_the_file(
    ground: Ground, sqs: FakeSqs, dlq: Command, file: Path
) -> None:
    ground.die("e-1")
    for number in range(9):
        ground.move(f"o-{number}", queue=ORDERED_DEAD, key="k", source="shop-ordered.fifo")
    exported(dlq, file)
    for queue in (DEAD, ORDERED_DEAD):
        ground.messages(queue).clear()
    assert dlq("import", str(file), "--yes").exit_code == 0
    assert (ground.letters(DEAD), ground.letters(ORDERED_DEAD)) == (["e-1"], [f"o-{number}" for number in range(9)])
    assert {one.group for one in ground.messages(ORDERED_DEAD)} == {"k"}


def test_the_time_of_death_and_the_reason_come_back_with_it(ground: Ground, dlq: Command, file: Path) -> None:
    ground.die("e-1")
    exported(dlq, file)
    ground.messages().clear()
    ground.clock.advance_to(ground.clock.now().replace(hour=20))
    dlq("import", str(file), "--yes")
    [letter] = told(dlq("show", "--json"))["letters"]
    assert (letter["died_at"], letter["reason"]) == ("2026-01-05T09:00:00.000+00:00", "exhausted")


def test_a_letter_that_sqs_moved_still_is_one_and_knows_where_it_came_from(
    ground: Ground, dlq: Command, file: Path
) -> None:
    ground.move("m-1")
    exported(dlq, file)
    ground.messages().clear()
    dlq("import", str(file), "--yes")
    [letter] = told(dlq("show", "--json"))["letters"]
    assert (letter["reason"], letter["source_queue"]) == ("moved by SQS", "shop-events")


def test_an_ordered_letter_that_is_put_back_at_once_is_not_dropped_as_a_duplicate_of_itself(
    ground: Ground, sqs: FakeSqs, dlq: Command, file: Path
) -> None:
    """SQS moves a letter under its message's id, and knows that for five minutes, even if it is deleted."""
    sqs.send_message(
        QueueUrl=sqs.queue(ORDERED_DEAD).url, MessageBody="{}", MessageGroupId="k", MessageDeduplicationId="x",
        MessageAttributes={ATTRIBUTE: {"DataType": "String", "StringValue": "{}"}},
    )  # fmt: skip
    [message] = ground.messages(ORDERED_DEAD)
    sqs.queue(ORDERED_DEAD)._sent[message.message_id] = (ground.clock.now(), message)
    exported(dlq, file)
    ground.messages(ORDERED_DEAD).clear()
    assert dlq("import", str(file), "--yes").exit_code == 0
    assert len(ground.messages(ORDERED_DEAD)) == 1


class TestBeforeAnythingIsSent:
    @pytest.fixture(autouse=True)
    def _exported(self, ground: Ground, dlq: Command, file: Path) -> None:
        ground.die("e-1", "e-2")
        exported(dlq, file)
        ground.messages().clear()
        ground.clock.advance_to(ground.clock.now().replace(hour=10))

    def test_it_is_said_how_many_go_where(self, ground: Ground, dlq: Command, file: Path) -> None:
        ran = dlq("import", str(file))
        assert (ran.exit_code, ran.out) == (0, f"2 letters go back to {DEAD}.\n")
        assert ran.err == "backstop: dry run: nothing was sent; --yes does it\n"
        assert (ground.letters(), written_down(ground)) == ([], [])

    def test_their_number_is_a_yes(self, ground: Ground, answers: Callable[..., Ran], file: Path) -> None:
        assert answers("2\n", "import", str(file)).exit_code == 0
        assert ground.letters() == ["e-1", "e-2"]

    @pytest.mark.parametrize("typed", ["y\n", "\n", "3\n"])
    def test_nothing_else_is(self, typed: str, ground: Ground, answers: Callable[..., Ran], file: Path) -> None:
        assert answers(typed, "import", str(file)).exit_code == 1
        assert ground.letters() == []

    def test_it_is_written_down(self, ground: Ground, dlq: Command, file: Path) -> None:
        dlq("import", str(file), "--yes")
        assert written_down(ground) == [(f"dlq import {file} --yes", "dead letters", 2, "done")]

    def test_what_cannot_be_written_down_is_not_sent(
        self, ground: Ground, faults: Faults, dlq: Command, file: Path
    ) -> None:
        faults.fail_always("PutItem", Fault.DENIED)
        assert dlq("import", str(file), "--yes").exit_code == 2
        assert ground.letters() == []

    def test_a_result_that_cannot_be_written_down_is_told(
        self, ground: Ground, faults: Faults, dlq: Command, file: Path
    ) -> None:
        faults.fail_always("UpdateItem", Fault.DENIED)
        ran = dlq("import", str(file), "--yes")
        assert (ran.exit_code, "could not be written down" in ran.err) == (0, True)
        assert ground.letters() == ["e-1", "e-2"]


class TestBadLines:
    BAD = ("{", '{"id": "a"}', "\x00", '{"version": 1, "queue": "other", "message_id": "m", "body": "b"}', "[]")

    @pytest.fixture
    def mixed(self, ground: Ground, dlq: Command, file: Path) -> list[str]:
        ground.die(*(f"e-{number}" for number in range(len(self.BAD))))
        good = exported(dlq, file)
        ground.messages().clear()
        all_of_it = [line for pair in zip(good, self.BAD, strict=True) for line in pair]
        file.write_text("\n".join(all_of_it) + "\n\n")
        return all_of_it

    def test_are_each_named_and_nothing_is_sent(
        self, mixed: list[str], ground: Ground, dlq: Command, file: Path
    ) -> None:
        ran = dlq("import", str(file), "--yes", "--json")
        assert ran.exit_code == 1
        assert list(told(ran)["bad"]) == ["2", "4", "6", "8", "10"]
        assert [f"line {number}: " in ran.err for number in range(1, 11)] == [False, True] * 5
        assert "mend the 5 bad lines, or leave them out with --skip-bad" in ran.err
        assert (ground.letters(), written_down(ground)) == ([], [])

    def test_are_left_out_where_that_is_asked_for(
        self, mixed: list[str], ground: Ground, dlq: Command, file: Path
    ) -> None:
        ran = dlq("import", str(file), "--yes", "--skip-bad", "--json")
        assert (ran.exit_code, told(ran)["imported"], len(told(ran)["bad"])) == (1, 5, 5)
        assert ground.letters() == [f"e-{number}" for number in range(5)]
        assert written_down(ground)[-1][2:] == (5, "done")

    def test_before_the_line_to_go_on_with_do_not_matter(
        self, mixed: list[str], ground: Ground, dlq: Command, file: Path
    ) -> None:
        file.write_text("\n".join(mixed[:-1]))
        assert dlq("import", str(file), "--yes", "--from-line", "9").exit_code == 0
        assert ground.letters() == ["e-4"]

    def test_are_shown_up_to_twenty(self, ground: Ground, dlq: Command, file: Path) -> None:
        file.write_text("{\n" * 25)
        ran = dlq("import", str(file), "--yes", "--json")
        assert (len(re.findall(r"line \d+:", ran.err)), "and 5 more bad lines" in ran.err) == (20, True)
        assert len(told(ran)["bad"]) == 25

    def test_are_spelled_out_for_a_terminal(self, ground: Ground, dlq: Command, file: Path) -> None:
        line = {"version": 1, "queue": HOSTILE + "\x1b[2J", "message_id": "m", "body": "b"}
        file.write_text(json.dumps(line) + "\n" + json.dumps(line | {HOSTILE + "\x1b": 1, "queue": DEAD}))
        ran = dlq("import", str(file), "--yes")
        assert (ran.exit_code, is_harmless(ran)) == (1, True)

    def test_that_are_not_utf_8_are_named(self, ground: Ground, dlq: Command, file: Path) -> None:
        file.write_bytes(b'{"x": "\xff"}')
        assert "line 1: not UTF-8 at byte 8" in dlq("import", str(file), "--yes").err


class TestWhatBreaks:
    @pytest.fixture
    def thirty(self, ground: Ground, dlq: Command, file: Path) -> list[str]:
        ids = [f"e-{number}" for number in range(30)]
        ground.die(*ids)
        exported(dlq, file)
        ground.messages().clear()
        return ids

    @pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.DENIED], ids=str)
    def test_a_connection_that_stays_broken_tells_where_to_go_on(
        self, fault: Fault, thirty: list[str], ground: Ground, sqs: FakeSqs, dlq: Command, file: Path
    ) -> None:
        sqs.faults.fail("SendMessageBatch", None, fault)
        ran = dlq("import", str(file), "--yes", "--json")
        assert (ran.exit_code, told(ran)) == (1, {"imported": 10, "bad": {}, "next_line": 11})
        assert f"Go on with: backstop dlq import --from-line 11 --stack shop {file}" in ran.err
        assert ground.letters() == thirty[:10]
        assert written_down(ground)[-1][2] == 10
        assert written_down(ground)[-1][3].startswith("failed: ")
        assert dlq("import", str(file), "--yes", "--from-line", "11").exit_code == 0
        assert ground.letters() == thirty

    def test_a_letter_that_sqs_refuses_is_named_and_the_others_are_back(
        self, thirty: list[str], ground: Ground, sqs: FakeSqs, dlq: Command, file: Path
    ) -> None:
        sqs.refuses = lambda operation, entry: entry["Id"] == "13" and operation == "SendMessageBatch"
        ran = dlq("import", str(file), "--yes", "--json")
        assert (ran.exit_code, told(ran)["imported"], told(ran)["next_line"]) == (1, 29, None)
        assert told(ran)["bad"] == {"13": "a test says: this entry is not taken"}
        assert "line 13: a test says" in ran.err
        assert written_down(ground)[-1][2:] == (29, "failed: SQS refused 1 letters")

    def test_whoever_stops_it_is_told_where_to_go_on(
        self, thirty: list[str], ground: Ground, stack: Stack, dlq: Command, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        send, calls = stack.sqs.send_message_batch, iter([None, KeyboardInterrupt])

        def sometimes(**request: Any) -> Any:
            if interrupt := next(calls):
                raise interrupt
            return send(**request)

        monkeypatch.setattr(stack.sqs, "send_message_batch", sometimes)
        ran = dlq("import", str(file), "--yes", "--json")
        assert (ran.exit_code, told(ran)["next_line"]) == (1, 11)
        assert written_down(ground)[-1][3] == "failed: stopped"

    def test_ended_at_any_call_nothing_is_lost_and_at_most_one_call_is_there_twice(
        self, thirty: list[str], ground: Ground, stack: Stack, dlq: Command, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The audit's entry says that it was begun; how far it came, the queue does."""
        point = 0
        while True:
            point += 1
            killer = Killer(point)
            with monkeypatch.context() as patch:
                patch.setitem(vars(stack), "sqs", Interrupted(stack.sqs, killer, "send_message_batch"))
                dynamodb = Interrupted(stack.dynamodb, killer, "put_item", "update_item")
                patch.setitem(vars(stack), "dynamodb", dynamodb)
                try:
                    dlq("import", str(file), "--yes")
                except Killed:
                    pass
                else:
                    break
            there = ground.letters()
            assert there == thirty[: len(there)]
            assert written_down(ground) or not there
            from_line = str(len(there) - 9 if there else 1)
            if int(from_line) <= 30:
                dlq("import", str(file), "--yes", "--from-line", from_line)
            assert sorted(set(ground.letters())) == sorted(thirty)
            assert len(ground.letters()) <= 40
            ground.messages().clear()
        assert point == 11


class TestWhereItIsReadFrom:
    def test_the_bucket_is_read(self, ground: Ground, bucket: Bucket, dlq: Command) -> None:
        ground.die("e-1")
        where = told(dlq("export", "--to", "s3", "--json"))["to"]
        ground.messages().clear()
        assert dlq("import", where, "--yes").exit_code == 0
        assert ground.letters() == ["e-1"]

    @pytest.mark.parametrize("address", ["s3://data/missing", "s3://elsewhere-x/y", "s3://data", "s3://"])
    def test_an_object_that_is_not_there_is_a_sentence(
        self, address: str, ground: Ground, bucket: Bucket, dlq: Command
    ) -> None:
        ran = dlq("import", address, "--yes")
        assert (ran.exit_code, ran.out, ran.err.count("\n")) == (2, "", 1)

    def test_standard_input_is_read(
        self, ground: Ground, dlq: Command, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ground.die("e-1")
        exported(dlq, file)
        ground.messages().clear()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
        assert dlq("import", "-", "--yes").exit_code == 0
        assert ground.letters() == ["e-1"]

    def test_a_file_that_is_not_there_is_a_sentence(self, ground: Ground, dlq: Command, file: Path) -> None:
        ran = dlq("import", str(file), "--yes")
        assert (ran.exit_code, ran.err) == (2, f"backstop: {file} cannot be read: No such file or directory\n")

    def test_an_empty_file_has_no_letters(self, ground: Ground, dlq: Command, file: Path) -> None:
        file.touch()
        ran = dlq("import", str(file), "--yes")
        assert (ran.exit_code, "there are no letters in it" in ran.err, ground.audit()) == (0, True, [])

    def test_a_folder_is_no_file(self, ground: Ground, dlq: Command, tmp_path: Path) -> None:
        assert "cannot be read: Is a directory" in dlq("import", str(tmp_path), "--yes").err
