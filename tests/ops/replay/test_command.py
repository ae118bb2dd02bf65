"""The command: what is asked of it, which objects that means, and how it is stopped."""

from __future__ import annotations

import re
import signal
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from ops.local import state
from ops.stack import Stack
from tests.fakes.faults import Fault
from tests.ops.command import Command, Ran
from tests.ops.replay.ground import KEY, Ground, numbered

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
PUT = "PutRecordBatch"


@pytest.fixture
def replay(command: Command, found_by_commands: None) -> Command:
    def run(*words: str) -> Ran:
        ran = command("stream", "replay", *words)
        assert "Traceback" not in ran.err
        return ran

    return run


class TestExitCodes:
    def test_0_where_all_is_on_the_stream(self, ground: Ground, replay: Command) -> None:
        ground.keep(KEY, *numbered(3))
        for _ in range(2):
            ran = replay()
            assert (ran.exit_code, ran.out) == (0, "")
        assert ground.unmarked() == numbered(3)

    def test_0_where_there_is_nothing(self, replay: Command) -> None:
        assert replay().exit_code == 0

    def test_1_where_a_record_was_replayed_too_often_and_0_once_that_is_allowed(
        self, ground: Ground, replay: Command
    ) -> None:
        ground.keep(KEY, b"\x00backstop 1 rounds=0 replays=3\na")
        assert [replay(*words).exit_code for words in ((), ("--max-replays", "4"))] == [1, 0]

    def test_1_where_an_object_cannot_be_read(self, ground: Ground, replay: Command) -> None:
        ground.write(KEY, b"garbage")
        assert replay().exit_code == 1

    def test_1_where_something_is_in_doubt_until_it_is_sent_again(self, ground: Ground, replay: Command) -> None:
        ground.keep(KEY, b"a")
        ground.stream.faults.fail(PUT, Fault.ANSWER_LOST)
        assert [replay(*words).exit_code for words in ((), (), ("--resend-doubtful",), ())] == [1, 1, 0, 0]
        assert ground.unmarked() == [b"a", b"a"]

    def test_1_where_it_was_stopped(self, ground: Ground, replay: Command) -> None:
        ground.keep(KEY, b"a")
        ground.stream.faults.fail(PUT, Fault.DENIED)
        ran = replay()
        assert ran.exit_code == 1
        assert "Stopped: AWS refused PutRecordBatch: a test says: denied. The same call goes on from there." in ran.err
        assert replay().exit_code == 0

    @pytest.mark.parametrize(
        "words",
        [
            pytest.param(("errors/",), id="a word too many"),
            pytest.param(("--max-replays", "0"), id="no replay"),
            pytest.param(("--max-replays", "101"), id="too many replays"),
            pytest.param(("--max-replays", "many"), id="no number"),
            pytest.param(("--to", "errors/"), id="an option that is none"),
        ],
    )
    def test_2_where_the_call_is_wrong(self, words: tuple[str, ...], ground: Ground, replay: Command) -> None:
        ground.keep(KEY, b"a")
        ran = replay(*words)
        assert (ran.exit_code, ran.out, ground.arrived()) == (2, "", [])
        assert "Usage: " in ran.err

    @pytest.mark.parametrize("output", ["DataBucketName", "ClicksStreamName"])
    def test_2_where_the_stack_has_no_stream(self, output: str, stack: Stack, replay: Command) -> None:
        del stack._outputs[output]
        ran = replay()
        assert (ran.exit_code, ran.err) == (
            2,
            f"backstop: stack 'shop' has no output {output}: is it a Backstop stack?\n",
        )

    def test_2_where_the_bucket_is_gone(self, stack: Stack, replay: Command) -> None:
        stack._outputs["DataBucketName"] = "shop-data-of-nobody"
        ran = replay()
        assert ran.exit_code == 2
        assert ran.err == "backstop: AWS refused ListObjectsV2: The specified bucket does not exist\n"


class TestFrom:
    @pytest.mark.parametrize(
        ("prefix", "taken"),
        [
            pytest.param("errors/", [b"1", b"2", b"3"], id="all of it"),
            pytest.param("s3://{bucket}/errors/", [b"1", b"2", b"3"], id="all of it, as S3 names it"),
            pytest.param("errors/a/", [b"1", b"2"], id="a folder"),
            pytest.param("s3://{bucket}/errors/a/", [b"1", b"2"], id="a folder, as S3 names it"),
            pytest.param("errors/a/1", [b"1"], id="an object"),
            pytest.param("errors/c", [], id="nothing"),
        ],
    )
    def test_it_takes_what_is_below(self, prefix: str, taken: list[bytes], ground: Ground, replay: Command) -> None:
        for key, data in (("a/1", b"1"), ("a/2", b"2"), ("b/3", b"3")):
            ground.keep(f"errors/{key}", data)
        assert replay("--from", prefix.format(bucket=ground.bucket)).exit_code == 0
        assert ground.unmarked() == taken

    def test_without_it_all_errors_and_nothing_else_are_replayed(self, ground: Ground, replay: Command) -> None:
        ground.keep("data/1", b"delivered")
        ground.keep("errors-of-another/1", b"of another")
        ground.keep("errors/1", b"failed")
        replay()
        assert ground.unmarked() == [b"failed"]

    @pytest.mark.parametrize(
        "prefix",
        ["", "/", "errors", "/errors/", "data/", "replay/errors/", "s3://{bucket}/", "s3://{bucket}/data/",
         "s3://another/errors/", "[red]errors/"],
    )  # fmt: skip
    def test_another_place_is_wrong_and_it_says_what_to_name(
        self, prefix: str, ground: Ground, replay: Command
    ) -> None:
        ground.keep("data/errors/1", b"delivered")
        before = ground.contents()
        ran = replay("--from", prefix.format(bucket=ground.bucket))
        assert (ran.exit_code, ran.out, ground.arrived()) == (2, "", [])
        assert f"kept below errors/ in s3://{ground.bucket}; name that, or a part of it such as errors/" in ran.err
        assert ground.contents() == before


class TestSince:
    @pytest.fixture(autouse=True)
    def _written(self, ground: Ground) -> None:
        """Write an object a day ago, one two hours ago, one 20 minutes ago and one now."""
        for name, ago in (("1", timedelta(days=1)), ("2", timedelta(hours=2)), ("3", timedelta(minutes=20))):
            with time_machine.travel(NOW - ago, tick=False):
                ground.keep(f"errors/{name}", name.encode())
        with time_machine.travel(NOW, tick=False):
            ground.keep("errors/4", b"4")

    @pytest.mark.parametrize(
        ("since", "taken"),
        [
            pytest.param("0s", b"4", id="now"),
            pytest.param("1199s", b"4", id="seconds"),
            pytest.param("20m", b"34", id="minutes, and that very moment counts"),
            pytest.param("2h", b"234", id="hours"),
            pytest.param("3d", b"1234", id="days"),
            pytest.param("2026-01-05T08:00", b"34", id="a time is UTC"),
            pytest.param("2026-01-05 08:00", b"34", id="a blank for the T"),
            pytest.param("2026-01-05T08:00:00Z", b"34", id="a time in UTC"),
            pytest.param("2026-01-05T08:00+02:00", b"234", id="a time east of it"),
            pytest.param("2026-01-05T08:00-01:00", b"4", id="a time west of it"),
            pytest.param("2026-01-05", b"234", id="a day"),
            pytest.param("2027-01-01", b"", id="a time to come"),
            pytest.param("0001-01-01", b"1234", id="the first day there is"),
        ],
    )
    def test_only_what_was_written_since_is_replayed(
        self, since: str, taken: bytes, ground: Ground, replay: Command
    ) -> None:
        with time_machine.travel(NOW, tick=False):
            assert replay("--since", since).exit_code == 0
        assert b"".join(ground.unmarked()) == taken

    def test_a_time_without_a_zone_is_utc_wherever_the_person_is(self, ground: Ground, replay: Command) -> None:
        with time_machine.travel(NOW.astimezone(ZoneInfo("Asia/Seoul")), tick=False):
            replay("--since", "2026-01-05T08:00")
        assert b"".join(ground.unmarked()) == b"34"

    def test_what_was_left_out_is_sent_later_and_the_rest_not_again(self, ground: Ground, replay: Command) -> None:
        with time_machine.travel(NOW, tick=False):
            replay("--since", "20m")
            replay()
        assert b"".join(ground.unmarked()) == b"3412"

    @pytest.mark.parametrize(
        "since", ["", "2", "h", "-2h", "2 h", "2w", "1.5h", "2h30m", "1234567d", "yesterday", "2026-13-01", "[/]"]
    )
    def test_what_is_no_time_is_wrong_and_it_says_what_is(self, since: str, ground: Ground, replay: Command) -> None:
        ran = replay("--since", since)
        assert (ran.exit_code, ran.out, ground.arrived()) == (2, "", [])
        assert ran.err == (
            f"backstop: --since {since}: a time such as 2026-11-21T09:00, or how long ago: 30m, 2h, 3d\n"
        )


class TestSignals:
    @pytest.mark.usefixtures("small_calls")
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
    def test_one_lets_the_call_end_and_nothing_is_in_doubt(
        self, number: signal.Signals, ground: Ground, replay: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ground.keep(KEY, *numbered(7))
        before, put = signal.getsignal(number), ground.stream.put_record_batch

        def stop_in_the_call(**request: Any) -> Any:
            signal.raise_signal(number)
            return put(**request)

        with monkeypatch.context() as patch:
            patch.setattr(ground.stream, "put_record_batch", stop_in_the_call)
            ran = replay()
        assert ran.exit_code == 1
        assert re.search(r"Stopping after this call …\n.*Stopped: you stopped it", ran.err, re.DOTALL)
        assert (ground.unmarked(), ground.checkpoint()["sending"]) == (numbered(3), [])
        assert signal.getsignal(number) is before
        assert replay().exit_code == 0
        assert ground.unmarked() == numbered(7)


@pytest.mark.parametrize("words", [("stream",), ("stream", "--help"), ("stream", "replay", "--help")])
def test_help_names_the_command_and_how_it_is_called(words: tuple[str, ...], command: Command) -> None:
    ran = command(*words)
    assert "Traceback" not in ran.err
    assert "replay" in ran.out + ran.err


def test_without_a_local_aws_it_says_how_to_start_one(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "find", lambda: None)
    ran = command("stream", "replay", "--local")
    assert ran == (2, "", "backstop: no local AWS runs: start it with make local\n")
