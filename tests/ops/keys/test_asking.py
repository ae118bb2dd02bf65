"""Who is asked before anything is changed, what they are shown, and what counts as a yes."""

from __future__ import annotations

import io
import sys

import pytest

from backstop.parking import State
from tests.ops.command import Command, Ran
from tests.ops.keys.ground import REASON, Ground

DECISIONS = ["retry", "skip", "discard"]
MEANS = {
    "retry": "retry: its head is tried again now, with new attempts\n",
    "skip": "skip: its head becomes a dead letter, with its reason, and the others go on\n",
    "discard": "discard: its head is deleted for good, and the others go on\n",
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def answers(keys: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command where a person sits who types the first word."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(typed: str, *words: str) -> Ran:
        monkeypatch.setattr(sys, "stdin", Terminal(typed))
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        return keys(*words)

    return run


@pytest.fixture(autouse=True)
def held(ground: Ground) -> None:
    ground.park("k", "a", "b", "c", state=State.HELD)


@pytest.mark.parametrize("decision", DECISIONS)
class TestWithoutATerminal:
    def test_it_is_shown_and_nothing_is_changed(self, decision: str, ground: Ground, keys: Command) -> None:
        before = ground.snapshot()
        ran = keys(decision, "k")
        assert (ran.exit_code, ran.err) == (0, "")
        assert ran.out == (
            f"key: k (held)\nhead: a\nattempt: 3\nreason: permanent OutOfOrder {REASON}\nwaiting behind it: 2\n"
            f"{MEANS[decision]}Dry run: nothing was changed; --yes does it.\n"
        )
        assert ground.snapshot() == before

    def test_a_person_who_reads_elsewhere_is_not_asked(
        self, decision: str, ground: Ground, keys: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whose output goes into a file could not see the question."""
        monkeypatch.setattr(sys, "stdin", Terminal("y\nk\n"))
        assert "Dry run" in keys(decision, "k").out
        assert ground.audit() == []


class TestAtATerminal:
    @pytest.mark.parametrize(
        ("decision", "typed"),
        [("retry", "y\n"), ("skip", "yes\n"), ("discard", "k\n")],
        ids=DECISIONS,
    )
    def test_a_yes_does_it(self, decision: str, typed: str, ground: Ground, answers: Command) -> None:
        ran = answers(typed, decision, "k")
        assert (ran.exit_code, ran.out.endswith("Done.\n")) == (0, True)
        assert ground.audit() == [(f"keys {decision} k", "done")]

    @pytest.mark.parametrize(
        ("decision", "typed"),
        [
            pytest.param("retry", "n\n", id="no"),
            pytest.param("retry", "\n", id="nothing"),
            pytest.param("skip", "n\n", id="no to a skip"),
            pytest.param("discard", "y\n", id="a yes is not the key"),
            pytest.param("discard", "K\n", id="nor is another key"),
            pytest.param("discard", "\n", id="nor is nothing"),
            pytest.param("discard", "", id="the input ends"),
        ],
    )
    def test_anything_else_changes_nothing(self, decision: str, typed: str, ground: Ground, answers: Command) -> None:
        before = ground.snapshot()
        ran = answers(typed, decision, "k")
        assert ran.exit_code == 1
        assert "Done" not in ran.out
        assert ground.snapshot() == before

    def test_what_is_agreed_to_is_done_to_that_head_only(
        self, ground: Ground, answers: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While the question stands, another operator discards the head."""

        def confirm(_: str) -> bool:
            ground.table.claim(ground.table.lock("k") or pytest.fail("gone"), ground.clock.now(), ground.clock.now())
            return True

        monkeypatch.setattr("typer.confirm", confirm)
        ran = answers("", "skip", "k")
        assert (ran.exit_code, "key k changed in the meantime" in ran.err) == (1, True)
        assert ground.parked("k") == ["a", "b", "c"]


class TestWhatIsShown:
    def test_a_key_that_is_not_dead_is_given_no_new_attempts(self, ground: Ground, keys: Command) -> None:
        ground.park("w", "x")
        assert "retry: its head is tried again now\n" in keys("retry", "w").out

    def test_what_a_terminal_would_obey_is_spelled_out(self, ground: Ground, keys: Command) -> None:
        ground.park("k\x1b[2J", "a\x07", state=State.HELD, reason="\x1b]0;x\x07")
        for words in (("skip", "k\x1b[2J"), ("skip", "k\x1b[2J", "--event", "\x1b[2K"), ("skip", "\x1b[2Kno")):
            ran = keys(*words)
            assert not [one for one in ran.out + ran.err if not one.isprintable() and one != "\n"]
