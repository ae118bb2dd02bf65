"""Dead letters are written down whole, to where one asked for and nobody else can read, and stay as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ops.stack import Stack
from tests.fakes.faults import Fault, Faults
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command, Ran
from tests.ops.dlq.conftest import is_harmless
from tests.ops.dlq.ground import DEAD, HOSTILE, ORDERED_DEAD, B, Ground
from tests.ops.dlq.kept import Bucket, bucket
from tests.ops.replay.interruptions import Interrupted, Killed, Killer

__all__ = ["bucket"]

BYTES = {"DataType": "Binary", "BinaryValue": b"\x00\xff\x1b"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "letters.ndjson"


def lines(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def left_in(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


class TestToAFile:
    def test_all_of_a_letter_is_written(self, ground: Ground, dlq: Command, file: Path) -> None:
        ground.die("e-1", body='{"id": "e-1",  "price": 1.0}', attributes={"bytes": BYTES})
        ran = dlq("export", "--to", str(file))
        assert (ran.exit_code, ran.out, ran.err) == (0, "", f"1 exported to {file}.\n")
        [told] = lines(file)
        assert told == {
            "version": 1,
            "queue": DEAD,
            "message_id": ground.messages()[0].message_id,
            "event_id": "e-1",
            "source_queue": "shop-events",
            "reason": "exhausted",
            "group": "a" * 16,
            "sent_at": "2026-01-05T09:00:00.000+00:00",
            "died_at": "2026-01-05T09:00:00.000+00:00",
            "attributes": {"bytes": {"type": "Binary", "base64": "AP8b"}},
            "history": {"type": "String", "text": ground.messages()[0].attributes["backstop"]["StringValue"]},
            "body": '{"id": "e-1",  "price": 1.0}',
        }

    def test_the_letters_stay_as_they_were_and_are_seen_again(self, ground: Ground, dlq: Command, file: Path) -> None:
        ground.die(*(f"e-{number}" for number in range(25)))
        ground.move("o-1", queue=ORDERED_DEAD, key="k", source="shop-ordered.fifo")
        before = ground.contents()
        assert dlq("export", "--to", str(file)).exit_code == 0
        assert len(lines(file)) == 26
        assert (ground.contents(), ground.hidden()) == (before, 0)

    def test_only_what_is_chosen_is_written(self, ground: Ground, dlq: Command, file: Path) -> None:
        ground.die("a")
        ground.die("b", group=B, kind="permanent", dead_because="permanent")
        ground.move("c")
        chosen: dict[tuple[str, ...], list[str]] = {
            ("--group", B): ["b"],
            ("--kind", "permanent"): ["b"],
            ("--reason", "moved"): ["c"],
            ("--event", "a", "--event", "c"): ["a", "c"],
            ("--queue", "EventsQueue"): ["a", "b", "c"],
        }
        for words, expected in chosen.items():
            assert dlq("export", *words, "--to", str(file)).exit_code == 0
            assert [one["event_id"] for one in lines(file)] == expected
            file.unlink()

    def test_nobody_else_may_read_it_and_nothing_else_is_left(
        self, ground: Ground, dlq: Command, file: Path, tmp_path: Path
    ) -> None:
        ground.die("e-1")
        dlq("export", "--to", str(file))
        assert file.stat().st_mode & 0o777 == 0o600
        assert left_in(tmp_path) == [file.name]

    def test_a_file_that_is_there_is_not_overwritten(self, ground: Ground, dlq: Command, file: Path) -> None:
        ground.die("e-1")
        file.write_text("mine")
        ran = dlq("export", "--to", str(file))
        assert (ran.exit_code, "is there already, and is not overwritten" in ran.err) == (2, True)
        assert (file.read_text(), ground.audit()) == ("mine", [])

    def test_nor_is_one_that_came_in_between(
        self, ground: Ground, sqs: FakeSqs, dlq: Command, file: Path, tmp_path: Path
    ) -> None:
        ground.die("e-1")
        sqs.faults.fail("ReceiveMessage", None, when=lambda _: file.exists() or bool(file.write_text("mine")))
        ran = dlq("export", "--to", str(file))
        assert (ran.exit_code, "is not overwritten" in ran.err) == (2, True)
        assert (file.read_text(), left_in(tmp_path)) == ("mine", [file.name])
        assert ground.audit()[0][3].startswith("failed: ")

    def test_a_file_system_where_no_file_has_two_names_takes_it_too(
        self, ground: Ground, dlq: Command, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        ground.die("e-1")
        monkeypatch.setattr("os.link", refuse)
        assert dlq("export", "--to", str(file)).exit_code == 0
        assert (len(lines(file)), left_in(tmp_path)) == (1, [file.name])

    def test_a_link_to_nowhere_is_not_followed(self, ground: Ground, dlq: Command, file: Path, tmp_path: Path) -> None:
        ground.die("e-1")
        file.symlink_to(tmp_path / "elsewhere")
        assert dlq("export", "--to", str(file)).exit_code == 2
        assert left_in(tmp_path) == [file.name]

    @pytest.mark.parametrize(
        ("to", "why"), [("missing/x", "No such file or directory"), ("s3://b/x", "the stack's own bucket")]
    )
    def test_where_nothing_can_be_written_that_is_said(
        self, to: str, why: str, ground: Ground, dlq: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        ground.die("e-1")
        ran = dlq("export", "--to", to)
        assert (ran.exit_code, ran.err.count("\n"), why in ran.err) == (2, 1, True)
        assert (left_in(tmp_path), ground.audit()) == ([], [])

    def test_who_got_them_is_written_down(self, ground: Ground, dlq: Command, file: Path) -> None:
        ground.die("e-1", "e-2")
        dlq("export", "--event", "e-1", "--to", str(file))
        assert ground.audit() == [(f"dlq export --event e-1 --to {file}", "dead letters", 1, "done")]

    def test_what_cannot_be_written_down_is_not_revealed(
        self, ground: Ground, faults: Faults, dlq: Command, tmp_path: Path, file: Path
    ) -> None:
        ground.die("e-1")
        faults.fail_always("PutItem", Fault.DENIED)
        assert dlq("export", "--to", str(file)).exit_code == 2
        assert left_in(tmp_path) == []
        assert "Zanzibar" not in dlq("export", "--to", "-").out

    def test_where_there_is_none_there_is_no_file(
        self, ground: Ground, dlq: Command, tmp_path: Path, file: Path
    ) -> None:
        ran = dlq("export", "--to", str(file))
        assert (ran.exit_code, ran.err) == (0, "No dead letters are meant: nothing was written.\n")
        assert (left_in(tmp_path), ground.audit()) == ([], [])

    def test_programs_are_told_how_many(self, ground: Ground, dlq: Command, file: Path) -> None:
        ground.die("e-1", "e-2")
        ran = dlq("export", "--to", str(file), "--json")
        assert json.loads(ran.out) == {"exported": 2, "to": str(file), "is_complete": True}
        assert json.loads(dlq("export", "--group", B, "--to", "x", "--json").out)["exported"] == 0

    def test_letters_that_were_not_seen_are_a_no(self, ground: Ground, dlq: Command, file: Path) -> None:
        """An ordered queue hands out ten of a key, and no more before they are settled."""
        for number in range(12):
            ground.move(f"o-{number}", queue=ORDERED_DEAD, key="k", source="shop-ordered.fifo")
        ran = dlq("export", "--to", str(file))
        assert (ran.exit_code, len(lines(file))) == (1, 10)
        assert "were not seen" in ran.err


class TestToStandardOutput:
    def test_are_the_letters_and_nothing_else(self, ground: Ground, dlq: Command) -> None:
        ground.die("e-1", "e-2")
        ran = dlq("export", "--to", "-")
        assert [json.loads(line)["event_id"] for line in ran.out.splitlines()] == ["e-1", "e-2"]
        assert (ran.exit_code, ran.err) == (0, "2 exported to standard output.\n")

    def test_a_terminal_obeys_nothing_of_it(self, ground: Ground, dlq: Command) -> None:
        ground.die(HOSTILE, body=HOSTILE + "\x9b2J", attributes={"a": {"DataType": "String", "StringValue": HOSTILE}})
        ran = dlq("export", "--to", "-")
        assert ran.out.isascii()
        assert all(one.isprintable() or one == "\n" for one in ran.out)

    def test_counts_would_stand_among_them(self, ground: Ground, dlq: Command) -> None:
        ran = dlq("export", "--to", "-", "--json")
        assert (ran.exit_code, "one of the two" in ran.err) == (2, True)


class TestToTheBucket:
    def test_they_are_one_object(self, ground: Ground, dlq: Command, bucket: Bucket) -> None:
        ground.die("e-1", "e-2")
        ran = dlq("export", "--to", "s3", "--json")
        key = "exported/20260105T090000.000Z-2.ndjson"
        assert json.loads(ran.out)["to"] == f"s3://data/{key}"
        assert [json.loads(line)["event_id"] for line in bucket.text(key).splitlines()] == ["e-1", "e-2"]

    def test_a_bucket_that_does_not_take_them_is_a_sentence(self, ground: Ground, stack: Stack, dlq: Command) -> None:
        ground.die("e-1")
        ran = dlq("export", "--to", "s3")  # there is no bucket
        assert (ran.exit_code, ran.err.count("\n"), "PutObject" in ran.err) == (2, 1, True)
        assert [result.split(":")[0] for *_, result in ground.audit()] == ["failed"]
        assert ground.hidden() == 0


def test_sqs_that_does_not_answer_is_a_sentence(ground: Ground, sqs: FakeSqs, dlq: Command, tmp_path: Path) -> None:
    ground.die("e-1")
    sqs.faults.fail_always("ReceiveMessage", Fault.DENIED)
    ran = dlq("export", "--to", str(tmp_path / "x"))
    assert (ran.exit_code, ran.err.count("\n")) == (2, 1)
    assert left_in(tmp_path) == []


def test_a_group_that_is_not_known_is_a_no(ground: Ground, dlq: Command, file: Path) -> None:
    assert dlq("export", "--group", "gbbb", "--to", str(file)).exit_code == 1
    assert not file.exists()


def test_hostile_names_are_spelled_out(ground: Ground, dlq: Command, tmp_path: Path) -> None:
    ground.die("e-1")
    ran: Ran = dlq("export", "--to", str(tmp_path / f"{HOSTILE}\x1b[2J"))
    assert (ran.exit_code, is_harmless(ran)) == (0, True)


@pytest.mark.parametrize("to", ["file", "s3"])
def test_ended_at_any_point_the_letters_are_where_they_were_and_a_file_is_whole_or_not_there(
    to: str, ground: Ground, stack: Stack, bucket: Bucket, dlq: Command, file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    ground.die(*(f"e-{number}" for number in range(12)))
    before = ground.contents()
    point = 0
    while True:
        point += 1
        killer = Killer(point)
        with monkeypatch.context() as patch:
            for name, calls in {
                "sqs": ("receive_message", "change_message_visibility_batch"),
                "dynamodb": ("put_item", "update_item"),
                "s3": ("put_object",),
            }.items():
                patch.setitem(vars(stack), name, Interrupted(getattr(stack, name), killer, *calls))
            try:
                dlq("export", "--to", str(file) if to == "file" else "s3")
            except Killed:
                pass
            else:
                break
        assert ground.contents() == before
        assert left_in(tmp_path) in ([], [file.name])
        kept = [bucket.text(key) for key in bucket.keys()]  # noqa: SIM118  # its own
        for text in [*kept, *([file.read_text()] if file.exists() else [])]:
            assert text.count("\n") == 12
        file.unlink(missing_ok=True)
        ground.clock.advance_to(ground.clock.now().replace(hour=10 + point // 30, minute=point % 30 * 2 + 1))
    assert point > 10
