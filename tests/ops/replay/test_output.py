"""What a person and a program are told: the numbers add up, and what stands in a key does no harm."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from backstop.rounds import Mark
from ops.stack import Stack
from tests.fakes.faults import Fault
from tests.ops.command import Command, Ran
from tests.ops.replay.ground import KEY, Ground, numbered
from tests.ops.replay.interruptions import Interrupted, Killed, Killer

TOO_LARGE = b"x" * 1_024_000
USED_UP = Mark(replays=3).before(b"used up")


@pytest.fixture
def replay(command: Command, found_by_commands: None) -> Command:
    return lambda *words: command("stream", "replay", *words)


def told(ran: Ran) -> dict[str, Any]:
    """Return the one document that is printed."""
    document: dict[str, Any] = json.loads(ran.out)
    return document


def rows(ran: Ran) -> dict[str, str]:
    """Return what the table says."""
    return dict(re.findall(r"^│ (.+?) +│ +(\S+) │$", ran.err, re.MULTILINE))


@pytest.fixture
def _much(ground: Ground) -> None:
    """Keep, besides three good records, one of each that cannot be sent, two in doubt and two that were sent."""
    ground.keep("errors/0-sent", *numbered(2))
    ground.replay()
    ground.keep("errors/1-doubtful", *numbered(2, "doubtful"))
    ground.stream.faults.fail("PutRecordBatch", Fault.ANSWER_LOST)
    ground.replay()
    ground.keep("errors/2-new", *numbered(3), TOO_LARGE, USED_UP)
    ground.write("errors/3-unreadable", b"garbage")


UNREADABLE = {"errors/3-unreadable": "not JSON: Expecting value at line 1, column 1"}
ALL = {
    "objects": 3,
    "sent": 3,
    "sent_before": 2,
    "rounds_used_up": 1,
    "too_large": 1,
    "in_doubt": {"errors/1-doubtful": 2},
    "unreadable": UNREADABLE,
    "stopped": "",
}


@pytest.mark.usefixtures("_much")
class TestNumbers:
    def test_json_is_one_document_on_standard_output(self, replay: Command) -> None:
        ran = replay("--json")
        assert ran.exit_code == 1
        assert told(ran) == ALL | {"dry_run": False}

    def test_people_are_told_the_same_on_standard_error(self, replay: Command) -> None:
        ran = replay()
        assert ran.out == ""
        assert rows(ran) == {
            "objects": "3",
            "records sent": "3",
            "sent before": "2",
            "replayed 3 times already": "1",
            "too large to be marked": "1",
            "in doubt": "2",
            "objects not read": "1",
        }
        assert "in doubt: 2 records of errors/1-doubtful\n" in ran.err
        assert "To send it again: --resend-doubtful\n" in ran.err
        assert "not read: errors/3-unreadable: not JSON: Expecting value at line 1, column 1\n" in ran.err

    def test_a_dry_run_says_the_same_numbers_and_sends_and_writes_nothing(
        self, ground: Ground, replay: Command
    ) -> None:
        before, arrived = ground.contents(), ground.arrived()
        ran = replay("--dry-run", "--json")
        assert (ran.exit_code, told(ran)) == (1, ALL | {"dry_run": True})
        assert rows(ran)["records to send"] == "3"
        assert "Dry run: nothing was sent" in ran.err
        assert (ground.contents(), ground.arrived()) == (before, arrived)

    @pytest.mark.parametrize(
        ("words", "numbers"),
        [
            pytest.param(("--resend-doubtful",), {"sent": 5, "in_doubt": {}}, id="with the doubtful ones"),
            pytest.param(("--max-replays", "4"), {"sent": 4, "rounds_used_up": 0}, id="with those replayed too often"),
            pytest.param(
                ("--from", "errors/2"),
                {"objects": 1, "sent_before": 0, "in_doubt": {}, "unreadable": {}},
                id="of a part",
            ),
            pytest.param(
                ("--since", "2999-01-01"),
                dict.fromkeys(ALL, 0) | {"in_doubt": {}, "unreadable": {}, "stopped": ""},
                id="of nothing",
            ),
        ],
    )
    def test_what_a_dry_run_says_is_what_comes(
        self, words: tuple[str, ...], numbers: dict[str, Any], ground: Ground, replay: Command
    ) -> None:
        dry, arrived = told(replay("--json", "--dry-run", *words)), ground.arrived()
        assert dry == ALL | numbers | {"dry_run": True}
        real = told(replay("--json", *words))
        assert real == dry | {"dry_run": False}
        assert len(ground.arrived()) - len(arrived) == dry["sent"]

    def test_each_record_is_in_one_number(self, replay: Command) -> None:
        for words in ((), ("--dry-run",), ("--resend-doubtful",), ("--max-replays", "9"), ()):
            said = told(replay("--json", *words))
            counted = ("sent", "sent_before", "rounds_used_up", "too_large")
            assert sum(said[name] for name in counted) + sum(said["in_doubt"].values()) == 9


class TestSentences:
    def test_large_numbers_are_readable(self, ground: Ground, replay: Command) -> None:
        ground.keep(KEY, *numbered(1200))
        assert rows(replay())["records sent"] == "1,200"

    def test_whoever_was_stopped_is_told_why_in_json_too(self, ground: Ground, replay: Command) -> None:
        ground.keep(KEY, b"a")
        ground.stream.faults.fail("PutRecordBatch", Fault.ANSWER_LOST)
        ran = replay("--json")
        assert told(ran)["stopped"].startswith("whether the last call arrived is not known: ")
        assert told(ran)["in_doubt"] == {KEY: 1}
        assert f"Stopped: {told(ran)['stopped']}. The same call goes on from there.\n" in ran.err

    def test_what_a_kill_left_in_doubt_is_told_by_the_next_replay(
        self, ground: Ground, stack: Stack, replay: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ground.keep(KEY, *numbered(2))
        with monkeypatch.context() as patch:
            dying = Interrupted(ground.stream, Killer(2), "put_record_batch")
            patch.setitem(vars(stack), "firehose_once", dying)
            with pytest.raises(Killed):
                replay()
        ran = replay()
        assert (ran.exit_code, rows(ran)["in doubt"]) == (1, "2")
        assert f"in doubt: 2 records of {KEY}\n" in ran.err

    def test_no_record_is_told(self, ground: Ground, replay: Command) -> None:
        ground.keep(KEY, b"Zanzibar")
        ground.write(f"{KEY}-2", b'{"rawData": "Zanzibar!"}Zanzibar')
        ground.write(f"{KEY}-3", b'{"rawData": "Zanzibar!"}')
        ran = replay("--json")
        assert ran.exit_code == 1
        assert "Zanzibar" not in ran.out + ran.err


class TestKeys:
    @pytest.mark.parametrize(
        "name",
        ["[red]a[/red]", "[/]", "[/red]", "[link=https://a.example]a[/link]", "a\\[b]", "[bold", "%s {0} $x", "ü ü"],
    )
    def test_what_looks_like_markup_is_shown_as_it_is(self, name: str, ground: Ground, replay: Command) -> None:
        ground.write(f"errors/{name}", b"garbage")
        ground.keep(f"errors/{name}/", b"a")
        ground.stream.faults.fail("PutRecordBatch", Fault.ANSWER_LOST)
        ran = replay("--json")
        assert ran.exit_code == 1
        assert f"not read: errors/{name}: not JSON" in ran.err
        assert f"in doubt: 1 records of errors/{name}/\n" in ran.err
        assert told(ran)["in_doubt"] == {f"errors/{name}/": 1}

    def test_a_long_key_stays_in_one_line(self, ground: Ground, replay: Command) -> None:
        key = f"errors/{'folder of some length/' * 12}end"
        ground.write(key, b"garbage")
        assert f"not read: {key}: not JSON" in replay().err

    @pytest.mark.parametrize("name", ["a\nb", "\x7f\x9b2J", "ä/\U0001f4a3", "a+b%20c ?&#", "../../data/a", "//"])
    def test_any_key_is_replayed_and_its_checkpoint_found_again(
        self, name: str, ground: Ground, replay: Command
    ) -> None:
        ground.keep(f"errors/{name}", b"a")
        assert told(replay("--json"))["sent"] == 1
        assert told(replay("--json"))["sent_before"] == 1
        assert ground.unmarked() == [b"a"]

    def test_what_controls_a_terminal_is_escaped_in_json(self, ground: Ground, replay: Command) -> None:
        ground.write("errors/\x1b[2J\n", b"garbage")
        ran = replay("--json")
        assert list(told(ran)["unreadable"]) == ["errors/\x1b[2J\n"]
        assert "\x1b" not in ran.out
